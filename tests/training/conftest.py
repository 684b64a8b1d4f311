"""A tiny world whose every number can be worked out by loops: four problems on a logit table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hdpo_env.config import OptimConfig, RolloutConfig, TrainConfig, preset
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.trainer import Trainer
from hdpo_env.training.stream import EpochStream
from hdpo_env.types import Problem

# Two answers a uniform policy finds often and two it practically never finds in six tries.
PROBLEMS = [
    Problem(
        f"question {i}", (answer,), solution=f"it is {answer}", verifier="exact", subject=slice_
    )
    for i, (answer, slice_) in enumerate(
        [("a", "easy"), ("b", "easy"), ("bab", "hard"), ("bba", "hard")]
    )
]


def tabular_policy(seed: int = 37, scale: float = 0.7) -> TabularPolicy:
    """A table that knows the student's and the teacher's prompt of every problem."""
    prompts = [student_prompt(p, "plain") for p in PROBLEMS]
    prompts += [privileged_prompt(p, "solution", "hdpo", student="plain") for p in PROBLEMS]
    policy = TabularPolicy(prompts, "ab.", max_tokens=4, scale=scale, seed=seed)
    with torch.no_grad():  # the teacher is likely to use what it is told, but not certain
        for problem, prompt in zip(PROBLEMS, prompts[len(PROBLEMS) :], strict=True):
            ids = policy.encode_completion(problem.gold)
            for t, token in enumerate(ids):
                policy.module.logits[policy.row(prompt, ids[:t]), token] += 3.0
    return policy


def tabular_config(name: str, **distill: object) -> TrainConfig:
    """A preset brought to this world's scale: nothing clipped, no decay, no warm-up."""
    config = preset(name)
    algo = replace(config.algo, distill=replace(config.algo.distill, **distill))
    return replace(
        config,
        algo=algo,
        rollout=RolloutConfig(
            prompts_per_step=4, group_size=6, max_tokens=4, template="plain", temperature=1.0
        ),
        optim=OptimConfig(
            lr=0.05, weight_decay=0.0, max_grad_norm=1e9, warmup_steps=0, micro_batch_rows=5
        ),
        steps=8,
        checkpoint_every=3,
    )


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., Trainer]:
    """Build a trainer on the tabular world; each gets a run folder of its own."""
    count = iter(range(1000))

    def make(config: TrainConfig | str, *, policy: object = None, **kwargs: object) -> Trainer:
        config = tabular_config(config) if isinstance(config, str) else config
        kwargs.setdefault("run_dir", tmp_path / f"run{next(count)}")
        stream = EpochStream(PROBLEMS, seed=config.seed)
        return Trainer(config, policy or tabular_policy(), stream, **kwargs)  # type: ignore[arg-type]

    return make


@pytest.fixture
def config_of() -> Callable[..., TrainConfig]:
    """``tabular_config``, for tests that change a preset."""
    return tabular_config


@pytest.fixture
def policy_of() -> Callable[..., TabularPolicy]:
    """``tabular_policy``, for tests that need two of them."""
    return tabular_policy


@pytest.fixture
def problems() -> list[Problem]:
    """The four problems."""
    return PROBLEMS
