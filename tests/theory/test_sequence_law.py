"""S9, S10: whole completions of an enumerable policy: chain rule, cliff tension, filtered law."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import make_world, random_verifier

from hdpo_env import theory

proves = pytest.mark.proves
seeds = st.integers(0, 2**31)
depths = st.integers(1, 3)


def success(law, accepted) -> float:
    return min(1.0, sum(p for p, ok in zip(law, accepted, strict=True) if ok))


def kl_of(p, q) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@proves("S10_chain_rule")
@settings(max_examples=40)
@given(seeds, depths)
def test_the_completions_kl_is_the_expected_sum_of_token_kls(table: int, depth: int):
    """KL over completions = E_teacher of the token KLs that the loss measures along them."""
    world = make_world(table, max_tokens=depth)
    teacher, student = world.law(world.teacher), world.law(world.student)
    tokens = world.token_divergences("kl_teacher_student")
    expected = sum(p * sum(row) for p, row in zip(teacher, tokens, strict=True))
    assert expected == pytest.approx(kl_of(teacher, student), abs=1e-12)


@proves("S10_sequence_bound", "S10_prop1_sequence", "S10_cliff_tension")
@settings(max_examples=40)
@given(seeds, depths, seeds)
def test_a_small_gap_and_a_solved_cliff_exclude_each_other(table: int, depth: int, seed: int):
    """kl2(p_g, p_0) <= KL <= n D^2 / 2, so D is at least logit_shift_needed."""
    world = make_world(table, max_tokens=depth)
    teacher, student = world.law(world.teacher), world.law(world.student)
    verify = random_verifier(world, seed)
    accepted = [verify(ids) for ids in world.completions]
    p_g, p_0 = success(teacher, accepted), success(student, accepted)
    shift, n = world.logit_shift(), world.policy.max_tokens
    gap = kl_of(teacher, student)
    assert theory.kl2(p_g, p_0) <= gap + 1e-12
    assert gap <= theory.realizability_bound(shift, n) + 1e-12
    assert theory.logit_shift_needed(p_g, p_0, n) <= shift + 1e-9


@proves("S9_data_processing", "S9_realizability_lower_bound", "S20_success_gap")
@settings(max_examples=40)
@given(seeds, seeds)
def test_lifting_the_success_of_one_token_moves_its_logits(seed: int, verifier: int):
    """At one position: 2 (p_g - p_0)^2 <= kl2(p_g, p_0) <= KL <= D^2 / 2."""
    world = make_world(seed, max_tokens=1)
    verify = random_verifier(world, verifier)
    accepted = [verify(ids) for ids in world.completions]
    teacher, student = world.law(world.teacher), world.law(world.student)
    p_g, p_0 = success(teacher, accepted), success(student, accepted)
    floor = theory.kl2(p_g, p_0)
    ((value, *_), *_) = world.token_divergences("kl_teacher_student")
    assert 2 * (p_g - p_0) ** 2 <= floor + 1e-12
    assert floor <= value + 1e-12
    assert value <= theory.realizability_bound(world.logit_shift()) + 1e-12
    assert abs(p_g - p_0) <= theory.pinsker_bound(value) + 1e-12


@proves("S9_target_gap", "S9_target_gap_bound", "S10_trajectory_log_ratio", "S10_target_gap")
@settings(max_examples=40)
@given(seeds, depths, seeds)
def test_the_filtered_teacher_is_near_the_filtered_student_as_stated(
    table: int, depth: int, seed: int
):
    """KL = ln(p0/pg) - E ln(mu0/mug) over survivors <= (b-a)^2/8 <= 2 (n D)^2."""
    world = make_world(table, max_tokens=depth)
    teacher, student = world.law(world.teacher), world.law(world.student)
    verify = random_verifier(world, seed)
    accepted = [verify(ids) for ids in world.completions]
    p_g, p_0 = success(teacher, accepted), success(student, accepted)
    target = [p / p_g if ok else 0.0 for p, ok in zip(teacher, accepted, strict=True)]
    ideal = [p / p_0 if ok else 0.0 for p, ok in zip(student, accepted, strict=True)]
    ratios = [log(b / a) for a, b in zip(teacher, student, strict=True)]
    gap = kl_of(target, ideal)
    mean = sum(t * r for t, r in zip(target, ratios, strict=True))
    assert gap == pytest.approx(log(p_0 / p_g) - mean, abs=1e-12)
    inside = [r for r, ok in zip(ratios, accepted, strict=True) if ok]
    spread = max(0.0, *inside) - min(0.0, *inside)
    n, shift = world.policy.max_tokens, world.logit_shift()
    assert gap <= spread**2 / 8 + 1e-12
    assert max(map(abs, ratios)) <= 2 * n * shift + 1e-12
    assert spread**2 / 8 <= 2 * (n * shift) ** 2 + 1e-12


@proves("S10_filtered_next_token", "S10_filtered_token_dist")
@settings(max_examples=40)
@given(seeds, depths, seeds)
def test_the_filtered_policys_next_token_law_is_reweighted_by_the_success_to_go(
    table: int, depth: int, seed: int
):
    """mu(. | R = 1) = prod_t mu(y_t | prefix) V(prefix y_t) / V(prefix), V the success-to-go."""
    world = make_world(table, max_tokens=depth)
    law, verify = world.law(world.teacher), random_verifier(world, seed)
    completions = world.completions
    p_g = success(law, [verify(ids) for ids in completions])

    def reach(prefix) -> tuple[float, float]:
        """The mass of completions through a prefix, and of the correct ones among them."""
        through = [
            (p, verify(ids))
            for p, ids in zip(law, completions, strict=True)
            if ids[: len(prefix)] == prefix
        ]
        return sum(p for p, _ in through), sum(p for p, ok in through if ok)

    for p, ids in zip(law, completions, strict=True):
        product = 1.0
        for t in range(len(ids)):
            mass, good = reach(ids[:t])
            next_mass, next_good = reach(ids[: t + 1])
            token = world.logits(world.teacher, ids[:t]).softmax(-1)[ids[t]].item()
            assert token == pytest.approx(next_mass / mass, abs=1e-12)
            to_go, next_to_go = good / mass, next_good / next_mass
            product *= token * next_to_go / to_go if to_go > 0 else 0.0
        assert product == pytest.approx(p / p_g if verify(ids) else 0.0, abs=1e-12)
