"""The Beta distribution against mpmath, exact fractions and simulation."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs.beta import Beta
from hdpo_env.errors import ConfigError

parameters = st.floats(0.05, 500)
whole = st.integers(1, 30)


@given(parameters, parameters, st.floats(1e-6, 1 - 1e-6))
def test_cdf_equals_mpmath(a: float, b: float, x: float) -> None:
    """The regularised incomplete beta function, to 1e-11 absolute."""
    with mpmath.workdps(30):
        expected = float(mpmath.betainc(a, b, 0, x, regularized=True))
    assert abs(Beta(a, b).cdf(x) - expected) < 1e-11


@given(parameters, parameters, st.floats(0.01, 0.99))
def test_quantiles_invert_the_cdf(a: float, b: float, q: float) -> None:
    """cdf(quantile(q)) = q wherever the cdf can be resolved at all."""
    x = Beta(a, b).quantile(q)
    if 1e-300 < x < 1 - 1e-9:
        assert abs(Beta(a, b).cdf(x) - q) < 1e-9


def test_quantiles_by_hand() -> None:
    """Uniform: q itself. Beta(1, n): 1 - (1 - q)^(1/n). Beta(a, 1): q^(1/a)."""
    assert Beta(1, 1).quantile(0.3) == pytest.approx(0.3, abs=1e-12)
    assert Beta(1, 9).quantile(0.95) == pytest.approx(1 - 0.05 ** (1 / 9), abs=1e-12)
    assert Beta(0.1, 1).quantile(0.05) == pytest.approx(0.05**10, rel=1e-9)
    low, high = Beta(1, 9).interval(0.9)[1:]
    assert (low, high) == pytest.approx((1 - 0.95 ** (1 / 9), 1 - 0.05 ** (1 / 9)), abs=1e-12)


@given(whole, whole, st.integers(0, 12))
def test_group_chances_are_exact(a: int, b: int, k: int) -> None:
    """E[(1-p)^k] and E[p^k] as products of fractions; mean and variance by the same moments."""
    fail = passed = Fraction(1)
    for j in range(k):
        fail *= Fraction(b + j, a + b + j)
        passed *= Fraction(a + j, a + b + j)
    belief = Beta(a, b)
    assert belief.p_all_fail(k) == pytest.approx(float(fail), rel=1e-12)
    assert belief.p_all_pass(k) == pytest.approx(float(passed), rel=1e-12)
    assert belief.p_not_cliff(k) == pytest.approx(1 - float(fail), abs=1e-12)
    second = Fraction(a * (a + 1), (a + b) * (a + b + 1))
    assert belief.mean == pytest.approx(a / (a + b), abs=1e-15)
    assert belief.variance == pytest.approx(float(second - Fraction(a, a + b) ** 2), rel=1e-9)


def test_expected_rollouts_by_simulation() -> None:
    """E[min(T, 20)] over 200,000 draws of p and of a geometric T, within 5 standard errors."""
    rng = np.random.default_rng(0)
    drawn = rng.beta(0.4, 9.2, size=200_000)
    waits = np.minimum(rng.geometric(np.maximum(drawn, 1e-12)), 20)
    error = waits.std() / 200_000**0.5
    assert abs(Beta(0.4, 9.2).expected_rollouts(20) - waits.mean()) < 5 * error
    assert Beta(2, 3).expected_rollouts(0) == 0.0
    assert Beta(2, 3).expected_rollouts(1) == 1.0


@given(parameters, parameters, st.integers(1, 40))
def test_waiting_and_failing_agree(a: float, b: float, k: int) -> None:
    """One more try costs the chance that all earlier ones failed."""
    belief = Beta(a, b)
    step = belief.expected_rollouts(k + 1) - belief.expected_rollouts(k)
    assert step == pytest.approx(belief.p_all_fail(k), abs=1e-9)


def test_updates_add_counts() -> None:
    """Evidence in two parts is evidence at once."""
    parts = Beta(0.4, 1.2).updated(1, 3).updated(0, 4)
    whole = Beta(0.4, 1.2).updated(1, 7)
    assert (parts.a, parts.b) == pytest.approx((whole.a, whole.b), abs=1e-12)


@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (-1, 1), (1, inf), (float("nan"), 1)])
def test_impossible_parameters_are_refused(pair: tuple[float, float]) -> None:
    """Parameters are positive and finite, counts not negative, levels inside (0, 1)."""
    with pytest.raises(ConfigError, match="must be positive"):
        Beta(*pair)
    with pytest.raises(ConfigError, match="neither may be negative"):
        Beta(1, 1).updated(-1, 0)
    with pytest.raises(ConfigError, match="confidence 90"):
        Beta(1, 1).interval(90)
    with pytest.raises(ConfigError, match="quantile 1"):
        Beta(1, 1).quantile(1)
