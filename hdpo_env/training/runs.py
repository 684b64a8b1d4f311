"""One run from a description that fits in a file: what to train, on what, from and into where."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from hdpo_env.config import TrainConfig, to_dict
from hdpo_env.errors import CheckpointError, ConfigError, ViewError
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.problems import PROBLEMS, load_problems
from hdpo_env.trainer import Trainer
from hdpo_env.training import checkpoints
from hdpo_env.training.stream import EpochStream, MixedStream
from hdpo_env.training.summary import run_summary
from hdpo_env.types import Problem, content_hash

log = logging.getLogger(__name__)

OnStep = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class SourceSpec:
    """Where problems come from: a family of ``PROBLEMS`` by name, or a file or hub id.

    ``part`` splits a file by hash into "train" (95 %) and "eval" (5 %), or takes "all" of it.
    """

    name: str
    field_map: str = "plain"
    split: str = "train"
    seed: int = 0
    size: int = 1000
    part: str = "all"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def problems(self) -> Sequence[Problem]:
        """Load or generate the problems.

        Raises:
            DataError: the file cannot be read.
        """
        if self.name in PROBLEMS:
            return PROBLEMS[self.name](
                split=self.split, seed=self.seed, size=self.size, **self.settings
            )  # type: ignore[return-value]
        report = load_problems(self.name, field_map=self.field_map, split=self.split)
        if report.bad_rows or report.num_skipped:
            log.warning("%s", report)
        return [p for p in report.problems if self.part in ("all", _part_of(p, self.seed))]


def _part_of(problem: Problem, seed: int) -> str:
    """95 % train, 5 % eval, by a hash of the problem's id (HDPO holds out 5 % with seed 42)."""
    return "eval" if int(content_hash(str(seed), problem.id), 16) % 20 == 0 else "train"


@dataclass(frozen=True)
class RunSpec:
    """Everything a run depends on; the same spec gives the same numbers."""

    variant: str
    config: TrainConfig
    run_dir: Path
    model: str
    train: Mapping[str, tuple[SourceSpec, int]]  # name -> (source, share of each batch)
    slices: Mapping[str, SourceSpec]
    wandb_project: str | None = None

    def describe(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        sources = {name: {**asdict(s), "share": share} for name, (s, share) in self.train.items()}
        return {
            "variant": self.variant,
            "model": self.model,
            "train": sources,
            "slices": {name: asdict(s) for name, s in self.slices.items()},
            **to_dict(self.config),
        }


def state_of(spec: RunSpec) -> str:
    """One of new, started, finished, after checking that the folder holds this very run.

    Raises:
        CheckpointError: the folder holds a run with other settings; the message names them.
    """
    written = spec.run_dir / "config.json"
    if not written.exists():
        return "new"
    ours = json.loads(json.dumps(spec.describe()))
    if different := sorted(_differences(json.loads(written.read_text()), ours)):
        raise CheckpointError(
            f"{spec.run_dir} holds a run with other settings ({'; '.join(different[:5])}): choose "
            "another --out, or --overwrite it"
        )
    if (spec.run_dir / "summary.json").exists():
        return "finished"
    return "started" if checkpoints.complete(spec.run_dir) else "new"


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for k in keys for d in _differences(old.get(k), new.get(k), f"{path}.{k}")]
    return [] if old == new else [f"{path.lstrip('.')}: {old!r} there, {new!r} now"]


def execute(
    spec: RunSpec,
    *,
    resume: bool = False,
    on_step: OnStep = lambda step, metrics: None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Train one run to its end, write ``summary.json`` and the model, and return the summary.

    Raises:
        ConfigError: no training problem can be shown in the view that the teacher needs.
        CheckpointError: ``resume`` was asked for and there is nothing to resume.
        TrainingError: the loss or gradient is not finite.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if not resume:
        shutil.rmtree(spec.run_dir, ignore_errors=True)
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    (spec.run_dir / "config.json").write_text(json.dumps(spec.describe(), indent=2))
    problems = {name: source.problems() for name, (source, _) in spec.train.items()}
    check_view(spec.config, [p for ps in problems.values() for p in ps[:200]])
    policy = HFPolicy.load(spec.model)
    seed = spec.config.seed
    stream = MixedStream(
        {
            name: (EpochStream(problems[name], seed), share)
            for name, (_, share) in spec.train.items()
        }
    )
    trainer = Trainer(
        spec.config,
        policy,
        stream,
        spec.run_dir,
        slices={name: source.problems() for name, source in spec.slices.items()},
        on_step=on_step,
        wandb_project=spec.wandb_project,
    )
    trainer.run(resume=resume)
    policy.save(spec.run_dir / "model")
    summary = run_summary(spec.run_dir, algo=spec.config.algo.name, variant=spec.variant, seed=seed)
    (spec.run_dir / "summary.json").write_text(json.dumps(summary, indent=2))
    return summary


def check_view(config: TrainConfig, problems: Sequence[Problem]) -> None:
    """Refuse a run whose teacher could never be shown anything.

    Raises:
        ConfigError: no problem has what the view needs.
    """
    distill = config.algo.distill
    if not distill.is_on:
        return
    failure = ""
    for problem in problems:
        try:
            privileged_prompt(problem, distill.view, config.rollout.teacher_template)
        except ViewError as error:
            failure = str(error)
        else:
            return
    raise ConfigError(
        f"no training problem can be shown in view {distill.view!r}: {failure or 'no problems'}"
    )
