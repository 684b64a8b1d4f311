"""What the audit and the snapshot share: which files, which names, and one run of coqc."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
STATED = r"Theorem|Corollary|Proposition|Fact|Example"
PROVED = STATED + r"|Lemma|Remark|Property"
DEFINED = r"Definition|Fixpoint"


@dataclass(frozen=True)
class Theory:
    """One file of theories/, with its source free of comments and strings."""

    path: Path
    source: str

    def names(self, kinds: str) -> list[str]:
        """Module-qualified names introduced by one of ``kinds``, in order."""
        found = re.findall(rf"\b(?:{kinds})\s+([\w']+)", self.source)
        return [f"{self.path.stem}.{name}" for name in found]


def theories(root: Path = HOME) -> list[Theory]:
    """The files that _CoqProject lists, in its order."""
    listed = [line.strip() for line in (root / "_CoqProject").read_text().splitlines()]
    paths = [root / line for line in listed if line.endswith(".v")]
    return [Theory(path, strip_comments(path.read_text())) for path in paths]


def strip_comments(text: str) -> str:
    """``text`` without Coq's nested comments and strings; line breaks stay.

    >>> strip_comments('a (* b (* c *) *) "d" e')
    'a   e'
    """
    kept, depth, in_string, i = [], 0, False, 0
    while i < len(text):
        two = text[i : i + 2]
        if text[i] == '"' and depth == 0:
            in_string = not in_string
        elif not in_string and two in ("(*", "*)") and (two == "(*" or depth):
            depth += 1 if two == "(*" else -1
            i += 1
        elif (depth == 0 and not in_string) or text[i] == "\n":
            kept.append(text[i])
        i += 1
    return "".join(kept)


def run_coq(body: str, root: Path = HOME) -> str:
    """What coqc prints for ``body`` after all theories are loaded.

    Raises:
        RuntimeError: coqc refuses the script; the message is coqc's.
    """
    stems = " ".join(theory.path.stem for theory in theories(root))
    script = f"From HDPO Require {stems}.\n{body}\n"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "Query.v"
        source.write_text(script)
        command = ["coqc", "-w", "none", "-Q", str(root / "theories"), "HDPO", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"coqc refused the query: {(done.stderr or done.stdout)[-4000:]}")
    return done.stdout
