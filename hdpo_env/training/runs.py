"""One run from a description that fits in a file: what to train, on what, from and into where."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from hdpo_env.config import TrainConfig, to_dict
from hdpo_env.errors import ConfigError, DataError, ViewError
from hdpo_env.policies.hf import HFPolicy, check_place
from hdpo_env.privileged import PRIVILEGED_TEMPLATES, VIEWS, privileged_prompt, quotes_rollouts
from hdpo_env.problems import PROBLEMS, FieldMap, gold_fault, load_problems
from hdpo_env.prompts import TEMPLATES, student_prompt
from hdpo_env.trainer import Trainer
from hdpo_env.training import folders, owned
from hdpo_env.training.metrics import require_wandb
from hdpo_env.training.stream import MixedStream, make_stream
from hdpo_env.training.summary import run_summary
from hdpo_env.types import Problem, content_hash

log = logging.getLogger(__name__)

OnStep = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class SourceSpec:
    """Where problems come from: a family of ``PROBLEMS`` by name, or a file or hub id.

    ``part`` splits a file by hash into "train" (95 %) and "eval" (5 %), or takes "all" of it.
    ``strict`` refuses a file with a bad row, which is else left out with a warning.
    """

    name: str
    field_map: str = "plain"
    split: str = "train"
    seed: int = 0
    size: int = 1000
    part: str = "all"
    settings: Mapping[str, Any] = field(default_factory=dict)
    strict: bool = False

    def problems(self) -> Sequence[Problem]:
        """Load or generate the problems.

        Raises:
            DataError: the file cannot be read, or ``strict`` and a row of it is bad.
        """
        if self.name in PROBLEMS:
            return PROBLEMS[self.name](
                split=self.split, seed=self.seed, size=self.size, **self.settings
            )  # type: ignore[return-value]
        report = load_problems(
            self.name,
            field_map=self.field_map,
            split=self.split,
            strict=self.strict,
            check=gold_fault,
        )
        if report.bad_rows or report.num_skipped:
            log.warning("%s: %s", self.name, report.listing())
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
    sampler: str = "hf"  # who generates: "hf" (this process) or "vllm" (its engine)

    def describe(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        sources = {name: {**asdict(s), "share": share} for name, (s, share) in self.train.items()}
        return {
            "variant": self.variant,
            "model": self.model,
            "sampler": self.sampler,
            "train": sources,
            "slices": {name: asdict(s) for name, s in self.slices.items()},
            **to_dict(self.config),
        }

    def check_out(self) -> None:
        """Refuse a run that would overwrite what it reads, or what no run has written.

        Raises:
            ConfigError: the model or data lies in ``run_dir``, or that is no run's folder.
        """
        sources = [*(source for source, _ in self.train.values()), *self.slices.values()]
        owned.check_inputs(self.run_dir, [self.model, *(source.name for source in sources)])
        owned.check_folder(self.run_dir)


def execute(
    spec: RunSpec,
    *,
    resume: bool = False,
    on_start: Callable[[], None] = lambda: None,
    on_step: OnStep = lambda step, metrics: None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Train one run to its end, write ``summary.json`` and the model, and return the summary.

    ``on_start`` is called once all is loaded and nothing can be refused any more.

    Raises:
        ConfigError: nothing can be taught, the folder is not the run's, or --steps is past.
        RegistryError: a view, template or field map has an unknown name.
        DataError: a source holds no problem, or none whose prompt fits.
        CheckpointError: ``resume`` was asked for and there is nothing to resume.
        TrainingError: the loss or gradient is not finite.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    policy, stream, slices = _loaded(spec)
    if resume:
        folders.check_steps(spec.run_dir, spec.config.steps)
    else:
        owned.clear(spec.run_dir)
    on_start()
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    folders.write_json(spec.run_dir / "config.json", spec.describe())
    trainer = Trainer(
        spec.config,
        policy,
        stream,
        spec.run_dir,
        slices=slices,
        on_step=on_step,
        wandb_project=spec.wandb_project,
    )
    trainer.run(resume=resume)
    policy.save(spec.run_dir / "model")
    named = {"algo": spec.config.algo.name, "variant": spec.variant, "seed": spec.config.seed}
    summary = run_summary(spec.run_dir, **named)
    folders.write_json(spec.run_dir / "summary.json", summary)
    return summary


def _loaded(spec: RunSpec) -> tuple[HFPolicy, MixedStream, dict[str, Sequence[Problem]]]:
    """Everything that can be refused, before anything on disk is touched, cheapest first."""
    check_names(spec)
    spec.check_out()
    train = {name: _given(name, source) for name, (source, _) in spec.train.items()}
    slices = {name: _given(name, source) for name, source in spec.slices.items()}
    policy = _policy(spec)
    train = {name: _fitting(name, given, policy, spec.config) for name, given in train.items()}
    slices = {name: _fitting(name, given, policy, spec.config) for name, given in slices.items()}
    check_teachable(spec.config, [p for problems in train.values() for p in problems])
    stream = _stream(spec, train)
    if spec.wandb_project is not None:
        require_wandb()
    return policy, stream, slices


def _policy(spec: RunSpec) -> HFPolicy:
    if spec.sampler == "hf":
        return HFPolicy.load(spec.model)
    from hdpo_env.policies.vllm import VLLMPolicy

    return VLLMPolicy.load(spec.model)


def check_names(spec: RunSpec) -> None:
    """Refuse what is misspelt before anything is loaded.

    Raises:
        RegistryError: a view, template or field map has an unknown name.
        ConfigError: the model is neither a folder nor a hub id, or a field map cannot be read.
    """
    rollout = spec.config.rollout
    for view in (spec.config.algo.distill.view, *spec.config.algo.distill.fade):
        VIEWS[view]
    TEMPLATES[rollout.template]
    PRIVILEGED_TEMPLATES[rollout.teacher_template]
    for source in (*(source for source, _ in spec.train.values()), *spec.slices.values()):
        FieldMap.parse(source.field_map)
    check_place(spec.model)


def _given(name: str, source: SourceSpec) -> Sequence[Problem]:
    """The problems of a source.

    Raises:
        DataError: there are none.
    """
    problems = source.problems()
    part = "" if source.part == "all" else f", part {source.part!r} of a 95/5 split"
    if not len(problems):
        raise DataError(
            f"there are no problems for {name!r} ({source.name}{part}): give more, or --eval-data"
        )
    return problems


def _fitting(
    name: str, problems: Sequence[Problem], policy: HFPolicy, config: TrainConfig
) -> Sequence[Problem]:
    """The problems whose prompts fit. Generated ones are judged by their first.

    Raises:
        DataError: nothing is left.
    """
    rollout, positions = config.rollout, policy.max_positions
    room = rollout.max_prompt_tokens
    limits = f"--rollout.max-prompt-tokens is {room}"
    if positions is not None:
        room = min(room, positions - rollout.max_tokens)
        limits += (
            f", and the model's context of {positions} tokens must hold the prompt and "
            f"--rollout.max-tokens, which is {rollout.max_tokens}"
        )
    is_listed = isinstance(problems, (list, tuple))
    tried = problems if is_listed else [problems[0]]
    lengths = [len(policy.encode(student_prompt(p, rollout.template))) for p in tried]
    if min(lengths) > room:
        raise DataError(f"no prompt of {name!r} fits: the shortest has {min(lengths)}; {limits}")
    if not is_listed:
        return problems
    kept = [p for p, length in zip(problems, lengths, strict=True) if length <= room]
    if dropped := len(problems) - len(kept):
        log.warning("%d of %d problems have too long a prompt", dropped, len(problems))
    return kept


def _stream(spec: RunSpec, train: Mapping[str, Sequence[Problem]]) -> MixedStream:
    config, streams = spec.config, {}
    threshold = config.algo.distill.cliff_threshold
    for name, (_, share) in spec.train.items():
        stream = make_stream(train[name], config.curriculum, seed=config.seed, threshold=threshold)
        streams[name] = stream, share
    return MixedStream(streams)


def check_teachable(config: TrainConfig, problems: Iterable[Problem]) -> None:
    """Refuse a run whose teacher could never be shown anything.

    Raises:
        ConfigError: no problem has what the view, or the imitation of solutions, needs.
    """
    algo, rollout = config.algo, config.rollout
    if algo.imitation.weight > 0 and not any(p.solution for p in problems):
        raise ConfigError("no training problem has a solution to imitate: give data with solutions")
    if not (algo.distill.is_on or algo.policy.rlsd_mix is not None):
        return
    view, failure = algo.distill.view, ""
    if quotes_rollouts(view):
        return  # what it can show is known once there are rollouts
    for problem in problems:
        try:
            privileged_prompt(problem, view, rollout.teacher_template, student=rollout.template)
        except ViewError as error:
            failure = str(error)
        else:
            return
    raise ConfigError(f"no training problem can be shown in view {view!r}: {failure}")
