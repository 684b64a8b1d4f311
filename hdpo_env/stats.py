"""Estimates over problems and rollouts, each with an interval that says how sure it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from math import comb, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import derive_seed


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
    num_resamples: int = 2000,
    seed: int = 0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """The mean of one number per problem, with a bootstrap over problems.

    Whole problems are resampled, so the dependence among one problem's rollouts is respected
    (cluster bootstrap, percentile ends).

    Where all n problems have one value v, a bootstrap would claim certainty. Problems that differ
    from v may then still be a share q with (1 - q)^n >= (1 - confidence) / 2, the limit of Clopper
    and Pearson (Biometrika 26, 1934) for 0 of n; each moves the mean at most to one of ``bounds``,
    between which every value lies. The ends are those of the largest such q.

    Raises:
        DataError: there is no problem, or a value is out of ``bounds``.

    >>> [round(x, 3) for x in mean_over_problems([0.0, 0.0, 0.0])]
    [0.0, 0.0, 0.708]
    """
    data, blocks = _within(values, *bounds), _blocks(num_resamples)
    tail = (1 - _checked(confidence)) / 2
    if data.min() == data.max():
        return _of_equals(float(data[0]), data.size, tail, *bounds)
    rng = np.random.default_rng(derive_seed("bootstrap", seed))
    means = np.concatenate([_resampled_means(data, n, rng) for n in blocks])
    ends = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(data.mean()), float(ends[0]), float(ends[1]))


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


def _resampled_means(data: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    return data[rng.integers(data.size, size=(num, data.size))].mean(axis=1)


def _blocks(num_resamples: int, block: int = 100) -> list[int]:
    # Blocks keep the index matrix small: 100 x problems instead of 2,000 x problems.
    if num_resamples < 1:
        raise ConfigError(f"num_resamples is {num_resamples}: draw at least one")
    return [min(block, num_resamples - done) for done in range(0, num_resamples, block)]


def pass_at_k_over_problems(
    counts: Sequence[tuple[int, int]], k: int, *, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean pass@k of ``(num_samples, num_correct)`` pairs, one per problem.

    >>> pass_at_k_over_problems([(4, 4), (4, 0)], 2).value
    0.5
    """
    values = [pass_at_k(n, c, k) for n, c in counts]
    return mean_over_problems(values, confidence=confidence, seed=seed)


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of ``second - first`` over the same problems, with a paired bootstrap.

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
    settings = {"num_resamples": num_resamples, "seed": seed}
    return mean_over_problems(differences, confidence=confidence, **settings, bounds=(-1.0, 1.0))


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
