"""The folder of a run: which run it holds, and whether that goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hdpo_env.config import TrainConfig, to_dict
from hdpo_env.errors import CheckpointError, ConfigError
from hdpo_env.training import checkpoints, owned

# A resumed run may go on longer, look oftener, or tread more softly after a loss that blew up.
MAY_CHANGE = ("steps", "checkpoint_every", "eval", "optim.lr", "algo.distill.weight")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that is there whole or not at all."""
    aside = path.with_name(f".{path.name}.writing")
    aside.write_text(json.dumps(value, indent=2), encoding="utf-8")
    os.replace(aside, path)


def state_of(run_dir: Path, description: Mapping[str, Any]) -> str:
    """One of new, started, finished, after checking that the folder holds this very run.

    Raises:
        ConfigError: the folder holds files of something else, or more steps are done than wanted.
        CheckpointError: the folder holds a run with other settings; the message names them.
    """
    owned.check_folder(run_dir)
    written = run_dir / "config.json"
    is_finished = _steps_done(run_dir) >= int(description["steps"])
    if not written.exists() or not (is_finished or checkpoints.complete(run_dir)):
        return "new"  # nothing that could be lost
    ours, usual = (json.loads(json.dumps(d)) for d in (description, to_dict(TrainConfig())))
    theirs = _completed(json.loads(written.read_bytes()), usual)
    if different := _differences(theirs, ours):
        raise CheckpointError(
            f"{run_dir} holds a run with other settings ({'; '.join(sorted(different)[:5])}): "
            "choose another --out, or --overwrite it"
        )
    if is_finished:
        return "finished"
    check_steps(run_dir, int(description["steps"]))
    return "started"


def check_steps(run_dir: Path, steps: int) -> None:
    """Refuse to resume a run that has already gone further than it shall.

    Raises:
        ConfigError: a checkpoint is of a later step.
    """
    saved = checkpoints.complete(run_dir)
    done = int(saved[-1].name.removeprefix("step_")) if saved else 0
    if done > steps:
        raise ConfigError(
            f"--steps is {steps}, but {run_dir} has done {done}: choose --steps {done} or more"
        )


def _steps_done(run_dir: Path) -> int:
    """The steps of a finished run, 0 of an unfinished one."""
    summary = run_dir / "summary.json"
    return json.loads(summary.read_bytes())["steps"] if summary.exists() else 0


def _completed(old: Any, usual: Any) -> Any:
    # A run from before a setting existed did what is now its default.
    if not (isinstance(old, dict) and isinstance(usual, dict)):
        return old
    return usual | {name: _completed(value, usual.get(name)) for name, value in old.items()}


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if path in MAY_CHANGE:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(old.get(k), new.get(k), f"{path}.{k}".lstrip(".")) for k in {*old, *new}]
        return [d for before, now, where in pairs for d in _differences(before, now, where)]
    return [] if old == new else [f"{path}: {old!r} there, {new!r} now"]
