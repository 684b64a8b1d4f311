"""What a reader can hold at once: how long a file and a function may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FILE, FUNCTION = 400, 45  # lines; of a function from its `def` on, docstring and signature included


def too_long(folder: Path) -> Iterator[str]:
    """Each file and each function of a folder, nested ones too, that is over its limit."""
    for path in sorted(folder.rglob("*.py")):
        text, where = path.read_text(encoding="utf-8"), path.relative_to(folder)
        if (lines := len(text.splitlines())) > FILE:
            yield f"{where}: {lines} lines, a file has {FILE} at most: split it"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION:
                    place = f"{where}:{node.lineno}: {node.name}"
                    yield f"{place}: {lines} lines, a function has {FUNCTION} at most: name a step"


@pytest.mark.parametrize("folder", ["hdpo_env", "plugins", "benchmarks", "examples"])
def test_files_and_functions_are_short(folder: str) -> None:
    """No file over 400 lines, no function over 45."""
    assert list(too_long(REPOSITORY / folder)) == []


@pytest.mark.parametrize("head", ["def f():", "async def f():", "class A:\n  def f(self):"])
@pytest.mark.parametrize("over", [False, True])
def test_the_function_limit_can_fail(tmp_path: Path, head: str, over: bool) -> None:
    """A function of 45 lines passes and one more line is found, nested in a class too."""
    body = "\n".join(["    x = 1"] * (FUNCTION - 1 + over))
    (tmp_path / "a.py").write_text(f"{head}\n{body}\n", encoding="utf-8")
    found = list(too_long(tmp_path))
    assert len(found) == over
    assert all(": f: 46 lines" in fault for fault in found)


@pytest.mark.parametrize("over", [False, True])
def test_the_file_limit_can_fail(tmp_path: Path, over: bool) -> None:
    """A file of 400 lines passes and one more line is found, in a folder below too."""
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("x = 1\n" * (FILE + over), encoding="utf-8")
    found = list(too_long(tmp_path))
    assert len(found) == over
    assert all(fault.startswith("room/a.py: 401 lines") for fault in found)
