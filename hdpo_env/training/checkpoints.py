"""Checkpoints that survive kill -9: written aside, synced, then renamed into place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from hdpo_env.errors import CheckpointError

KEEP = 2  # the newest two: one may be lost to a full disk, not both


def save(run_dir: Path, step: int, state: dict[str, Any]) -> Path:
    """Write ``checkpoints/step_NNNNNN/state.pt`` atomically and drop all but the newest two."""
    folder = run_dir / "checkpoints"
    final, aside = folder / f"step_{step:06d}", folder / f".writing_{step:06d}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    with (aside / "state.pt").open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)
    for old in complete(run_dir)[:-KEEP]:
        shutil.rmtree(old)
    return final


def complete(run_dir: Path) -> list[Path]:
    """The finished checkpoints of a run, oldest first."""
    return sorted(p for p in (run_dir / "checkpoints").glob("step_*") if (p / "state.pt").exists())


def load_latest(run_dir: Path) -> dict[str, Any]:
    """The newest checkpoint that can be read; a damaged one is passed over for the one before.

    Raises:
        CheckpointError: there is none.
    """
    failures: list[str] = []
    for path in reversed(complete(run_dir)):
        try:
            return torch.load(path / "state.pt", map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can raise anything
            failures.append(f"{path.name}: {error}")
    detail = "; ".join(failures) or "no checkpoint was finished"
    raise CheckpointError(f"cannot resume {run_dir}: {detail}. Start it again without --resume")


def drop_lines_from(path: Path, step: int) -> None:
    """Keep the JSON lines of steps before ``step``; later ones and a torn last line go."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").split(
        "\n"
    ):  # splitlines would cut at a completion's U+2028
        try:
            if json.loads(line)["step"] < step:
                kept.append(line)
        except (json.JSONDecodeError, KeyError):
            continue
    aside = path.with_suffix(".writing")
    aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    os.replace(aside, path)
