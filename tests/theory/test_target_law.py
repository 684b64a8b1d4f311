"""S14: what each divergence teaches, by the trainer's own gradient on the exact pool.

Every completion is one row, weighted by its exact probability under the filtered teacher, so
``training.objective.accumulate`` returns the expected loss and gradient of a step.
"""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_world import Ids, World, make_world, random_verifier

from hdpo_env.batching import Row
from hdpo_env.config import AlgoConfig, DistillConfig
from hdpo_env.training.objective import Roles, accumulate
from hdpo_env.training.teachers import frozen_copy

proves = pytest.mark.proves
seeds = st.integers(0, 2**31)
FLOAT32 = 2e-6  # the teacher's top k is kept in single precision


def filtered_law(world: World, seed: int) -> dict[Ids, float]:
    """mu_g(. | R = 1) for a random verifier."""
    verify = random_verifier(world, seed)
    law = dict(zip(world.completions, world.law(world.teacher), strict=True))
    p_g = sum(p for ids, p in law.items() if verify(ids))
    return {ids: p / p_g for ids, p in law.items() if verify(ids)}


def step(world: World, pool: dict[Ids, float], divergence: str) -> tuple[float, float]:
    """The expected loss of the pool and the largest entry of its gradient."""
    prompt = world.policy.encode(world.student)
    if divergence == "nll":
        rows = [Row(prompt, ids, imitation_weight=w) for ids, w in pool.items()]
    else:
        told = world.policy.encode(world.teacher)
        rows = [Row(prompt, ids, distill_weight=w, teacher_ids=told) for ids, w in pool.items()]
    distill = replace(DistillConfig(), weight=1.0, divergence=divergence)
    roles = Roles(world.policy, frozen_copy(world.policy))
    world.policy.module.zero_grad(set_to_none=True)
    sums = accumulate(rows, roles, AlgoConfig(distill=distill), temperature=1.0)
    grad = world.policy.module.logits.grad
    return sums["losses/total"], 0.0 if grad is None else grad.abs().max().item()


def teach(world: World, pool: dict[Ids, float], *, doob: bool) -> None:
    """Give the student the teacher's laws, or (doob) those of the filtered policy, on the pool."""

    def mass(prefix: Ids) -> float:
        return sum(w for ids, w in pool.items() if ids[: len(prefix)] == prefix)

    for prefix in {ids[:t] for ids in pool for t in range(len(ids))}:
        values = world.logits(world.teacher, prefix).detach().clone()
        if doob:
            shares = [mass((*prefix, t)) / mass(prefix) for t in range(len(values))]
            values = torch.tensor([log(s) if s > 0 else -60.0 for s in shares], dtype=torch.float64)
        world.set_logits(world.student, prefix, values)


cases = st.tuples(seeds, st.integers(1, 3), seeds)


@proves("S14_token_loss_nonneg", "S14_token_loss_zero_iff", "S14_teacher_attains")
@settings(max_examples=30)
@given(cases)
def test_the_token_loss_is_zero_just_where_the_student_equals_the_teacher(case):
    """Equal on every visited prefix: loss and gradient vanish. Off at one of them: both do not."""
    table, depth, seed = case
    world = make_world(table, max_tokens=depth)
    pool = filtered_law(world, seed)
    before, _ = step(world, pool, "jsd")
    assert before > 1e-6  # two random tables never agree
    teach(world, pool, doob=False)
    value, gradient = step(world, pool, "jsd")
    assert value + 1e-12 >= 0
    assert value < FLOAT32
    assert gradient < FLOAT32
    # A prefix that no survivor visits is never taught ...
    unseen = set(world.prefixes()) - {ids[:t] for ids in pool for t in range(len(ids))}
    for prefix in unseen:
        world.set_logits(world.student, prefix, torch.tensor([9.0, -3.0, 1.0]))
    assert step(world, pool, "jsd") == (value, gradient)
    # ... and one that is visited is.
    away = world.logits(world.teacher, ()).detach() + torch.tensor([1.0, -1.0, 0.0])
    world.set_logits(world.student, (), away)
    value, gradient = step(world, pool, "jsd")
    assert value > 1e-3
    assert gradient > 1e-3


@proves("S14_token_loss_minimizers", "S14_filtered_is_target_iff", "S14_targets_differ")
@settings(max_examples=30)
@given(cases)
def test_the_filtered_policy_is_not_what_the_token_loss_teaches(case):
    """At the filtered policy the JSD's loss is positive unless every token keeps the odds."""
    table, depth, seed = case
    world = make_world(table, max_tokens=depth)
    pool = filtered_law(world, seed)
    assume(len(pool) < len(world.completions))  # something was filtered out
    teach(world, pool, doob=True)
    value, _ = step(world, pool, "jsd")
    assert value > 1e-6


@proves("S14_nll_minimizer", "S14_nll_decomposition")
@settings(max_examples=30)
@given(cases)
def test_imitating_the_survivors_does_teach_the_filtered_policy(case):
    """The NLL is H(survivors) + KL(survivors || student), stationary at the filtered policy."""
    table, depth, seed = case
    world = make_world(table, max_tokens=depth)
    pool = filtered_law(world, seed)
    student = dict(zip(world.completions, world.law(world.student), strict=True))
    entropy = -sum(w * log(w) for w in pool.values())
    gap = sum(w * log(w / student[ids]) for ids, w in pool.items())
    value, gradient = step(world, pool, "nll")
    assert value == pytest.approx(entropy + gap, rel=1e-9)
    assert gradient > 1e-6
    teach(world, pool, doob=True)
    best, gradient = step(world, pool, "nll")
    assert best == pytest.approx(entropy, abs=1e-9)
    assert gradient < 1e-9
    assert best < value


@proves("S14_nll_by_token")
@settings(max_examples=30)
@given(cases)
def test_the_sequence_loss_is_the_sum_of_the_token_losses(case):
    """One completion's imitation loss is - log pi(completion | prompt)."""
    table, depth, _ = case
    world = make_world(table, max_tokens=depth)
    for ids, logp in world.policy.enumerate(world.student):
        value, _ = step(world, {ids: 1.0}, "nll")
        assert value == pytest.approx(-logp.item(), abs=1e-12)
