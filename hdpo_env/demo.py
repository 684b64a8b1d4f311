"""The demo: a small model on cliff prompts under GRPO, HDPO and SDPG, on two CPU cores.

Four kinds of misconception chains, all held out from RL training: *easy* (running sums), *cliff* (a
table about which the base model is mostly wrong), *control* (another such table that is never
trained on and must stay where it was), *faint* (a table whose truth has next to no mass). The base
model's pre-training draws from every split: it has met one or two of the 60 questions of a slice,
on the tables with the answer of its misconception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from hdpo_env.config import (
    AlgoConfig,
    DistillConfig,
    EvalConfig,
    OptimConfig,
    RolloutConfig,
    TrainConfig,
    preset,
)
from hdpo_env.training.runs import RunSpec, SourceSpec

SLICES = {
    "easy": "chain-add",
    "cliff": "chain-table",
    "control": "chain-control",
    "faint": "chain-faint",
}
LENGTH = 6
EVAL_PROBLEMS = 60
STEPS = 100


@dataclass(frozen=True)
class Variant:
    """One row of the demo: an algorithm, and the hard slice it trains on beside the easy one."""

    algo: AlgoConfig
    hard: str = "cliff"


def variants() -> dict[str, Variant]:
    """The rows of the demo, in the order of the report.

    "gentle" and "strong" play the paper's lambda 0.01 and 0.1: the same trade-off at the scale
    that a model of 0.24 million parameters and 100 steps asks for (0.1 and 1).
    """
    hdpo, sdpg = preset("hdpo").algo, preset("sdpg").algo
    return {
        "grpo": Variant(preset("grpo").algo),
        "hdpo-gentle": Variant(_distil(hdpo, weight=0.1)),
        "hdpo-strong": Variant(_distil(hdpo, weight=1.0)),
        "hdpo-gentle-frozen": Variant(_distil(hdpo, weight=0.1, teacher="frozen")),
        "hdpo-strong-frozen": Variant(_distil(hdpo, weight=1.0, teacher="frozen")),
        "sdpg-ufkl": Variant(_sdpg(sdpg, "ufkl")),
        "sdpg-urkl": Variant(_sdpg(sdpg, "urkl")),
        "faint-jsd": Variant(_distil(hdpo, weight=0.1), hard="faint"),
        "faint-kl": Variant(
            _distil(hdpo, weight=0.1, divergence="kl_teacher_student"), hard="faint"
        ),
    }


def _distil(algo: AlgoConfig, **changes: Any) -> AlgoConfig:
    distill: DistillConfig = replace(algo.distill, **changes)
    return replace(algo, distill=distill)


def _sdpg(algo: AlgoConfig, kind: str) -> AlgoConfig:
    """SDPG with the strength that suits this model; no warm-up or decay over so few steps."""
    algo = _distil(algo, weight=0.1, warmup_steps=0, decay_steps=0)
    return replace(algo, name="sdpg", reference=replace(algo.reference, kind=kind))


def train_config(algo: AlgoConfig, *, seed: int, steps: int = STEPS) -> TrainConfig:
    """The demo's scale: 4 easy and 4 hard prompts a step, groups of 16, 100 steps."""
    return TrainConfig(
        algo=algo,
        rollout=RolloutConfig(
            prompts_per_step=8,
            group_size=16,
            max_tokens=LENGTH + 2,
            template="chain",
            teacher_template="chain",
        ),
        optim=OptimConfig(lr=3e-4, weight_decay=0.01, warmup_steps=0, micro_batch_rows=128),
        eval=EvalConfig(every=10, problems=EVAL_PROBLEMS, samples=16),
        steps=steps,
        seed=seed,
        checkpoint_every=25,
    )


def run_specs(
    out: Path,
    *,
    seeds: int = 1,
    steps: int = STEPS,
    only: tuple[str, ...] = (),
    bases: Mapping[int, str] | None = None,
) -> list[RunSpec]:
    """Every variant with every seed. ``bases`` maps a seed to its own pre-trained base model."""
    chosen = {name: v for name, v in variants().items() if not only or name in only}
    return [
        RunSpec(
            variant=name,
            config=train_config(variant.algo, seed=seed, steps=steps),
            run_dir=out / f"{name}-seed{seed}",
            model=(bases or {}).get(seed, str(base_model())),
            train={s: (_source(s, "train", seed), 1) for s in ("easy", variant.hard)},
            slices={s: _source(s, "eval", 0) for s in SLICES},
        )
        for seed in range(seeds)
        for name, variant in chosen.items()
    ]


def _source(name: str, split: str, seed: int) -> SourceSpec:
    size = EVAL_PROBLEMS if split == "eval" else 4000
    return SourceSpec(SLICES[name], split=split, seed=seed, size=size, settings={"length": LENGTH})


def base_model() -> Path:
    """The shipped base model; ``examples/pretrain_chain.py`` makes it again."""
    return Path(str(files("hdpo_env") / "assets" / "chain_base"))
