"""Keep STATEMENTS.txt: every statement and every definition, as Coq prints them.

The audit does not read: a theorem can be weakened, or a definition changed, and stay green. So
both are printed to one committed file; ``--check`` fails when Coq prints anything else, and the
difference shows in review.

    python3 tools/snapshot.py            write STATEMENTS.txt
    python3 tools/snapshot.py --check    compare and show the difference
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from coq import DEFINED, HOME, STATED, run_coq, theories

HEADER = """\
From Coq Require Import Reals List.
From Coquelicot Require Import Coquelicot.
Import ListNotations.
Open Scope R_scope.
Set Printing Width 110.
"""


def snapshot(root: Path = HOME) -> str:
    """The printed definitions and statements of all theories."""
    files = theories(root)
    imports = "From HDPO Require Import " + " ".join(f.path.stem for f in files) + ".\n"
    lines = ['Goal True. idtac "(* DEFINITIONS *)". Abort.']
    lines += [f"Print {name}." for f in files for name in f.names(DEFINED)]
    lines += ['Goal True. idtac "(* STATEMENTS *)". Abort.']
    lines += [f"Check @{name}." for f in files for name in f.names(STATED)]
    return run_coq(imports + HEADER + "\n".join(lines), root)


def main() -> int:
    target = HOME / "STATEMENTS.txt"
    printed = snapshot()
    if "--check" not in sys.argv:
        target.write_text(printed)
        print(f"wrote {target.name}: {len(printed.splitlines())} lines")
        return 0
    committed = target.read_text()
    difference = difflib.unified_diff(
        committed.splitlines(), printed.splitlines(), "committed", "printed by Coq", lineterm=""
    )
    for line in difference:
        print(line)
    if committed == printed:
        print(f"{target.name} is what Coq prints")
        return 0
    print("FAIL a statement or a definition changed: review it, then run tools/snapshot.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
