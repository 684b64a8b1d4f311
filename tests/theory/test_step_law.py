"""S5, S8, S11, S16 through the trainer's own rows and backward pass, over every possible group."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import exp, log, prod

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_world import World, make_world

from hdpo_env import theory
from hdpo_env.config import AlgoConfig, DistillConfig, PolicyLossConfig, preset
from hdpo_env.filters import select_teachable
from hdpo_env.rollouts import judge
from hdpo_env.training.objective import Roles, accumulate
from hdpo_env.training.rows import policy_rows, survivor_rows
from hdpo_env.training.teachers import frozen_copy
from hdpo_env.types import Completion, Group, Rollout

proves = pytest.mark.proves
seeds = st.integers(0, 2**31)


def rollouts_of(world: World, prompt) -> list[tuple[float, Rollout]]:
    """Every verified completion of a prompt with its probability."""
    found = []
    for ids, logp in world.policy.enumerate(prompt):
        ended = ids[-1] == world.policy.eos_id
        completion = Completion(
            ids, world.policy.decode(ids), finish_reason="stop" if ended else "length"
        )
        (verdict,) = judge([(world.problem, completion)])
        rollout = Rollout(prompt, completion, verdict, float(verdict.correct is True))
        found.append((logp.exp().item(), rollout))
    return found


def gradient(world: World, rows, algo: AlgoConfig) -> torch.Tensor:
    """What one backward pass of the trainer leaves in the table for these rows."""
    world.policy.module.zero_grad(set_to_none=True)
    if rows:
        roles = Roles(world.policy, frozen_copy(world.policy))
        accumulate(rows, roles, algo, temperature=1.0)
    grad = world.policy.module.logits.grad
    return torch.zeros_like(world.policy.module.logits) if grad is None else grad.clone()


def student_rows(world: World, rollouts, algo: AlgoConfig, weight: float = 0.0):
    return policy_rows(
        [Group(world.problem, tuple(rollouts))],
        algo,
        encode=world.policy.encode,
        teacher_prompt=lambda _: world.teacher,
        max_tokens=world.policy.max_tokens,
        distill_weight=weight,
    )


REINFORCE = AlgoConfig(
    policy=PolicyLossConfig(
        kind="reinforce", baseline="leave_one_out", scale="none", level="dr_grpo"
    )
)


@proves("S11_leave_one_out_unbiased", "S8_policy_gradient", "S11_gradient_vanishes")
@settings(max_examples=15)
@given(seeds, st.integers(2, 3))
def test_the_steps_expected_gradient_is_that_of_the_success_probability(seed, size):
    """Averaged over all groups: - grad p / max_tokens, no entry above p (1-p) / max_tokens."""
    world = make_world(seed, max_tokens=2, gold="a")
    outcomes = rollouts_of(world, world.student)
    depth = world.policy.max_tokens
    mean = torch.zeros_like(world.policy.module.logits)
    for group in product(outcomes, repeat=size):
        probability = prod(p for p, _ in group)
        rows = student_rows(world, [r for _, r in group], REINFORCE)
        if rows:
            mean += probability * gradient(world, rows, REINFORCE)
    listed = world.policy.enumerate(world.student)
    correct = [r.reward for _, r in outcomes]
    success = sum(logp.exp() * c for (_, logp), c in zip(listed, correct, strict=True))
    (truth,) = torch.autograd.grad(success, world.policy.module.logits)
    torch.testing.assert_close(mean, -truth / depth, rtol=0, atol=1e-12)
    bound = theory.reward_gradient_bound(min(1.0, success.item()))
    assert mean.abs().max().item() * depth <= bound + 1e-12


@proves("S5_zero_gradient", "S5_cliff", "S8_JSD_stationary", "S16_gate_closed")
@settings(max_examples=15)
@given(seeds, st.integers(2, 4))
def test_on_a_cliff_grpo_and_sdpg_stand_still_and_hdpo_moves(seed, size):
    """Only failures: exactly no gradient from the outcome and the gated term, but from HDPO's."""
    world = make_world(seed, max_tokens=2, gold="a")
    failures = [r for _, r in rollouts_of(world, world.student) if r.reward == 0][:size]
    for name in ("grpo", "dr_grpo", "hdpo"):
        algo = preset(name).algo
        assert student_rows(world, failures, algo) == []
    sdpg = preset("sdpg").algo
    sdpg = replace(sdpg, reference=replace(sdpg.reference, weight=0.0))
    assert student_rows(world, failures, sdpg, weight=1.0) == []
    assert not gradient(world, [], sdpg).any()
    hdpo = preset("hdpo").algo
    survivors = [r for _, r in rollouts_of(world, world.teacher) if r.reward == 1]
    rows = survivor_rows(
        survivors,
        hdpo,
        encode=world.policy.encode,
        student_prompt=lambda _: world.student,
        distill_weight=1.0,
    )
    found = gradient(world, rows, hdpo)
    assume(world.logit_shift() > 0.1)
    assert found.abs().max().item() > 1e-6
    teacher_rows = [world.policy.row(world.teacher, c) for c in world.prefixes()]
    assert not found[teacher_rows].any()  # no gradient through the teacher's own context


@proves("S2_TV", "S2_KL", "S2_limit", "S2_unfiltered_bias")
@settings(max_examples=15)
@given(seeds, st.integers(1, 3))
def test_the_filters_survivors_are_the_limit_of_the_regularised_optimum(seed, depth):
    """select_teachable on every privileged rollout leaves mu(. | R = 1), at the stated distance."""
    world = make_world(seed, max_tokens=1 + depth, gold="a")
    outcomes = rollouts_of(world, world.teacher)
    group = Group(world.problem, tuple(r for _, r in outcomes))
    kept = {id(r) for r in select_teachable([group], telltales=()).kept}
    p_g = sum(p for p, r in outcomes if id(r) in kept)
    target = [p / p_g if id(r) in kept else 0.0 for p, r in outcomes]
    law = [p for p, _ in outcomes]
    distance = sum(abs(a - b) for a, b in zip(law, target, strict=True)) / 2
    assert distance == pytest.approx(1 - p_g, abs=1e-12)
    for beta in (2.0, 0.5, 0.1, 0.03):
        best = theory.gibbs_policy([log(p) for p in law], [r.reward for _, r in outcomes], beta)
        probs = [exp(x) for x in best.log_probs]
        gap = theory.hard_threshold_gap(p_g, beta)
        found = sum(abs(a - b) for a, b in zip(probs, target, strict=True)) / 2
        assert found == pytest.approx(gap.total_variation, abs=1e-12)
        pairs = zip(target, probs, strict=True)
        assert sum(t * log(t / q) for t, q in pairs if t) == pytest.approx(gap.kl, abs=1e-12)


@proves("S16_gate_opens", "S16_prop31")
@settings(max_examples=15)
@given(seeds, st.integers(1, 3))
def test_on_a_mixed_group_sdpg_distils_its_successes_only(seed, num_failures):
    """The extra gradient of the gated term equals that of distilling the successes alone."""
    world = make_world(seed, max_tokens=2, gold="a")
    pool = rollouts_of(world, world.student)
    success = [r for _, r in pool if r.reward == 1]
    group = success + [r for _, r in pool if r.reward == 0][:num_failures]
    algo = AlgoConfig(
        policy=PolicyLossConfig(kind="reinforce"),
        distill=DistillConfig(weight=1.0, on="own_rollouts", divergence="kl_student_teacher"),
    )
    rows = student_rows(world, group, algo, weight=1.0)
    with_teacher = gradient(world, rows, algo)
    without = gradient(world, student_rows(world, group, algo), algo)
    tokens = sum(r.completion.num_tokens for r in group)
    truth = torch.zeros_like(without)
    for rollout in success:
        ids = rollout.completion.token_ids
        for t in range(len(ids)):
            p = world.logits(world.student, ids[:t]).softmax(-1).detach()
            q = world.logits(world.teacher, ids[:t]).softmax(-1).detach()
            ratio = (p / q).log()
            row = world.policy.row(world.student, ids[:t])
            truth[row] += p * (ratio - (p * ratio).sum()) / tokens
    torch.testing.assert_close(with_teacher - without, truth, rtol=0, atol=1e-12)
