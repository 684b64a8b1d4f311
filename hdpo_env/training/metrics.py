"""Where numbers go: JSON lines always, TensorBoard if installed, W&B if asked for.

Keys are ``room/metric``; a metric that a step does not have is absent from its line.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hdpo_env.errors import MissingDependencyError


class MetricsWriter:
    """Appends one line a step to ``metrics.jsonl`` and mirrors the numbers to dashboards."""

    def __init__(self, run_dir: Path, *, wandb_project: str | None = None) -> None:
        self.run_dir = run_dir
        self._started: float | None = None
        self._tensorboard = _tensorboard(run_dir)
        self._wandb = _wandb(run_dir, wandb_project)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of one step; NaN and infinities become absent."""
        finite = {k: v for k, v in metrics.items() if math.isfinite(v)}
        if self._started is None:  # a resumed run's clock goes on
            self._started = time.monotonic() - _last_time(self.run_dir / "metrics.jsonl")
        elapsed = round(time.monotonic() - self._started, 3)
        self.rows("metrics.jsonl", [{"step": step, "time_s": elapsed, **finite}])
        if self._tensorboard is not None:
            for name, value in finite.items():
                self._tensorboard.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(finite, step=step)

    def rows(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to another JSON-lines file of the run."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with (self.run_dir / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def close(self) -> None:
        """Flush the dashboards."""
        if self._tensorboard is not None:
            self._tensorboard.close()
        if self._wandb is not None:
            self._wandb.finish()


def _last_time(path: Path) -> float:
    """``time_s`` of the last line, 0 without one."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return json.loads(lines[-1])["time_s"] if lines else 0.0


def _tensorboard(run_dir: Path) -> Any | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(run_dir / "tensorboard")


def _wandb(run_dir: Path, project: str | None) -> Any | None:
    return (
        None
        if project is None
        else require_wandb().init(project=project, name=run_dir.name, dir=run_dir)
    )


def require_wandb() -> Any:
    """The wandb module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise MissingDependencyError(
            "--wandb needs the wandb package: pip install 'hdpo_env[wandb]', or leave it out"
        ) from error
    return wandb
