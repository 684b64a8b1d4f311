"""Ties the tests to the proofs: ``@pytest.mark.proves("S2_TV")`` names the theorem a test runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROOFS = HERE.parent.parent / "proofs"
STATEMENTS = PROOFS / "STATEMENTS.txt"
# In importlib mode test modules cannot import their neighbours without this.
sys.path[:0] = [str(HERE), str(PROOFS / "tools")]


def theorem_names() -> frozenset[str]:
    """Every statement that Coq printed, by its short name."""
    text = STATEMENTS.read_text().partition("(* STATEMENTS *)")[2]
    return frozenset(re.findall(r"^@?([A-Za-z]\w*)$", text, flags=re.M))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "proves(*names): Coq theorems whose statement this test runs"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = theorem_names()
    for item in items:
        for mark in item.iter_markers("proves"):
            if unknown := sorted(set(mark.args) - known):
                raise pytest.UsageError(f"{item.nodeid} proves unknown theorems: {unknown}")


@pytest.fixture(scope="session")
def theorems() -> frozenset[str]:
    return theorem_names()
