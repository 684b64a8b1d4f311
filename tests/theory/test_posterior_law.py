"""S19: the Beta posterior behind cliffs, against exact integrals of polynomials."""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp, log, prod

import pytest
from exact_arithmetic import close, probabilities
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.cliffs import Beta, plan_budget

proves = pytest.mark.proves
counts = st.integers(0, 12)
parameters = st.sampled_from([0.3, 0.5, 1.0, 2.0, 7.5])


def mass(a: int, b: int) -> Fraction:
    """The integral of x^a (1-x)^b over [0, 1], term by term."""
    return sum((Fraction((-1) ** i * comb(b, i), a + i + 1) for i in range(b + 1)), Fraction(0))


@proves("S19_next_all_fail", "S19_next_all_pass", "S19_conjugate", "S19_posterior_mean")
@given(st.integers(0, 3), st.integers(0, 3), counts, counts, st.integers(0, 8))
def test_the_posterior_predicts_groups_as_the_integrals_do(a, b, correct, wrong, k):
    """From Beta(a+1, b+1) and the counts: E[p], E[(1-p)^k] and E[p^k] as ratios of integrals."""
    belief = Beta(a + 1, b + 1).updated(correct, wrong)
    a, b = a + correct, b + wrong
    assert (belief.a, belief.b) == (a + 1, b + 1)
    assert close(belief.mean, mass(a + 1, b) / mass(a, b), 1e-14)
    assert close(belief.p_all_fail(k), mass(a, b + k) / mass(a, b), 1e-13)
    assert close(belief.p_all_pass(k), mass(a + k, b) / mass(a, b), 1e-13)
    assert close(belief.p_not_cliff(k), 1 - mass(a, b + k) / mass(a, b), 1e-13)


@proves("S19_update_after_failures", "S19_all_fail_range", "S19_escape")
@given(parameters, parameters, st.integers(0, 10), st.integers(0, 10))
def test_failing_twice_is_failing_once_and_then_under_the_posterior(a, b, j, k):
    """p_all_fail(j + k) = p_all_fail(j) * posterior p_all_fail(k), for any real prior."""
    belief = Beta(a, b)
    after = belief.updated(0, j)
    assert belief.p_all_fail(j + k) == pytest.approx(
        belief.p_all_fail(j) * after.p_all_fail(k), rel=1e-12
    )
    assert 0 < belief.p_all_fail(k) <= 1
    if k:
        (row,) = plan_budget(belief, num_rollouts=64, group_sizes=[k])
        escape = 1 - belief.p_all_fail(2 * k) / belief.p_all_fail(k)
        assert row.escape_rate == pytest.approx(escape, abs=1e-12)


@proves("S19_failures_raise_all_fail")
@given(parameters, parameters, st.integers(0, 20), st.integers(1, 16))
def test_a_failure_more_makes_a_cliff_likelier(a, b, wrong, k):
    """A cliff is a matter of degree: the chance of the next cliff rises with every failure."""
    chances = [Beta(a, b).updated(0, wrong + more).p_all_fail(k) for more in (0, 1)]
    assert chances[0] < chances[1]


@proves("S19_expected_rollouts")
@given(probabilities, st.integers(1, 10), st.integers(1, 40), st.integers(1, 40))
def test_expected_rollouts_averages_the_capped_geometric_mean(p, limit, a, b):
    """Draws up to the first success, at most n: sum_{t<n} (1-p)^t, averaged over the belief."""
    law = [(1 - p) ** (t - 1) * p * t for t in range(1, limit)]
    truncated = sum(law, Fraction(0)) + limit * (1 - p) ** (limit - 1)
    assert truncated == sum(((1 - p) ** t for t in range(limit)), Fraction(0))
    belief = Beta(a, b)
    ratios = [
        prod((Fraction(b + i, a + b + i) for i in range(t)), start=Fraction(1))
        for t in range(limit)
    ]
    assert close(belief.expected_rollouts(limit), sum(ratios, Fraction(0)), 1e-13)


@proves("S19_rule_of_three")
@given(st.integers(1, 64), st.floats(1e-4, 0.5))
def test_n_failures_rule_out_pass_rates_above_minus_log_alpha_over_n(n, alpha):
    """At p = -ln(alpha)/n a group of n fails entirely at most alpha of the time (3/n at 5 %)."""
    p = -log(alpha) / n
    assume(p < 1)
    assert theory.cliff_probability(p, n) <= alpha * (1 + 1e-12)
    assert theory.cliff_probability(p, n) <= exp(-n * p) * (1 + 1e-12)
