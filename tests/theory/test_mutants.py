"""Faults planted in the library, one at a time, make a law test fail (slow)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MUTANTS = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
CASES = [pytest.param(m, id=f"{i:02}-{m['file']}") for i, m in enumerate(MUTANTS)]


def copy_of_the_repository(root: Path) -> Path:
    """Package, law tests and proofs, without anything compiled."""
    ignore = shutil.ignore_patterns("__pycache__", "*.vo*", "*.glob", "*.aux")
    for name in ("hdpo_env", "tests/theory", "proofs"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, root / name)
    return root


def run(root: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Pytest in the copy; the copy's package comes before the installed one."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    env.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
def test_without_a_fault_the_copy_passes(tmp_path: Path) -> None:
    """The control: a copy that is not mutated is the one imported, and passes its tests."""
    root = copy_of_the_repository(tmp_path)
    where = "import hdpo_env; print(hdpo_env.__file__)"
    env = {**os.environ, "PYTHONPATH": str(root)}
    found = subprocess.run(
        [sys.executable, "-c", where], env=env, cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(root))
    done = run(root, *sorted({f"tests/theory/{m['tests']}" for m in MUTANTS}))
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", CASES)
def test_a_planted_fault_is_caught(mutant: dict[str, Any], tmp_path: Path) -> None:
    """The law tests of the faulty function fail (exit status 1: tests ran, and some failed)."""
    root = copy_of_the_repository(tmp_path)
    target = root / "hdpo_env" / mutant["file"]
    source = target.read_text()
    assert source.count(mutant["old"]) == 1, f"mutants.toml: {mutant['old']!r} no longer applies"
    target.write_text(source.replace(mutant["old"], mutant["new"]))
    done = run(root, f"tests/theory/{mutant['tests']}")
    assert done.returncode == 1, f"survived, or could not run:\n{done.stdout[-1500:]}{done.stderr}"


def test_there_are_enough_mutants() -> None:
    """At least forty faults, spread over the package."""
    assert len(MUTANTS) >= 40
    assert len({m["file"] for m in MUTANTS}) >= 12
