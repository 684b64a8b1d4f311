"""The direction of imports: a module imports only from levels above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hdpo_env

PACKAGE = Path(hdpo_env.__file__).parent

# The table of the design, from the top down. A room is a module or a folder directly inside the
# package. Where one room of a level of the design builds on another, they stand on two lines here.
TABLE = [
    {"errors"},
    {"types"},
    {"config", "registry"},
    {"prompts", "verifiers", "feedback"},
    {"problems"},
    {"privileged", "env", "overlap"},
    {"rollouts", "stats", "advantages", "theory", "exports"},
    {"cliffs", "filters"},
    {"evaluation", "simulate", "hosting", "difficulty"},
    # torch begins here
    {"losses", "batching"},
    {"policies"},
    {"report", "trainer"},
    {"testing", "conformance", "demo"},
    {"targets"},
    {"commands", "pytest_plugin"},
    {"cli"},
]
ONE_ROOM = {"training": "trainer"}  # the loop and its parts, in a folder beside it
LEVEL = {room: level for level, rooms in enumerate(TABLE) for room in rooms}
FRONTIER = LEVEL["losses"]


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that is imported, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from hdpo_env import errors` imports the module hdpo_env.errors
            bare = node.module == "hdpo_env"
            names = [f"hdpo_env.{a.name}" for a in node.names] if bare else [node.module]
            yield from ((node.lineno, name) for name in names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "a relative import"


def room_of(name: str) -> str:
    """The room that a module or folder belongs to."""
    return ONE_ROOM.get(name, name)


def violations(package: Path) -> list[str]:
    """Each import that goes the wrong way, with its place and the rule."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path.relative_to(package).parts[0].removesuffix(".py"))
        if room == "__init__":
            continue  # the facade names the public API; it loads nothing by itself
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            if fault := wrong_way(room, name):
                found.append(f"{path.relative_to(package)}:{line}: {fault}")
    return found


def wrong_way(room: str, name: str) -> str | None:
    """Why this room may not import this module, or None."""
    if name == "a relative import":
        return "relative imports hide the direction: write the full name"
    top, _, rest = name.partition(".")
    if room not in LEVEL:
        return f"room {room!r} has no level: add it to the table"
    if top in ("torch", "transformers", "jaxtyping") and LEVEL[room] < FRONTIER:
        return f"{room} is above the torch frontier and imports {top}"
    if top in ("hdpo_plugins", "tests", "examples", "benchmarks"):
        return f"{room} imports {top}: nothing of ours may depend on what is outside"
    if top != "hdpo_env" or not rest:
        return None
    other = room_of(rest.split(".")[0])
    if other == room:
        return None
    if room == "losses":
        return f"losses import nothing of ours, and this is {name}"
    if LEVEL.get(other, 99) >= LEVEL[room]:
        return f"{room} (level {LEVEL[room]}) imports {other} (level {LEVEL.get(other)})"
    return None


def test_imports_go_one_way() -> None:
    """No module of the package breaks the table."""
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("path", "code", "fault"),
    [
        ("types.py", "from hdpo_env.stats import x", "types (level 1) imports stats (level 6)"),
        ("filters.py", "import hdpo_env.cliffs.groups", "filters (level 7) imports cliffs"),
        ("cliffs/a.py", "def f():\n    from hdpo_env import trainer", "cliffs/a.py:2: cliffs"),
        ("env.py", "import torch.nn", "above the torch frontier and imports torch"),
        ("losses/a.py", "from hdpo_env.errors import X", "losses import nothing of ours"),
        ("problems/a.py", "from .family import Family", "relative imports hide"),
        ("novel.py", "import json", "room 'novel' has no level"),
        ("trainer.py", "import hdpo_plugins.trl", "imports hdpo_plugins"),
        ("training/a.py", "from hdpo_env.demo import X", "trainer (level 11) imports demo"),
        ("prompts.py", "from hdpo_env.problems import X", "imports problems (level 4)"),
    ],
)
def test_the_rule_can_fail(tmp_path: Path, path: str, code: str, fault: str) -> None:
    """A planted violation is found, also inside a function."""
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(code, encoding="utf-8")
    [found] = violations(tmp_path)
    assert fault in found


def test_downward_imports_are_allowed(tmp_path: Path) -> None:
    """Imports from above, from the own room and from third parties are no violations."""
    (tmp_path / "filters.py").write_text(
        "import numpy\nfrom hdpo_env.types import Group\nfrom hdpo_env.privileged import V\n",
        encoding="utf-8",
    )
    (tmp_path / "losses").mkdir()
    (tmp_path / "losses" / "a.py").write_text("import torch\nfrom hdpo_env.losses.b import c\n")
    assert violations(tmp_path) == []


def test_only_the_privileged_room_reads_what_the_teacher_knows() -> None:
    """`prompts` never touches gold, answers, solution or hints of a problem."""
    tree = ast.parse((PACKAGE / "prompts.py").read_text(encoding="utf-8"))
    touched = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not touched & {"gold", "answers", "solution", "hints"}


PLUGINS = PACKAGE.parent / "plugins"
NOT_FOR_PLUGINS = ("trainer", "training", "demo", "commands", "cli")


def plugin_violations(plugins: Path) -> list[str]:
    """Each import of an adapter that reaches our trainer or another host's adapter."""
    found = []
    for path in sorted(plugins.rglob("*.py")):
        host = path.relative_to(plugins).parts[0]
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            parts = [*name.split("."), "", ""]
            if parts[0] == "hdpo_env" and parts[1] in NOT_FOR_PLUGINS:
                found.append(f"{path.relative_to(plugins)}:{line}: an adapter imports {name}")
            if parts[0] == "hdpo_plugins" and parts[1] not in ("", host):
                found.append(f"{path.relative_to(plugins)}:{line}: host {host} imports {name}")
            if name == "a relative import":
                found.append(f"{path.relative_to(plugins)}:{line}: write the full name")
    return found


def test_adapters_stand_outside() -> None:
    """Adapters import the library, never its trainer, and never each other."""
    assert plugin_violations(PLUGINS) == []


@pytest.mark.parametrize(
    "code", ["from hdpo_env.trainer import train", "import hdpo_plugins.verl.x", "from . import y"]
)
def test_the_rule_for_adapters_can_fail(tmp_path: Path, code: str) -> None:
    """A planted violation in an adapter is found."""
    (tmp_path / "trl").mkdir()
    (tmp_path / "trl" / "a.py").write_text(f"def f():\n    {code}\n", encoding="utf-8")
    assert len(plugin_violations(tmp_path)) == 1
