"""``hdpo train``: one run of one algorithm on a problem file or a procedural family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from hdpo_env.commands.places import ColumnsOption, family_of
from hdpo_env.config import Strategy, TrainConfig, preset
from hdpo_env.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from hdpo_env.commands.progress import RunProgress
    from hdpo_env.training.runs import RunSpec, SourceSpec

HOLD_OUT_SEED = 42  # HDPO's 95/5 split


@dataclass(frozen=True)
class Options:
    """Train a model with GRPO, HDPO, SDPG or a relative. `--algo NAME` picks the preset."""

    model: str
    """Folder of a Hugging Face checkpoint, or a hub id."""
    data: str
    """Problem file (jsonl, csv, parquet), hub id, or a family such as linear:level=3 or chain#6."""
    config: Annotated[TrainConfig, tyro.conf.arg(name="")]
    out: Path = Path("runs/train")
    """Folder of the run."""
    eval_data: str | None = None
    """Held-out problems, as in --data; without it 5 % of a file are held out by hash."""
    eval_split: str = "test"
    """Split to ask a hub data set in --eval-data for."""
    field_map: ColumnsOption = "plain"
    strict: bool = False
    """Stop at the first bad row of the data instead of leaving it out aloud."""
    view: str | None = None
    """What the teacher sees: solution, answer, masked_solution, prefix:0.5, hints:2,
    reference_only, sibling, feedback, wrong_answer, none, or two such as answer+hints:1 (short for
    --algo.distill.view)."""
    weight: Annotated[float | None, tyro.conf.arg(name="lambda")] = None
    """Distillation weight (short for --algo.distill.weight)."""
    curriculum: Strategy | None = None
    """Which problems come next: uniform (epochs), frontier, retry, drop, pools (short for
    --curriculum.strategy)."""
    sampler: Literal["hf", "vllm"] = "hf"
    """Who generates: this process, or a vLLM engine that gets every new set of weights."""
    resume: bool = False
    """Continue the run in the folder."""
    overwrite: bool = False
    """Delete what is in the folder and start again."""
    wandb: str | None = None
    """Also log to this Weights & Biases project."""
    threads: int | None = None
    """Torch threads on the CPU; torch decides by default."""


def parse(args: Sequence[str]) -> Options:
    """Command-line words -> options; ``--algo`` chooses the preset that the other flags change.

    Raises:
        ConfigError: the preset is unknown or a setting is impossible.
    """
    rest, algo = list(args), "hdpo"
    for i, word in enumerate(rest):
        if word == "--algo" or word.startswith("--algo="):
            value = word.partition("=")[2] or (rest[i + 1] if i + 1 < len(rest) else "")
            del rest[i : i + (1 if "=" in word else 2)]
            algo = value
            break
    config = preset(algo)
    default = Options(model=tyro.MISSING, data=tyro.MISSING, config=config)
    return tyro.cli(
        Options, args=rest, default=default, prog="hdpo train", description=_about(algo)
    )


def _about(algo: str) -> str:
    return (
        f"Train a model. The defaults below are those of --algo {algo}; other presets: grpo, "
        "dr_grpo, dapo, hdpo, sdpg, sdpg-code, rlsd, opsd, sft-cliffs."
    )


def spec_of(options: Options) -> RunSpec:
    """The run that the options describe.

    Raises:
        ConfigError: a combination of options is impossible.
    """
    from hdpo_env.training.runs import RunSpec

    config = options.config
    shorts = {"view": options.view, "weight": options.weight}
    distill = replace(config.algo.distill, **{k: v for k, v in shorts.items() if v is not None})
    config = replace(config, algo=replace(config.algo, distill=distill))
    if options.curriculum is not None:
        curriculum = replace(config.curriculum, strategy=options.curriculum)
        config = replace(config, curriculum=curriculum)
    train, held_out = _sources(options)
    return RunSpec(
        variant=config.algo.name,
        config=config,
        run_dir=options.out,
        model=options.model,
        train={"train": (train, 1)},
        slices={"eval": held_out},
        wandb_project=options.wandb,
        sampler=options.sampler,
    )


def _sources(options: Options) -> tuple[SourceSpec, SourceSpec]:
    from hdpo_env.problems import PROBLEMS
    from hdpo_env.training.runs import SourceSpec

    fields, size = options.field_map, options.config.eval.problems
    data, held_out = family_of(options.data), options.eval_data and family_of(options.eval_data)
    is_family = data in PROBLEMS
    seed, strict = 0 if is_family else HOLD_OUT_SEED, options.strict
    whole = SourceSpec(data, fields, size=100_000, seed=seed, strict=strict)
    if held_out is not None:
        split = "eval" if held_out in PROBLEMS else options.eval_split
        return whole, SourceSpec(held_out, fields, split=split, size=size, strict=strict)
    if is_family:
        return whole, replace(whole, split="eval", size=size)
    return replace(whole, part="train"), replace(whole, part="eval")


def run(options: Options) -> int:
    """Train, showing progress; the exit code is 0, or 130 after an interrupt that was saved."""
    from transformers.utils.logging import disable_progress_bar

    from hdpo_env.training.folders import state_of

    disable_progress_bar()  # one bar is enough

    spec = spec_of(options)
    if options.resume and options.overwrite:
        raise ConfigError("--resume and --overwrite exclude each other: choose one")
    if options.threads is not None and options.threads < 1:
        raise ConfigError(f"--threads is {options.threads}: choose at least 1, or leave it out")
    spec.check_out()
    state = "new" if options.overwrite else state_of(spec.run_dir, spec.describe())
    if options.resume and state == "new":
        raise CheckpointError(
            f"there is no run to resume in {spec.run_dir}: check --out, or start without --resume"
        )
    if state == "finished":
        print(f"{spec.run_dir} is finished; --overwrite runs it again")
        return 0
    if state == "started" and not options.resume:
        raise ConfigError(
            f"{spec.run_dir} holds an unfinished run: continue it with --resume, or --overwrite it"
        )
    summary = _train(spec, resume=state == "started", threads=options.threads)
    print(_told(summary))
    print(f"the model is {spec.run_dir / 'model'}; the curves: hdpo report {spec.run_dir}")
    return 0


def _train(spec: RunSpec, **how: Any) -> dict[str, Any]:
    from hdpo_env.commands.progress import show_progress
    from hdpo_env.training.runs import execute

    with ExitStack() as stack:
        bars: list[RunProgress] = []

        def on_start() -> None:  # a run that is refused shows no bar
            bars.append(stack.enter_context(show_progress({spec.variant: spec.config.steps})))

        def on_step(step: int, metrics: Mapping[str, float]) -> None:
            bars[0].advance(spec.variant, step + 1, metrics)

        return execute(spec, on_start=on_start, on_step=on_step, **how)


def _told(summary: Mapping[str, Any]) -> str:
    """What the evaluations of every slice said before the first step and after the last."""
    rows = [("", "start", "end")]
    for name, first in summary["start"].items():
        for key, end in summary[name].items():
            if key in ("greedy", "cliff_rate") or (key.startswith("pass@") and "/" not in key):
                told = key.replace("_", " ")
                rows.append((f"{name} {told}", f"{first.get(key, end):.3f}", f"{end:.3f}"))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{name:<{width}}{start:>8}{end:>8}" for name, start, end in rows)
