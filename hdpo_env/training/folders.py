"""The folder of a run: which run it holds, and what may be deleted in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hdpo_env.config import TrainConfig, to_dict
from hdpo_env.errors import CheckpointError, ConfigError
from hdpo_env.training import checkpoints

# All that a run writes. Nothing else in its folder is ever touched.
OWNED = (
    *("config.json", "summary.json", "report.html"),
    *("metrics.jsonl", "groups.jsonl", "completions.jsonl", "eval.jsonl"),
    *("checkpoints", "ledger", "model", "tensorboard", "wandb"),
)

# A resumed run may go on longer, look oftener, or tread more softly after a loss that blew up.
MAY_CHANGE = ("steps", "checkpoint_every", "eval", "optim.lr", "algo.distill.weight")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that is there whole or not at all."""
    aside = path.with_name(f".{path.name}.writing")
    aside.write_text(json.dumps(value, indent=2))
    os.replace(aside, path)


def state_of(run_dir: Path, description: Mapping[str, Any]) -> str:
    """One of new, started, finished, after checking that the folder holds this very run.

    Raises:
        ConfigError: the folder holds files of something else.
        CheckpointError: the folder holds a run with other settings; the message names them.
    """
    written = run_dir / "config.json"
    if not written.exists() and run_dir.exists() and (alien := _aliens(run_dir)):
        raise ConfigError(
            f"{run_dir} is not the folder of a run: it holds {alien[0]!r}; choose another --out"
        )
    is_finished = _steps_done(run_dir) >= int(description["steps"])
    if not written.exists() or not (is_finished or checkpoints.complete(run_dir)):
        return "new"  # nothing that could be lost
    ours, usual = (json.loads(json.dumps(d)) for d in (description, to_dict(TrainConfig())))
    theirs = _completed(json.loads(written.read_text()), usual)
    if different := _differences(theirs, ours):
        raise CheckpointError(
            f"{run_dir} holds a run with other settings ({'; '.join(sorted(different)[:5])}): "
            "choose another --out, or --overwrite it"
        )
    return "finished" if is_finished else "started"


def clear(run_dir: Path) -> None:
    """Delete what a run writes, and only that."""
    for name in OWNED:
        path = run_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _aliens(run_dir: Path) -> list[str]:
    if not run_dir.is_dir():
        raise ConfigError(f"{run_dir} is a file: --out names the folder of the run")
    return sorted(p.name for p in run_dir.iterdir() if p.name not in OWNED)


def _steps_done(run_dir: Path) -> int:
    """The steps of a finished run, 0 of an unfinished one."""
    summary = run_dir / "summary.json"
    return json.loads(summary.read_text())["steps"] if summary.exists() else 0


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
