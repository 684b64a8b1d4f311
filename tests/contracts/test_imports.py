"""What importing costs: no torch above the frontier, no sympy for the package itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hdpo_env

PACKAGE = Path(hdpo_env.__file__).parent
TORCH_FREE = [
    *("types", "errors", "config", "registry", "problems", "prompts", "verifiers", "privileged"),
    *("env", "rollouts", "stats", "advantages", "cliffs", "filters", "evaluation", "simulate"),
    *("feedback", "exports", "testing"),
]

PROGRAM = """
import importlib, pathlib, pkgutil, sys
package, *rooms = sys.argv[1:]
names = []
for room in rooms:
    name = f"{package}.{room}" if room else package
    module = importlib.import_module(name)
    names.append(name)
    paths = getattr(module, "__path__", []) if room else []
    names += [m.name for m in pkgutil.walk_packages(paths, name + ".")]
for name in names:
    importlib.import_module(name)
print(*sorted({"torch", "sympy", "transformers", "datasets"} & set(sys.modules)))
"""


def loaded_by(package: str, *rooms: str, path: Path | None = None) -> set[str]:
    """Which heavy packages a fresh interpreter has after importing these rooms, submodules too."""
    environment = {**os.environ, "PYTHONPATH": str(path or "")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, package, *rooms],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_itself_loads_nothing_heavy() -> None:
    """`import hdpo_env` brings neither torch nor sympy."""
    assert loaded_by("hdpo_env", "") == set()


def test_rooms_above_the_frontier_do_not_load_torch() -> None:
    """Importing every torch-free module, submodules included, leaves torch unloaded."""
    assert not loaded_by("hdpo_env", *TORCH_FREE) & {"torch", "transformers", "datasets"}


def test_the_check_can_fail(tmp_path: Path) -> None:
    """A stand-in package whose submodule imports torch is caught."""
    for folder in ("fake", "fake/room", "torch"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("", encoding="utf-8")
    assert loaded_by("fake", "room", path=tmp_path) == set()
    (tmp_path / "fake" / "room" / "hidden.py").write_text("import torch\n", encoding="utf-8")
    assert loaded_by("fake", "room", path=tmp_path) == {"torch"}


def test_every_public_name_is_there_and_described() -> None:
    """`__all__` is short, complete, without repeats, and each name has a docstring of its own."""
    names = hdpo_env.__all__
    assert len(names) == len(set(names)) < 25
    for name in names:
        assert getattr(hdpo_env, name).__doc__
        assert name in dir(hdpo_env)
    with pytest.raises(AttributeError, match="no attribute 'pass_at_j'"):
        hdpo_env.pass_at_j  # noqa: B018


@pytest.mark.parametrize("room", ["problems", "cliffs", "verifiers", "losses", "policies"])
def test_the_exports_of_a_folder_exist(room: str) -> None:
    """Names in a folder's `__all__` can be imported and are its own."""
    module = __import__(f"hdpo_env.{room}", fromlist=["__all__"])
    for name in getattr(module, "__all__", []):
        assert getattr(module, name) is not None


def test_the_lazy_table_and_the_type_checkers_view_agree() -> None:
    """Each public name resolves to the object in the module that the source says it is from."""
    import ast

    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    stated = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hdpo_env.")
        for alias in node.names
    }
    assert set(stated) == set(hdpo_env.__all__)
    for name, home in stated.items():
        module = __import__(str(home), fromlist=[name])
        assert getattr(hdpo_env, name) is getattr(module, name)
