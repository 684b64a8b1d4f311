"""Estimates over problems and rollouts, each with an interval that says how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import atan, comb, copysign, cos, pi, sin, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from hdpo_env.errors import ConfigError, DataError


class Estimate(NamedTuple):
    """A value and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """The unbiased estimate of pass@k: the share of k-subsets that hold a correct completion.

    ``1 - C(n - c, k) / C(n, k)`` with n samples, c of them correct (Chen et al. 2021, eq. 1);
    k = 1 is the mean, k = n is "any". Computed in exact integers and rounded once.

    Raises:
        ConfigError: ``k`` is outside 1 to n, or the counts are impossible.

    >>> pass_at_k(4, 1, 2)
    0.5
    >>> pass_at_k(4, 1, 8)
    Traceback (most recent call last):
    ...
    hdpo_env.errors.ConfigError: pass@8 cannot be estimated from 4 samples: draw at least k
    """
    _check_counts(num_samples, num_correct)
    if k < 1:
        raise ConfigError(f"k is {k}: pass@k needs k of 1 or more")
    if k > num_samples:
        raise ConfigError(
            f"pass@{k} cannot be estimated from {num_samples} samples: draw at least k"
        )
    total = comb(num_samples, k)
    return (total - comb(num_samples - num_correct, k)) / total


def wilson_interval(num_correct: int, num_samples: int, confidence: float = 0.95) -> Estimate:
    """A rate of independent trials with Wilson's score interval; [0, 1] when there are none.

    Independent trials only: rollouts of one problem share its difficulty, so for rates over
    several problems use `mean_over_problems`.

    >>> [round(x, 3) for x in wilson_interval(0, 10)]
    [0.0, 0.0, 0.278]
    """
    _check_counts(num_samples, num_correct)
    if num_samples == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + _checked(confidence)) / 2)
    n, rate = num_samples, num_correct / num_samples
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(rate, max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))


def mean_over_problems(
    values: Sequence[float],
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """The mean of one number per problem, with an interval over problems for skewed data.

    A problem's rollouts share its difficulty, so a problem counts as one observation. Student's
    t of few, mostly hard problems is skewed; Hall's transformation takes that off (Journal of the
    Royal Statistical Society B 54, 1992, eq. 2.6): with s the standard error, g the skewness and
    ``A = g / sqrt(n)``, the ends are ``mean - s x(t)`` for both tails' quantiles t of n - 1 degrees
    of freedom, where ``x(t) = 3 / A ((1 + A (t - A / 6))^(1/3) - 1)``, cut to ``bounds``.

    Where all n problems have one value v, s is 0 and would claim certainty. Problems that differ
    from v may then still be a share q with (1 - q)^n >= (1 - confidence) / 2, the limit of Clopper
    and Pearson (Biometrika 26, 1934) for 0 of n; each moves the mean at most to one of ``bounds``,
    between which every value lies. The ends are those of the largest such q.

    Raises:
        DataError: there is no problem, or a value is out of ``bounds``.

    >>> [round(x, 3) for x in mean_over_problems([0.0, 0.0, 0.0])]
    [0.0, 0.0, 0.708]
    >>> [round(x, 3) for x in mean_over_problems([0.0] * 50 + [0.25] * 2 + [1.0] * 2)]
    [0.046, 0.008, 0.262]
    """
    data, tail = _within(values, *bounds), (1 - _checked(confidence)) / 2
    mean = float(data.mean())
    off = data - mean
    variance = float((off * off).mean())
    if data.min() == data.max() or not variance:
        return _of_equals(float(data[0]), data.size, tail, *bounds)
    error = sqrt(variance / (data.size - 1))
    a = float((off**3).mean()) / variance**1.5 / sqrt(data.size)
    t = t_quantile(data.size - 1, confidence)
    low, high = mean - error * _unskewed(t, a), mean - error * _unskewed(-t, a)
    return Estimate(mean, max(bounds[0], min(low, mean)), min(bounds[1], max(high, mean)))


def _unskewed(t: float, a: float) -> float:
    # x with x + a x^2 / 3 + a^2 x^3 / 27 + a / 6 = t, which grows with x.
    if abs(a) < 1e-9:
        return t
    cube = 1 + a * (t - a / 6)
    return 3 / a * (copysign(abs(cube) ** (1 / 3), cube) - 1)


@lru_cache
def t_quantile(df: int, confidence: float = 0.95) -> float:
    """The t with P(-t <= T <= t) = ``confidence`` for Student's t of ``df`` degrees of freedom.

    By bisection of the closed form for whole degrees of freedom (Abramowitz and Stegun 26.7.3-4);
    from 1,000 on from the normal distribution's quantile (26.7.5), to 1e-5.

    Raises:
        ConfigError: the confidence is outside (0, 1).
        DataError: ``df`` is below 1.

    >>> round(t_quantile(2), 3), round(t_quantile(30), 3)
    (4.303, 2.042)
    """
    if df < 1:
        raise DataError(f"{df} degrees of freedom: the interval of a mean needs two numbers")
    if df >= 1000:
        z = NormalDist().inv_cdf((1 + _checked(confidence)) / 2)
        return z + (z**3 + z) / (4 * df)
    low, high = 0.0, 1.0
    while _chance_within(high, df) < _checked(confidence):
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_within(middle, df) < confidence else (low, middle)
    return (low + high) / 2


def _chance_within(t: float, df: int) -> float:
    angle = atan(t / sqrt(df))
    term = cos(angle) if df % 2 else 1.0
    total = 0.0
    for i in range(1 + df % 2, df, 2):
        total += term
        term *= cos(angle) ** 2 * i / (i + 1)
    return (angle + sin(angle) * total) * 2 / pi if df % 2 else sin(angle) * total


def _within(values: Sequence[float], low: float, high: float) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if data.ndim != 1 or not data.size:
        raise DataError(
            f"got {data.shape} values: give one number for each of one or more problems"
        )
    if data.min() < low or data.max() > high:
        raise DataError(
            f"values reach from {data.min():g} to {data.max():g}, outside of {low:g} to {high:g}: "
            "name their range with bounds"
        )
    return data


def _of_equals(value: float, num: int, tail: float, low: float, high: float) -> Estimate:
    share = 1 - tail ** (1 / num)  # of problems that may differ and were not met
    return Estimate(value, value - share * (value - low), value + share * (high - value))


def pass_at_k_over_problems(
    counts: Sequence[tuple[int, int]], k: int, *, confidence: float = 0.95
) -> Estimate:
    """Mean pass@k of ``(num_samples, num_correct)`` pairs, one per problem.

    >>> pass_at_k_over_problems([(4, 4), (4, 0)], 2).value
    0.5
    """
    values = [pass_at_k(n, c, k) for n, c in counts]
    return mean_over_problems(values, confidence=confidence)


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    *,
    confidence: float = 0.95,
) -> Estimate:
    """Mean of ``second - first`` over the same problems, with `mean_over_problems`' interval.

    Both are rates, so that a difference is in -1 to 1.

    Raises:
        DataError: the two runs do not cover the same number of problems, or none.

    >>> paired_difference([0.0, 0.5], [0.5, 1.0]).value
    0.5
    """
    if len(first) != len(second):
        raise DataError(
            f"{len(first)} and {len(second)} problems: a paired comparison needs the same problems "
            "in the same order"
        )
    differences = [b - a for a, b in zip(first, second, strict=True)]
    return mean_over_problems(differences, confidence=confidence, bounds=(-1.0, 1.0))


def maj_at_k(votes: Sequence[Hashable | None], correct: Hashable, k: int) -> float:
    """The chance that a plurality of k of the n votes, drawn without replacement, is ``correct``.

    Ties are broken evenly. None is a completion that states no answer: it is drawn but cannot win.
    Exact, by counting draws; k = 1 is the mean.

    Raises:
        ConfigError: ``k`` is outside 1 to n.

    >>> maj_at_k(["4", "4", "5"], "4", 3), maj_at_k(["4", "5", None], "4", 3)
    (1.0, 0.5)
    """
    if not 1 <= k <= len(votes):
        raise ConfigError(f"maj@{k} needs k in 1 to {len(votes)}, the number of votes")
    tally = Counter(votes)
    blank, right = tally.pop(None, 0), tally.pop(correct, 0)
    rivals = list(tally.values())
    wins = Fraction(0)
    for top in range(1, min(k, right) + 1):
        ways = _rival_draws(rivals, top, k - top)
        for (drawn, tied), count in ways.items():
            wins += Fraction(comb(right, top) * count * comb(blank, k - top - drawn), 1 + tied)
    return float(wins / comb(len(votes), k))


def _rival_draws(rivals: Sequence[int], top: int, room: int) -> Counter[tuple[int, int]]:
    # Draws in which no rival gets more than ``top`` votes: (votes drawn, rivals with exactly top).
    ways: Counter[tuple[int, int]] = Counter({(0, 0): 1})
    for votes in rivals:
        grown: Counter[tuple[int, int]] = Counter()
        for (drawn, tied), count in ways.items():
            for taken in range(min(votes, top, room - drawn) + 1):
                grown[drawn + taken, tied + (taken == top)] += count * comb(votes, taken)
        ways = grown
    return ways


def _check_counts(num_samples: int, num_correct: int) -> None:
    if not 0 <= num_correct <= num_samples:
        raise ConfigError(f"{num_correct} correct of {num_samples} samples is impossible")


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence {confidence} is outside (0, 1): 0.95 means 95 %")
    return confidence
