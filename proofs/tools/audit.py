"""Audit the proofs: no hole, no axiom of our own, no file outside the build.

Three checks, each with a planted fault among the tests (tests/theory/test_audit.py):

1. the sources, comments and strings removed, contain no word that leaves a hole;
2. ``Print Assumptions`` over every proved name lists only the four axioms of Coq's real numbers;
3. every .v file under theories/ is listed in _CoqProject, and the reverse.

A top-level ``Variable`` would be an axiom with only a warning: _CoqProject turns that warning
(local-declaration) into an error, and check 2 would name it besides.

    python3 tools/audit.py           one query for all names (seconds)
    python3 tools/audit.py --each    one query a name (minutes), to see who uses what
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from coq import HOME, PROVED, Theory, run_coq, theories

ALLOWED = {
    # Coq's classical reals ...
    "ClassicalDedekindReals.sig_forall_dec",
    "ClassicalDedekindReals.sig_not_dec",
    "FunctionalExtensionality.functional_extensionality_dep",
    # ... and what Coquelicot's analysis adds.
    "Classical_Prop.classic",
}
FORBIDDEN = re.compile(
    r"\b(Admitted|admit|give_up|Axioms?|Parameters?|Conjecture|bypass_check|Primitive|Extract|"
    r"Abort|Unset\s+(?:Guard|Positivity|Universe)\s+Checking)\b"
)

# A line of Print Assumptions that starts an axiom: its name, then a colon or the line's end.
LISTED = re.compile(r"^(?!(?:Axioms|Closed|Section|Opaque)\b)([A-Za-z_][\w.']*)\s*(?::|$)")


def holes(files: list[Theory]) -> list[str]:
    """Words in the sources that would leave a statement unproved."""
    return [
        f"{theory.path.name}:{number}: forbidden: {line.strip()}"
        for theory in files
        for number, line in enumerate(theory.source.splitlines(), 1)
        if FORBIDDEN.search(line)
    ]


def strays(root: Path, files: list[Theory]) -> list[str]:
    """Files that exist and are not built, or are listed and do not exist."""
    listed = {theory.path.resolve() for theory in files}
    found = {path.resolve() for path in (root / "theories").rglob("*.v")}
    return [f"{path.name}: not in _CoqProject" for path in sorted(found - listed)]


def assumptions(names: list[str], root: Path, *, each: bool = False) -> dict[str, set[str]]:
    """The axioms behind the names: name -> axioms, or one entry for all of them together."""
    if each:
        marks = [f'Goal True. idtac "@@{n}". Abort.\nPrint Assumptions HDPO.{n}.' for n in names]
        body = "\n".join(marks)
    else:
        # One tuple shares the walk through the library of real numbers: 25 times faster.
        tuple_ = ", ".join(f"@HDPO.{name}" for name in names)
        body = f"Definition all := ({tuple_}).\n"
        body += 'Goal True. idtac "@@all". Abort.\nPrint Assumptions all.'
    return read_assumptions(run_coq(body, root))


def read_assumptions(output: str) -> dict[str, set[str]]:
    """Parse ``Print Assumptions`` blocks, each after a line ``@@name``."""
    used: dict[str, set[str]] = {}
    current = ""
    for line in output.splitlines():
        if line.startswith("@@"):
            current = line[2:].strip()
            used[current] = set()
        elif match := LISTED.match(line):
            used[current].add(match[1])
    return used


def audit(root: Path = HOME, *, each: bool = False) -> tuple[str, list[str]]:
    """A one-line summary and the list of faults."""
    files = theories(root)
    names = [name for theory in files for name in theory.names(PROVED)]
    faults = holes(files) + strays(root, files)
    used = assumptions(names, root, each=each)
    for name in names if each else ["all"]:
        if name not in used:
            faults.append(f"{name}: no answer from Print Assumptions")
        faults += [f"{name}: uses axiom {a}" for a in sorted(used.get(name, set()) - ALLOWED)]
    axioms = ", ".join(sorted(set().union(*used.values())))
    return f"{len(files)} files, {len(names)} proved names, axioms: {axioms}", faults


def main() -> int:
    try:
        summary, faults = audit(each="--each" in sys.argv)
    except RuntimeError as error:
        summary, faults = "the audit query failed", [str(error)]
    print(summary)
    for fault in faults:
        print("FAIL", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
