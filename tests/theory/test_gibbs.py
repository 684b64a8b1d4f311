"""S1, S2, S17: the KL-regularised optimum, its hard threshold, and repeated steps."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, isinf, log

import pytest
from exact_arithmetic import (
    at_most,
    ball,
    betas,
    close,
    filtered,
    kl,
    laws,
    probabilities,
    same,
    total,
    tv,
    verified_laws,
)
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.errors import ConfigError

proves = pytest.mark.proves


def exact_gibbs(
    mu: list[Fraction], reward: list[Fraction] | list[int], beta: Fraction
) -> tuple[list[arb], arb]:
    """The optimum and Z, as balls, straight from the definition."""
    weights = [
        ball(m) * (ball(Fraction(r)) / ball(beta)).exp() for m, r in zip(mu, reward, strict=True)
    ]
    z = total(weights)
    return [w / z for w in weights], z


def library_gibbs(mu, reward, beta) -> tuple[list[float], float]:
    log_mu = [log(m) if m else -inf for m in mu]
    policy = theory.gibbs_policy(log_mu, [float(r) for r in reward], float(beta))
    return [exp(x) for x in policy.log_probs], policy.value


@proves("S1_decomposition", "S1_upper_bound", "S1_attained", "S1_unique", "KL_nonneg", "KL_eq0_iff")
@given(st.data(), betas)
def test_the_gibbs_policy_is_the_only_maximiser(data, beta):
    """Every policy falls short of beta ln Z by exactly beta KL to what gibbs_policy returns."""
    n = data.draw(st.integers(2, 6))
    mu, pi = data.draw(laws(n)), data.draw(laws(n, zeros=True))
    f = data.draw(st.lists(st.fractions(-3, 3, max_denominator=8), min_size=n, max_size=n))
    best, z = exact_gibbs(mu, f, beta)
    objective = total([a * b for a, b in zip(pi, f, strict=True)]) - ball(beta) * kl(pi, mu)
    shortfall = ball(beta) * z.log() - objective
    assert same(shortfall, ball(beta) * kl(pi, best))
    assert at_most(objective, ball(beta) * z.log())
    probs, value = library_gibbs(mu, f, beta)
    assert all(close(p, b, 1e-12) for p, b in zip(probs, best, strict=True))
    assert close(value, ball(beta) * z.log(), 1e-12)


@proves("S1_Z_binary", "S1_success", "S1_odds")
@given(verified_laws(solvable=False), betas)
def test_one_step_shifts_the_log_odds_of_success_by_one_over_beta(problem, beta):
    """Success under the optimum is p e^(1/beta) / Z, Z = 1 - p + p e^(1/beta)."""
    mu, reward, p = problem
    _, z = exact_gibbs(mu, reward, beta)
    lift = (1 / ball(beta)).exp()
    assert same(z, 1 - ball(p) + ball(p) * lift)
    probs, _ = library_gibbs(mu, reward, beta)
    after = sum(q for q, r in zip(probs, reward, strict=True) if r)
    truth = ball(p) * lift / z
    assert close(after, truth, 1e-12)
    assert close(theory.success_after(float(p), float(beta)), truth, 1e-12)


@proves("S2_TV", "S2_TV_rate", "S2_KL")
@given(verified_laws(), betas)
def test_the_distance_to_the_filtered_policy_is_the_stated_one(problem, beta):
    """hard_threshold_gap is the TV and KL between the Gibbs policy and mu(. | R = 1)."""
    mu, reward, p = problem
    best, z = exact_gibbs(mu, reward, beta)
    target = filtered(mu, reward, p)
    gap = theory.hard_threshold_gap(float(p), float(beta))
    assert same(tv(best, target), (1 - ball(p)) / z)
    rate = ball((1 - p) / p) * (-1 / ball(beta)).exp()
    assert at_most(tv(best, target), rate)
    assert same(kl(target, best), (1 + rate).log())
    assert close(gap.total_variation, tv(best, target), 1e-12)
    assert close(gap.kl, kl(target, best), 1e-12)


@proves("S2_limit")
@given(verified_laws())
def test_the_optimum_tends_to_the_filtered_policy(problem):
    """At every eps, the beta of the exponential rate already brings each probability within eps."""
    mu, reward, p = problem
    target = filtered(mu, reward, p)
    for eps in (1e-2, 1e-5, 1e-9):
        beta = 0.5 if p == 1 else 1 / max(1.0, log((1 - p) / p / Fraction(eps)))
        probs, _ = library_gibbs(mu, reward, beta)
        assert all(abs(q - float(t)) <= 2 * eps for q, t in zip(probs, target, strict=True))


@proves("S2_cliff_fixed_point")
@given(laws(), betas)
def test_on_a_true_cliff_nothing_is_learnt(mu, beta):
    """Without a successful outcome the optimum is mu, and there is no filtered policy."""
    probs, value = library_gibbs(mu, [0] * len(mu), beta)
    assert all(close(q, m, 1e-12) for q, m in zip(probs, mu, strict=True))
    assert abs(value) < 1e-12 * float(beta)
    with pytest.raises(ConfigError, match="true cliff"):
        theory.hard_threshold_gap(0.0, float(beta))


@proves("S2_information_projection", "S2_unfiltered_bias")
@given(st.data())
def test_the_filtered_policy_is_the_nearest_one_that_always_succeeds(data):
    """KL(pi || mu) = KL(pi || filtered) - ln p if pi always succeeds; TV(mu, filtered) = 1 - p."""
    mu, reward, p = data.draw(verified_laws())
    target = filtered(mu, reward, p)
    assert sum(abs(a - b) for a, b in zip(mu, target, strict=True)) / 2 == 1 - p
    size = sum(reward)
    inside = iter(data.draw(laws(size)) if size > 1 else [Fraction(1)])
    pi = [next(inside) if r else Fraction(0) for r in reward]
    assert same(kl(pi, mu), kl(pi, target) - ball(p).log())
    # The library's beta -> 0 policy is that projection.
    probs, _ = library_gibbs(mu, reward, Fraction(1, 100))
    assert all(close(q, t, 1e-9) for q, t in zip(probs, target, strict=True)) or p < Fraction(
        1, 10**6
    )


@proves("S17_compose", "S17_repeated")
@given(st.data(), betas, st.integers(1, 5))
def test_repeated_steps_are_one_step_at_a_lower_temperature(data, beta, k):
    """Applying gibbs_policy k times at beta is applying it once at beta / k."""
    n = data.draw(st.integers(2, 5))
    mu = data.draw(laws(n))
    f = data.draw(st.lists(st.fractions(-2, 2, max_denominator=8), min_size=n, max_size=n))
    assume(float(k / beta) < 100)
    law = [log(m) for m in mu]
    for _ in range(k):
        law = theory.gibbs_policy(law, [float(x) for x in f], float(beta)).log_probs
    truth, _ = exact_gibbs(mu, f, beta / k)
    assert all(close(exp(x), t, 1e-11) for x, t in zip(law, truth, strict=True))


@proves("S17_success", "S17_odds", "S17_cliff_never_moves")
@given(probabilities, betas, st.integers(0, 6))
def test_each_step_multiplies_the_odds_of_success(p, beta, k):
    """Odds after k + 1 steps = e^(1/beta) times the odds after k; 0 stays 0 for ever."""
    now = theory.success_after(float(p), float(beta), k)
    after = theory.success_after(float(p), float(beta), k + 1)
    lift = (ball(k) / ball(beta)).exp()
    assert close(now, ball(p) * lift / (1 - ball(p) + ball(p) * lift), 1e-12)
    if p == 0:
        assert now == after == 0.0
    if 0 < p < 1 and float((k + 1) / beta) < 25:
        odds = after / (1 - after) / (now / (1 - now))
        assert odds == pytest.approx(exp(1 / float(beta)), rel=1e-3)


@proves("S17_steps_needed")
@given(probabilities, st.fractions("0.01", "0.99"), betas)
def test_steps_needed_is_the_threshold(p, target, beta):
    """The target is reached after exactly ceil(steps_needed) steps, and never from p = 0."""
    assume(p < 1)
    steps = theory.steps_needed(float(p), float(target), float(beta))
    if p == 0:
        assert isinf(steps)
        return
    exact = ball(beta) * (ball(target / (1 - target)).log() - ball(p / (1 - p)).log())
    assert close(steps, exact, 1e-12)
    k = max(0, int(steps))
    assume(abs(steps - round(steps)) > 1e-6 and k < 10**6)
    assert theory.success_after(float(p), float(beta), k + 1) >= float(target)
    assert steps < 0 or theory.success_after(float(p), float(beta), k) < float(target)
