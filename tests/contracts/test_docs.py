"""Every example in a docstring and in the README runs and says what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import hdpo_env

PACKAGE = Path(hdpo_env.__file__).parent
README = PACKAGE.parent / "README.md"
DOCS = PACKAGE.parent / "docs"
MODULES = ["hdpo_env", *(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "hdpo_env."))]


def readme_blocks(text: str) -> list[str]:
    """The python blocks of a markdown text, in order."""
    return re.findall(r"^```(?:python|pycon)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def failures(module: object, name: str) -> int:
    """Number of examples of a module that do not give what they show."""
    return doctest.testmod(module, verbose=False, optionflags=doctest.ELLIPSIS).failed  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    """What the docstrings show is what happens."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"needs an optional package: {error}")
    assert failures(module, name) == 0


def test_readme_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's python blocks run top to bottom in one session; prompts are compared."""
    if not README.exists():
        pytest.skip("no README in this installation")
    monkeypatch.chdir(tmp_path)
    assert failed_in_blocks(README.read_text(encoding="utf-8")) == 0


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_examples_of_pages_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So do the blocks of every page in docs/."""
    monkeypatch.chdir(tmp_path)
    assert failed_in_blocks((DOCS / page).read_text(encoding="utf-8")) == 0


def test_the_page_on_the_verifier_has_examples() -> None:
    """Outcomes, extraction, tolerances, refused golds and the pool are each shown by a block."""
    if not DOCS.exists():
        pytest.skip("no docs in this installation")
    assert len(readme_blocks((DOCS / "verifier.md").read_text(encoding="utf-8"))) >= 5


def failed_in_blocks(text: str) -> int:
    """Run blocks in one namespace: those with prompts as doctests, the others as programs.

    How many lines with prompts gave something else than they show; a program that fails raises.
    """
    scope: dict[str, object] = {"__name__": "readme"}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for number, block in enumerate(readme_blocks(text)):
        if ">>>" in block:
            test = parser.get_doctest(block, scope, f"block {number}", None, None)
            runner.run(test, clear_globs=False)
            scope.update(test.globs)
        else:
            exec(compile(block, f"README block {number}", "exec"), scope)
    return runner.summarize(verbose=False).failed


def test_the_readme_check_can_fail() -> None:
    """A wrong example and a broken program are both caught."""
    assert failed_in_blocks("```python\nx = 2\n```\n```python\n>>> x + 1\n3\n```\n") == 0
    assert failed_in_blocks("```python\n>>> 1 + 1\n3\n```\n") == 1
    with pytest.raises(NameError):
        failed_in_blocks("```python\nundefined_name\n```\n")
