"""The README's tree: one line a file, taken from the first line of its docstring.

``python -m benchmarks.readme_tree --write`` puts it, and the table of ``benchmarks.readme_table``,
into README.md; a contract test fails while the README says something else.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

from benchmarks.readme_table import table

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hdpo_env", "plugins")
PLAIN = {
    "tests/": "numbers by hand, laws (Hypothesis) and slow oracles, one file a module",
    "proofs/": "the theory in Coq, its audit, and what ties each theorem to a test",
    "benchmarks/": "ratios within one run: `make bench`",
    "examples/": "runnable scripts",
    "docs/": "the recorded run behind the table and the picture above",
}


def summary(path: Path) -> str:
    """The first line of a module's docstring, without its final stop."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n")[0].rstrip(".")


def tree() -> str:
    """Folders first as headings, files indented below them, in reading order."""
    lines = []
    for package in PACKAGES:
        for folder in sorted({p.parent for p in (ROOT / package).rglob("*.py")}):
            depth = len(folder.relative_to(ROOT).parts) - 1
            indent = "    " * depth
            init = folder / "__init__.py"
            lines.append(
                f"{indent}{folder.name}/".ljust(28) + (summary(init) if init.exists() else "")
            )
            lines += [
                f"{indent}    {path.name}".ljust(28) + summary(path)
                for path in sorted(folder.glob("*.py"))
                if path.name != "__init__.py"
            ]
    lines += [name.ljust(28) + about for name, about in PLAIN.items()]
    return "\n".join(line.rstrip() for line in lines)


def filled(readme: str) -> str:
    """The README with its table and its tree made anew."""
    recorded = table(json.loads((ROOT / "docs" / "recorded.json").read_text()))
    readme = _between(readme, "table", recorded)
    return _between(readme, "tree", f"```text\n{tree()}\n```")


def _between(text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- {name}: [^>]* -->\n).*?(<!-- /{name} -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", text, flags=re.DOTALL)


def main() -> None:
    """Print the tree, or write README.md."""
    path = ROOT / "README.md"
    if "--write" in sys.argv:
        path.write_text(filled(path.read_text()))
    else:
        print(tree())


if __name__ == "__main__":
    main()
