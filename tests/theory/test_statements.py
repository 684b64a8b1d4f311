"""statements.toml leads nowhere astray: theorem <-> law test <-> function, both ways."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hdpo_env import theory

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROOFS = ROOT / "proofs"
THEOREM = re.compile(r"\bS\d+_\w+")
SPEC = {f"S{i}" for i in range(1, 9)}  # section 5 of the project's specification

Markers = Mapping[str, frozenset[str]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return tomllib.loads((PROOFS / "statements.toml").read_text())


@pytest.fixture(scope="module")
def markers() -> dict[str, frozenset[str]]:
    """Test id -> the theorems its ``proves`` markers name."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{path.name}::{node.name}"] = frozenset(_proved(node))
    return found


def _proved(node: ast.FunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("proves"):
            yield from (ast.literal_eval(a) for a in decorator.args)


def is_there(function: str) -> bool:
    """Whether a dotted name leads to a public callable."""
    module, _, name = function.rpartition(".")
    try:
        return callable(getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError):
        return False


def faults(document: Mapping[str, Any], theorems: frozenset[str], markers: Markers) -> list[str]:
    """Every dangling cell, in words."""
    rows, untested = document["result"], document["untested"]
    found = [fault for row in rows for fault in row_faults(row, theorems, markers)]
    count = Counter(t for row in rows for t in row["theorems"])
    found += [f"{t}: in {n} rows" for t, n in count.items() if n > 1]
    found += [f"{t}: no row and no reason" for t in theorems - count.keys() - untested.keys()]
    found += [f"{t}: untested, yet in a row" for t in count.keys() & untested.keys()]
    found += [f"{t}: untested, yet no theorem" for t in untested.keys() - theorems]
    found += [f"{t}: untested without a reason" for t, why in untested.items() if len(why) < 20]
    listed = {test for row in rows for test in row["tests"]}
    found += [f"{test}: proves something, in no row" for test in markers if markers[test]
              and test not in listed]  # fmt: skip
    return found + [f"{spec}: not covered" for spec in SPEC - {row["id"] for row in rows}]


def row_faults(row: Mapping[str, Any], theorems: frozenset[str], markers: Markers) -> list[str]:
    empty = [k for k in ("id", "says", "paper", "theorems", "tests", "functions") if not row.get(k)]
    if empty:
        return [f"{row.get('says', row)}: empty cells {empty}"]
    found = [f"{t}: no such theorem" for t in row["theorems"] if t not in theorems]
    found += [f"{f}: no such function" for f in row["functions"] if not is_there(f)]
    found += [f"{t}: no such test" for t in row["tests"] if t not in markers]
    marked = {t for test in row["tests"] for t in markers.get(test, ())}
    found += [f"{t}: no test of its row is marked with it" for t in set(row["theorems"]) - marked]
    found += [
        f"{test}: marked with no theorem of its row"
        for test in row["tests"]
        if test in markers and not markers[test] & set(row["theorems"])
    ]
    return found


def test_no_cell_dangles(document, theorems, markers):
    """Every theorem has a law test that names it, run on a function that exists, and a source."""
    assert faults(document, theorems, markers) == []


PLANTED: dict[str, Any] = {
    "no such theorem": lambda d: d["result"][0]["theorems"].append("S1_uniqe"),
    "no such function": lambda d: d["result"][0]["functions"].append("hdpo_env.theory.gibs_policy"),
    "no such test": lambda d: d["result"][0]["tests"].append("test_gibbs.py::test_gone"),
    "no row and no reason": lambda d: d["result"].pop(),
    "empty cells": lambda d: d["result"][0].update(paper=""),
    "no test of its row is marked with it": lambda d: (
        d["result"][0]["tests"].clear()
        or d["result"][0]["tests"].append(d["result"][1]["tests"][0])
    ),
    "untested, yet no theorem": lambda d: d["untested"].update(S99_gone="a reason that is long"),
    "untested without a reason": lambda d: d["untested"].update(p2="later"),
    "in 2 rows": lambda d: d["result"][1]["theorems"].append("S1_unique"),
    "in no row": lambda d: d["result"].pop(),
    "not covered": lambda d: d["result"].__setitem__(
        slice(None), [r for r in d["result"] if r["id"] != "S6"]
    ),
}


@pytest.mark.parametrize("words", PLANTED)
def test_each_kind_of_dangling_cell_is_seen(words, document, theorems, markers):
    """Planted one at a time, every fault is reported in its own words."""
    broken = copy.deepcopy(document)
    PLANTED[words](broken)
    assert any(words in fault for fault in faults(broken, theorems, markers))


def test_docstrings_name_theorems_that_exist(theorems):
    """Every theorem that the package's code mentions is one, and theory.py's functions all do."""
    named = {
        (path.name, name)
        for path in (ROOT / "hdpo_env").rglob("*.py")
        for name in THEOREM.findall(path.read_text())
    }
    assert {name for _, name in named} <= theorems
    for name, function in inspect.getmembers(theory, inspect.isfunction):
        if name.startswith("_") or function.__module__ != theory.__name__:
            continue
        assert THEOREM.search(function.__doc__ or ""), f"{function.__name__} names no theorem"


@pytest.mark.parametrize("page", ["README.md", "PAPER_NOTES.md"])
def test_the_pages_name_theorems_that_exist(page, theorems):
    """A renamed theorem is renamed in the notes as well."""
    assert set(THEOREM.findall((PROOFS / page).read_text())) <= theorems


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the tools need tomllib")
def test_the_readme_holds_the_table(document):
    """README.md's results are statements.toml's."""
    results = importlib.import_module("results")
    assert results.table(document["result"]) in (PROOFS / "README.md").read_text()
