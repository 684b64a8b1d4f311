"""Estimators against brute force, intervals against simulated truth."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.stats import (
    maj_at_k,
    mean_over_problems,
    paired_difference,
    pass_at_k,
    pass_at_k_over_problems,
    t_quantile,
    wilson_interval,
)


def test_pass_at_k_equals_enumeration() -> None:
    """Exactly the share of k-subsets with a success, for every n <= 10, c and k."""
    for n in range(1, 11):
        for c in range(n + 1):
            flags = [True] * c + [False] * (n - c)
            for k in range(1, n + 1):
                subsets = [any(subset) for subset in combinations(flags, k)]
                assert pass_at_k(n, c, k) == float(Fraction(sum(subsets), len(subsets)))


@given(st.integers(1, 200), st.data())
def test_pass_at_k_laws(n: int, data: st.DataObject) -> None:
    """At k = 1 it is the mean, at k = n "any", and it grows with k and with c."""
    c = data.draw(st.integers(0, n))
    assert pass_at_k(n, c, 1) == c / n
    assert pass_at_k(n, c, n) == float(c > 0)
    if n > 1:
        k = data.draw(st.integers(1, n - 1))
        assert pass_at_k(n, c, k) <= pass_at_k(n, c, k + 1)
        if c < n:
            assert pass_at_k(n, c, k) <= pass_at_k(n, c + 1, k)


@given(st.integers(1, 12), st.integers(1, 12), st.fractions(0, 1, max_denominator=20))
def test_pass_at_k_is_unbiased(n: int, k: int, p: Fraction) -> None:
    """Its expectation over c ~ Binomial(n, p) is exactly 1 - (1 - p)^k."""
    if k > n:
        return
    from math import comb

    mean = sum(
        comb(n, c) * p**c * (1 - p) ** (n - c) * Fraction(pass_at_k(n, c, k)) for c in range(n + 1)
    )
    assert abs(mean - (1 - (1 - p) ** k)) < Fraction(1, 10**14)  # n + 1 roundings of 2^-53


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (4, -1, 1), (4, 1, 0), (0, 0, 1)])
def test_impossible_pass_at_k_is_an_error(n: int, c: int, k: int) -> None:
    """Asking for k > n is undefined, not 1.0."""
    with pytest.raises(ConfigError):
        pass_at_k(n, c, k)


def test_wilson_by_hand() -> None:
    """10 of 10 at 95 %: the lower end is n / (n + z^2) with z = 1.959964; 5 of 10 is symmetric."""
    value, low, high = wilson_interval(10, 10)
    assert (value, high) == (1.0, 1.0)
    assert abs(low - 10 / (10 + 1.959963984540054**2)) < 1e-12
    _, low, high = wilson_interval(5, 10)
    assert abs((low + high) / 2 - 0.5) < 1e-12
    nothing = wilson_interval(0, 0)
    assert isnan(nothing.value)
    assert nothing[1:] == (0.0, 1.0)


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.5, 0.99))
def test_wilson_holds_its_rate_and_mirrors(c: int, w: int, confidence: float) -> None:
    """0 <= low <= rate <= high <= 1, and counting failures instead mirrors the interval."""
    if c + w == 0:
        return
    value, low, high = wilson_interval(c, c + w, confidence)
    mirrored = wilson_interval(w, c + w, confidence)
    assert 0 <= low <= value <= high <= 1
    assert abs(low - (1 - mirrored.high)) < 1e-12


def test_wilson_covers_what_it_says() -> None:
    """90 % intervals hold the truth with chance .87 to .93, exactly summed, averaged over p."""
    from math import comb

    covered = []
    for p in np.linspace(0.02, 0.98, 97):
        inside = [wilson_interval(c, 20, 0.9) for c in range(21)]
        covered.append(
            sum(
                comb(20, c) * p**c * (1 - p) ** (20 - c)
                for c, (_, low, high) in enumerate(inside)
                if low <= p <= high
            )
        )
    assert 0.87 <= np.mean(covered) <= 0.93


@pytest.mark.parametrize(
    ("df", "confidence", "t"),
    [
        (1, 0.95, 12.706), (2, 0.95, 4.303), (3, 0.95, 3.182), (4, 0.95, 2.776),
        (9, 0.95, 2.262), (30, 0.95, 2.042), (120, 0.95, 1.980),
        (1000, 0.95, 1.962), (10**6, 0.9, 1.645), (5, 0.99, 4.032), (2, 0.5, 0.816),
    ],
)  # fmt: skip
def test_t_quantile_is_the_printed_table(df: int, confidence: float, t: float) -> None:
    """Quantiles agree with the t table of textbooks to its three decimals."""
    assert t_quantile(df, confidence) == pytest.approx(t, abs=5e-4)


def test_no_degree_of_freedom_is_refused() -> None:
    """An interval from one number cannot be asked for by accident."""
    with pytest.raises(DataError, match="needs two numbers"):
        t_quantile(0)


def test_many_even_problems_have_the_normal_interval() -> None:
    """400 coin flips: the 95 % ends are at 1/2 +- 1.96 / sqrt(400) / 2, to 1 % of the width."""
    estimate = mean_over_problems([0.0, 1.0] * 200)
    half = 1.96 * 0.5 / 20
    assert estimate.value == 0.5
    assert abs(estimate.low - (0.5 - half)) < 0.01 * half
    assert abs(estimate.high - (0.5 + half)) < 0.01 * half


def test_the_skewed_interval_by_hand() -> None:
    """0, 0, 0, 1: mean 1/4, s = .25, skewness (3/4 - 1/4) / sqrt(3/16) = 1.1547, A = .57735.

    t of 3 degrees at 95 % is 3.18245: 1 + A (t - A / 6) = 2.78182 with root 1.40644, so the lower
    end .25 - .25 * 3 / A * .40644 is below 0; 1 + A (-t - A / 6) = -.892942, root -.962960, so the
    upper end is above 1. At 50 %, t = .764892: roots 1.11495 and .795199 give .1007 and .5160.
    """
    assert mean_over_problems([0, 0, 0, 1]) == (0.25, 0.0, 1.0)
    half = mean_over_problems([0, 0, 0, 1], confidence=0.5)
    assert half == pytest.approx((0.25, 0.1007, 0.5160), abs=1e-4)


rates = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(rates, st.floats(0.01, 0.999))
def test_an_interval_holds_its_mean_and_mirrors(values: list[float], confidence: float) -> None:
    """0 <= low <= mean <= high <= 1; failures instead of successes mirror it."""
    mean, low, high = mean_over_problems(values, confidence=confidence)
    assert 0 <= low <= mean <= high <= 1
    mirrored = mean_over_problems([1 - v for v in values], confidence=confidence)
    assert mirrored == pytest.approx((1 - mean, 1 - high, 1 - low), abs=1e-6)


@given(rates, st.floats(0.1, 0.8))
def test_a_surer_interval_is_wider(values: list[float], confidence: float) -> None:
    """Its ends move outwards as the confidence grows."""
    narrow = mean_over_problems(values, confidence=confidence)
    wide = mean_over_problems(values, confidence=confidence + 0.1)
    assert wide.low <= narrow.low
    assert wide.high >= narrow.high


def covered(a: float, b: float, num: int, size: int, k: int, runs: int = 2000) -> float:
    """The share of 90 % intervals of pass@k that hold the truth, on simulated problem sets."""
    rng = np.random.default_rng([num, size, k])
    truth = 1 - np.prod([(b + j) / (a + b + j) for j in range(k)])
    value = np.array([pass_at_k(size, c, k) for c in range(size + 1)])
    inside = 0
    for _ in range(runs):
        correct = rng.binomial(size, rng.beta(a, b, size=num))
        _, low, high = mean_over_problems(value[correct].tolist(), confidence=0.9)
        inside += low <= truth <= high
    return inside / runs


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 8])
@pytest.mark.parametrize(
    ("a", "b", "num", "size"),
    [
        (0.4, 1.2, 200, 8),
        (0.4, 1.2, 30, 16),
        (0.4, 1.2, 60, 16),
        (0.05, 2.0, 60, 16),
        (0.05, 2.0, 200, 16),
        (0.1, 0.4, 60, 16),
    ],
)
def test_intervals_cover_small_and_hard_sets(
    a: float, b: float, num: int, size: int, k: int
) -> None:
    """90 % intervals of pass@k hold the truth in 87 to 93 % of 2,000 simulated problem sets.

    In one cell they are surer than they say: at pass@8 sixty problems of Beta(.05, 2) are nearly
    yes or no, five of them yes, and what few counts can exclude moves in jumps.
    """
    surest = 0.96 if (a, num, k) == (0.05, 60, 8) else 0.93
    assert 0.87 <= covered(a, b, num, size, k) <= surest


@pytest.mark.slow
def test_naive_intervals_do_not_cover() -> None:
    """Wilson's on 1,600 pooled rollouts of 200 problems pretends independence: below 80 %."""
    rng = np.random.default_rng(0)
    naive = 0
    for _ in range(1000):
        correct = rng.binomial(8, rng.beta(0.4, 1.2, size=200))
        pooled = wilson_interval(int(correct.sum()), 1600, 0.9)
        naive += pooled.low <= 0.25 <= pooled.high
    assert naive < 800


def test_agreeing_problems_leave_doubt_by_hand() -> None:
    """Three failures of three: up to 1 - .025^(1/3) = .7076; ten successes: from .025^(1/10)."""
    assert mean_over_problems([0.0] * 3) == pytest.approx((0, 0, 0.7076), abs=1e-4)
    assert mean_over_problems([1.0] * 10) == pytest.approx((1, 0.6915, 1), abs=1e-4)
    assert pass_at_k_over_problems([(2, 1)] * 3, 1) == pytest.approx(
        (0.5, 0.1462, 0.8538), abs=1e-4
    )
    assert paired_difference([0.0] * 3, [0.0] * 3) == pytest.approx((0, -0.7076, 0.7076), abs=1e-4)
    assert paired_difference([0.0] * 3, [1.0] * 3) == pytest.approx((1, -0.4152, 1), abs=1e-4)


@pytest.mark.parametrize("n", [1, 3, 10, 60])
def test_agreement_rarely_misleads(n: int) -> None:
    """The chance that n yes-no problems agree and their 95 % interval misses is .025 a side.

    Summed exactly over fine rates, the worst of them comes within 1 % of that bound.
    """
    rates = np.linspace(0, 1, 20_001)
    none, every = mean_over_problems([0.0] * n), mean_over_problems([1.0] * n)
    low, high = (1 - rates) ** n * (rates > none.high), rates**n * (rates < every.low)
    for missed in (low, high):
        assert 0.025 * 0.99 <= missed.max() <= 0.025


@given(
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.floats(-1, 1), min_size=1, max_size=4),
)
def test_agreement_on_any_value_rarely_misleads(
    n: int, value: float, q: float, others: list[float]
) -> None:
    """If a share q of problems has other values, n agree with chance (1 - q)^n: misses are rarer.

    The truth is any distribution on [-1, 1] with an atom of 1 - q at ``value``.
    """
    truth = (1 - q) * value + q * sum(others) / len(others)
    _, low, high = mean_over_problems([value] * n, bounds=(-1.0, 1.0))
    assert low - 1e-12 <= truth <= high + 1e-12 or (1 - q) ** n <= 0.025 + 1e-12


def test_pairing_removes_what_the_runs_share() -> None:
    """Two runs on problems of very different difficulty: paired ends are far tighter than apart."""
    rng = np.random.default_rng(1)
    first = rng.random(200)
    second = np.clip(first + 0.05 + 0.01 * rng.standard_normal(200), 0, 1)
    paired = paired_difference(first.tolist(), second.tolist())
    apart = mean_over_problems(second.tolist())
    assert paired.low > 0.04
    assert paired.high - paired.low < 0.2 * (apart.high - apart.low)
    reverse = paired_difference(second.tolist(), first.tolist())
    assert abs(paired.value + reverse.value) < 1e-12


def majority_by_enumeration(votes: list, k: int) -> float:
    """Draw every k-subset, break ties evenly, None never wins."""
    total = Fraction(0)
    subsets = list(combinations(votes, k))
    for subset in subsets:
        named = [v for v in subset if v is not None]
        if named:
            top = max(named.count(v) for v in set(named))
            winners = {v for v in named if named.count(v) == top}
            total += Fraction("right" in winners, len(winners))
    return float(total / len(subsets))


@given(st.lists(st.sampled_from(["right", "a", "b", "c", None]), min_size=1, max_size=8), st.data())
def test_maj_at_k_equals_enumeration(votes: list, data: st.DataObject) -> None:
    """Exactly the enumerated chance that the plurality is right."""
    k = data.draw(st.integers(1, len(votes)))
    assert maj_at_k(votes, "right", k) == majority_by_enumeration(votes, k)


def test_maj_at_1_is_the_mean_and_k_is_checked() -> None:
    """One vote is a draw; more votes than there are cannot be drawn."""
    votes = ["right"] * 3 + ["a"] * 5
    assert maj_at_k(votes, "right", 1) == 3 / 8
    for k in (0, 9):
        with pytest.raises(ConfigError, match="needs k in 1 to 8"):
            maj_at_k(votes, "right", k)


def test_empty_and_mismatched_data_are_refused() -> None:
    """No problem, no estimate; unpaired runs, no difference."""
    with pytest.raises(DataError):
        mean_over_problems([])
    with pytest.raises(DataError, match="1 and 2 problems"):
        paired_difference([0.0], [0.0, 1.0])
    with pytest.raises(ConfigError, match="confidence 95"):
        mean_over_problems([0.5], confidence=95)
    with pytest.raises(DataError, match="from 0 to 8, outside of 0 to 1"):
        mean_over_problems([0.0, 8.0])
