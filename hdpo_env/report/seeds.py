"""Several seeds -> one number with an interval, one curve with a band."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from hdpo_env.errors import DataError
from hdpo_env.report.records import Curve
from hdpo_env.stats import t_quantile


class SeedMean(NamedTuple):
    """A mean over seeds; ``low`` and ``high`` are None for one seed, which shows no spread."""

    mean: float
    low: float | None
    high: float | None
    num_seeds: int


class BandPoint(NamedTuple):
    """The seeds of one step: their mean, and the lowest and the highest of them."""

    step: float
    mean: float
    low: float
    high: float
    num_seeds: int


def seed_mean(
    values: Sequence[float], *, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> SeedMean:
    """The mean of one number per seed with its 95 % Student t interval, cut to ``bounds``.

    Raises:
        DataError: there is no value.

    >>> seed_mean([0.5])
    SeedMean(mean=0.5, low=None, high=None, num_seeds=1)
    >>> [round(x, 3) for x in seed_mean([0.4, 0.5, 0.6])[:3]]
    [0.5, 0.252, 0.748]
    """
    n = len(values)
    if not n:
        raise DataError("no value to average: at least one seed must have reached this point")
    mean = sum(values) / n
    if n == 1:
        return SeedMean(mean, None, None, 1)
    spread = sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n) * t_quantile(n - 1)
    floor, ceiling = bounds or (float("-inf"), float("inf"))
    return SeedMean(mean, max(floor, mean - spread), min(ceiling, mean + spread), n)


def thinned(curve: Curve, width: int) -> Curve:
    """The curve with every ``width`` consecutive steps replaced by their mean, at the first.

    >>> thinned(Curve((0, 1, 2, 3), (0.0, 1.0, 4.0, 6.0)), 2)
    Curve(steps=(0, 2), values=(0.5, 5.0))
    """
    if width <= 1:
        return curve
    bins: dict[int, list[float]] = {}
    for step, value in zip(curve.steps, curve.values, strict=True):
        bins.setdefault(step // width, []).append(value)
    return Curve(
        tuple(b * width for b in bins), tuple(sum(values) / len(values) for values in bins.values())
    )


def band(curves: Sequence[Curve]) -> tuple[BandPoint, ...]:
    """Mean, lowest and highest over seeds at each step that any seed has.

    >>> band([Curve((0, 1), (0.0, 1.0)), Curve((0,), (0.5,))])[0]
    BandPoint(step=0, mean=0.25, low=0.0, high=0.5, num_seeds=2)
    """
    held: dict[int, list[float]] = {}
    for curve in curves:
        for step, value in zip(curve.steps, curve.values, strict=True):
            held.setdefault(step, []).append(value)
    return tuple(
        BandPoint(step, sum(v) / len(v), min(v), max(v), len(v)) for step, v in sorted(held.items())
    )
