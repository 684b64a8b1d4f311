"""What in a run's folder is the run's own: only that may be replaced or deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from hdpo_env.errors import ConfigError

# All that a run writes, by the name or folder it has in the run's folder.
OWNED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("config.json", "summary.json", "report.html"), ()),
    **dict.fromkeys(("metrics.jsonl", "groups.jsonl", "completions.jsonl", "eval.jsonl"), ()),
    "checkpoints": ("step_*/state.pt", ".writing_*/state.pt"),
    "ledger": ("*.events", "*.names.jsonl"),
    "model": (
        *("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.*"),
        *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "*.jinja"),
        *("vocab.*", "merges.txt"),
    ),
    "tensorboard": ("events.out.tfevents.*",),
    "wandb": ("**/*",),
}
# The keys of our config.json; no other program's has them all.
_MARK = {"variant", "model", "train", "slices", "algo", "rollout", "optim", "steps", "seed"}


def is_run(folder: Path) -> bool:
    """Whether a folder carries the mark of a run: a ``config.json`` with our settings in it."""
    try:
        written = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return (
        isinstance(written, dict)
        and written.keys() >= _MARK
        and all(isinstance(written[name], dict) for name in ("train", "slices", "algo", "rollout"))
    )


def check_folder(run_dir: Path) -> None:
    """Refuse a folder that holds anything, unless it is the folder of a run.

    Raises:
        ConfigError: it is a file, or the folder of something else.
    """
    if run_dir.exists() and not run_dir.is_dir():
        raise ConfigError(f"{run_dir} is a file: --out names the folder of the run")
    if not run_dir.exists() or is_run(run_dir):
        return
    if alien := sorted(p.name for p in run_dir.iterdir() if p.name != ".config.json.writing"):
        raise ConfigError(
            f"{run_dir} is not the folder of a run: it holds {alien[0]!r} and no config.json of "
            "hdpo train; choose another --out"
        )


def check_inputs(run_dir: Path, inputs: Iterable[str | Path]) -> None:
    """Refuse a run in whose folder one of the things that it reads lies.

    Raises:
        ConfigError: an input is the folder, or lies in it or in a folder it links to.
    """
    places = [run_dir.resolve(), *((run_dir / name).resolve() for name in OWNED)]
    for name in inputs:
        path = Path(name)
        if path.exists() and any(path.resolve().is_relative_to(place) for place in places):
            raise ConfigError(
                f"{name} is read and lies in {run_dir}, where the run writes: choose another --out"
            )


def clear(run_dir: Path) -> None:
    """Delete what a run has written, and only that; a person's files beside it stay.

    ``config.json`` stays too, until the next run's replaces it: without it the folder would not be
    known again as a run's, should we be stopped half way.
    """
    for name, patterns in OWNED.items():
        path = run_dir / name
        if path.is_symlink() or path.is_file():
            if name != "config.json":
                path.unlink()
        elif path.is_dir():
            _empty(path, patterns)


def _empty(folder: Path, patterns: Iterable[str]) -> None:
    for path in [p for pattern in patterns for p in folder.glob(pattern)]:
        if path.is_symlink() or path.is_file():
            path.unlink(missing_ok=True)
    for where, _, _ in os.walk(folder, topdown=False):
        if not any(Path(where).iterdir()):
            Path(where).rmdir()
