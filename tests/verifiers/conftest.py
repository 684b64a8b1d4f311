"""Data and helpers of the verifier tests."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
REPO = HERE.parent.parent


def load(name: str, path: Path) -> ModuleType:
    """A module from a file that is in no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rewrites() -> ModuleType:
    """The generator of equivalent and of different spellings."""
    return load("verifier_rewrites", REPO / "benchmarks" / "verifier_rewrites.py")


@pytest.fixture(scope="session")
def fuzz() -> ModuleType:
    """The fuzzer."""
    return load("verifier_fuzz", REPO / "benchmarks" / "verifier_fuzz.py")


@pytest.fixture(scope="session")
def golds() -> list[str]:
    """Gold answers of every kind."""
    return (HERE / "data" / "golds.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def pairs() -> list[dict[str, Any]]:
    """Pairs labelled by hand."""
    text = (HERE / "data" / "pairs.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def naughty(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Verifiers that misbehave; importable here and, through sys.path, in workers."""
    monkeypatch.syspath_prepend(str(HERE / "helpers"))
    import naughty  # type: ignore[import-not-found]

    return naughty
