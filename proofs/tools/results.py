"""Write README.md's table of results from statements.toml.

python3 tools/results.py            write the table between the two markers
python3 tools/results.py --check    fail if README.md holds another one
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomllib
from coq import STATED, theories

HOME = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- results: written by tools/results.py -->\n", "<!-- end of results -->"


def table(results: list[Mapping[str, Any]], root: Path = HOME) -> str:
    """One row a result: sentence, theorems linked to their file, tests, functions, source."""
    qualified = [name for theory in theories(root) for name in theory.names(STATED)]
    home = {name: f"{file}.v" for file, _, name in (q.partition(".") for q in qualified)}
    lines = ["| | result | theorems | law tests | functions | paper |", "|---|---|---|---|---|---|"]
    for row in results:
        theorems = ", ".join(f"[{n}](theories/{home[n]})" for n in row["theorems"])
        tests = ", ".join(_test_link(test) for test in row["tests"])
        functions = ", ".join(f"`{f.removeprefix('hdpo_env.')}`" for f in row["functions"])
        cells = (row["id"], row["says"].replace("|", "\\|"), theorems, tests, functions)
        lines.append(f"| {' | '.join(cells)} | {row['paper']} |")
    return "\n".join(lines) + "\n"


def _test_link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/theory/{file})"


def main() -> int:
    readme = HOME / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    results = tomllib.loads((HOME / "statements.toml").read_text())["result"]
    wanted = before + BEGIN + table(results) + END + after
    if "--check" not in sys.argv:
        readme.write_text(wanted)
        return 0
    if wanted != text:
        print("FAIL README.md's table is not statements.toml's: run tools/results.py")
    return int(wanted != text)


if __name__ == "__main__":
    sys.exit(main())
