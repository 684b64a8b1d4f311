"""The map of the repository: rooms in the README, every file in docs/map.md.

Each line is the first line of a docstring. ``python -m benchmarks.readme_tree --write`` writes
both, and the table of ``benchmarks.readme_table``; a contract test fails while they differ.
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
    "docs/": "the recorded run behind the table and the picture above; the verifier; what one "
    "batch tells of a prior; a map of every file",
}


def summary(path: Path) -> str:
    """The first line of a module's docstring, without its final stop."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n")[0].rstrip(".")


def tree(*, files: bool) -> str:
    """Folders first as headings, files indented below them; without ``files`` only the rooms."""
    lines = []
    for package in PACKAGES:
        for folder in sorted({p.parent for p in (ROOT / package).rglob("*.py")}):
            depth = len(folder.relative_to(ROOT).parts) - 1
            if depth > 1 and not files:
                continue
            indent = "    " * depth
            init = folder / "__init__.py"
            lines.append(_line(f"{indent}{folder.name}/", summary(init) if init.exists() else ""))
            lines += [
                _line(f"{indent}    {path.name}", summary(path))
                for path in sorted(folder.glob("*.py"))
                if path.name != "__init__.py" and (files or not depth)
            ]
    lines += [_line(name, about) for name, about in PLAIN.items()]
    return "\n".join(lines)


def _line(name: str, about: str) -> str:
    return f"{name:<28}{about}".rstrip()


def filled(readme: str) -> str:
    """The README with its table and its tree made anew."""
    recorded = table(json.loads((ROOT / "docs" / "recorded.json").read_text()))
    readme = _between(readme, "table", recorded)
    return _between(readme, "tree", f"```text\n{tree(files=False)}\n```")


def whole_map() -> str:
    """The text of docs/map.md."""
    about = "Every file in a line, written by `python -m benchmarks.readme_tree --write`."
    return f"# Map\n\n{about}\n\n```text\n{tree(files=True)}\n```\n"


def _between(text: str, name: str, content: str) -> str:
    pattern = rf"(<!-- {name}: [^>]* -->\n).*?(<!-- /{name} -->)"
    return re.sub(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", text, flags=re.DOTALL)


def main() -> None:
    """Print the whole tree, or write README.md and docs/map.md."""
    path = ROOT / "README.md"
    if "--write" in sys.argv:
        path.write_text(filled(path.read_text()))
        (ROOT / "docs" / "map.md").write_text(whole_map())
    else:
        print(tree(files=True))


if __name__ == "__main__":
    main()
