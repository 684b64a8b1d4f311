"""S5, S11: advantages of binary groups in closed form, and the estimators they make."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from exact_arithmetic import ball, close, iid_law, laws, verified_laws
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.advantages import group_advantages
from hdpo_env.losses import group_advantages as tensor_advantages

proves = pytest.mark.proves
binary_groups = st.lists(st.integers(0, 1), min_size=2, max_size=32)
BASELINES, SCALES = ("mean", "leave_one_out"), ("population_std", "sample_std", "none")


def both(rewards, **options) -> list[list[float]]:
    """The pure and the tensor implementation on one group."""
    r = torch.tensor([float(x) for x in rewards], dtype=torch.float64)
    index = torch.zeros(len(rewards), dtype=torch.long)
    return [
        group_advantages([float(x) for x in rewards], **options),
        tensor_advantages(r, index, **options).tolist(),
    ]


@proves("S5_zero_variance", "S5_zero_advantage", "S5_cliff")
@given(st.floats(-4, 4), st.integers(1, 64), st.sampled_from(BASELINES), st.sampled_from(SCALES))
def test_equal_rewards_give_exactly_zero(value, size, baseline, scale):
    """No float noise is blown up by 1/eps, whatever the reward, baseline and scale."""
    for advantages in both([value] * size, baseline=baseline, scale=scale):
        assert advantages == [0.0] * size


@proves("S5_zero_variance_conv")
@given(st.lists(st.fractions(-2, 2, max_denominator=8), min_size=2, max_size=12))
def test_only_equal_rewards_give_all_zeros(rewards):
    """Some advantage differs from 0 as soon as two rewards differ."""
    for advantages in both(rewards, scale="none"):
        assert any(a != 0 for a in advantages) == (len(set(rewards)) > 1)


@proves("S5_leave_one_out", "S5_sum_zero")
@given(st.lists(st.fractions(-2, 2, max_denominator=8), min_size=2, max_size=12))
def test_leave_one_out_is_the_reward_minus_the_mean_of_the_others(rewards):
    """... which is G/(G-1) times the centred advantage; centred advantages sum to 0."""
    size, mass = len(rewards), sum(rewards)
    for found in both(rewards, baseline="leave_one_out", scale="none"):
        truth = [r - (mass - r) / (size - 1) for r in rewards]
        assert all(close(a, t, 1e-14) for a, t in zip(found, truth, strict=True))
    for found in both(rewards, scale="none"):
        truth = [r - mass / size for r in rewards]
        assert all(close(a, t, 1e-14) for a, t in zip(found, truth, strict=True))
        assert abs(sum(found)) < 1e-13 * size


@proves(
    "S5_var_pop", "S5_var_smp", "S5_advantage_eps", "S5_advantage_binary",
    "S5_advantage_sample_vs_population",
)  # fmt: skip
@given(binary_groups, st.sampled_from([0.0, 1e-6, 1e-2]), st.sampled_from(BASELINES))
def test_binary_groups_have_the_closed_form(rewards, eps, baseline):
    """(r - c/G) / (sqrt(c (G-c) / D) + eps), D = G^2 or G (G-1), from c successes of G."""
    size, c = len(rewards), sum(rewards)
    for scale, divisor in (("population_std", size**2), ("sample_std", size * (size - 1))):
        sd = ball(Fraction(c * (size - c), divisor)).sqrt()
        stretch = Fraction(size, size - 1) if baseline == "leave_one_out" else Fraction(1)
        for found in both(rewards, scale=scale, eps_std=eps, baseline=baseline):
            if c in (0, size):
                assert found == [0.0] * size
                continue
            truth = [ball(stretch * (r - Fraction(c, size))) / (sd + ball(eps)) for r in rewards]
            assert all(close(a, t, 1e-12) for a, t in zip(found, truth, strict=True))


@proves("S5_advantage_binary")
@given(st.integers(2, 40).flatmap(lambda g: st.tuples(st.just(g), st.integers(1, g - 1))))
def test_a_rare_success_weighs_the_root_of_the_odds_against_it(sizes):
    """Without eps a success gets sqrt((G-c)/c) and a failure -sqrt(c/(G-c))."""
    size, c = sizes
    for found in both([1] * c + [0] * (size - c), eps_std=0.0):
        assert close(found[0], ball(Fraction(size - c, c)).sqrt(), 1e-13)
        assert close(found[-1], -ball(Fraction(c, size - c)).sqrt(), 1e-13)


@st.composite
def estimator_cases(draw):
    law = draw(laws(draw(st.integers(2, 3))))
    values = st.lists(st.fractions(-2, 2, max_denominator=4), min_size=len(law), max_size=len(law))
    return law, draw(values), draw(values), draw(st.integers(2, 4))


@proves("S11_leave_one_out_unbiased", "S11_centred_bias")
@settings(max_examples=40)
@given(estimator_cases())
def test_the_leave_one_out_gradient_is_unbiased_and_the_centred_one_shrinks(case):
    """E[(1/G) sum A_i g_i] over all groups is Cov(r, g), or (G-1)/G of it with the group mean."""
    law, reward, score, size = case
    mean = dict.fromkeys(BASELINES, 0.0)
    for draws, probability in iid_law(law, size):
        for baseline in BASELINES:
            rewards = [float(reward[t]) for t in draws]
            advantages = group_advantages(rewards, baseline=baseline, scale="none")
            pairs = zip(advantages, draws, strict=True)
            mean[baseline] += float(probability) * sum(a * score[t] for a, t in pairs) / size

    def expect(values):
        return sum(q * x for q, x in zip(law, values, strict=True))

    both_ = expect([r * g for r, g in zip(reward, score, strict=True)])
    covariance = both_ - expect(reward) * expect(score)
    assert close(mean["leave_one_out"], covariance, 1e-13)
    assert close(mean["mean"], Fraction(size - 1, size) * covariance, 1e-13)


@proves("S11_gradient_vanishes", "S8_gradient_vanishes")
@settings(max_examples=40)
@given(verified_laws(solvable=False, max_size=3), st.integers(2, 4), st.data())
def test_the_expected_gradient_is_at_most_p_times_one_minus_p(problem, size, data):
    """... times the spread of the score: reward_gradient_bound holds for the coded estimator."""
    mu, reward, p = problem
    scores = st.lists(st.fractions(-3, 3, max_denominator=6), min_size=len(mu), max_size=len(mu))
    score = data.draw(scores)
    gradient = 0.0
    for draws, probability in iid_law(mu, size):
        rewards = [float(reward[t]) for t in draws]
        advantages = group_advantages(rewards, baseline="leave_one_out", scale="none")
        pairs = zip(advantages, draws, strict=True)
        gradient += float(probability) * sum(a * score[t] for a, t in pairs) / size
    spread = float(max(score) - min(score))
    assert abs(gradient) <= theory.reward_gradient_bound(float(p), spread) + 1e-13
    covariance = sum(m * s * (r - p) for m, s, r in zip(mu, score, reward, strict=True))
    assert close(gradient, covariance, 1e-13)
