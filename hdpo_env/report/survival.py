"""How long cliffs last: the Kaplan-Meier estimate over birth-to-escape times with censoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import exp, log, sqrt
from typing import NamedTuple

from hdpo_env.cliffs.transitions import EscapeTime

_Z = 1.959964  # the 97.5 % point of the standard normal distribution
_TAIL = 0.025


class Survival(NamedTuple):
    """The share of cliffs that last longer than ``time`` steps, with its 95 % interval.

    ``num_at_risk`` were still cliffs, and still observed, just before; ``num_escaped`` of them
    escaped at this time and ``num_censored`` were seen for the last time, still cliffs.
    """

    time: int
    share: float
    low: float
    high: float
    num_at_risk: int
    num_escaped: int
    num_censored: int


def survival(times: Iterable[EscapeTime]) -> tuple[Survival, ...]:
    """The product-limit estimate ``S(t) = prod over t_i <= t of (1 - d_i / n_i)``.

    Intervals are Greenwood's on the log(-log) scale, as Kalbfleisch and Prentice propose, so
    they stay within 0 and 1; where S is 0 the variance has no estimate, and the lower end is 0 and
    the upper end that of the time before. Where none of n has escaped by a later time, the lower
    end is the largest S with S^n <= .025, the limit of Clopper and Pearson. The first entry is
    time 0, where all are at risk; without any time there is no entry.

    >>> times = [EscapeTime("a", "m", 0, 4, 9), EscapeTime("b", "m", 2, None, 8)]
    >>> [s.share for s in survival(times)]
    [1.0, 0.5, 0.5]
    """
    ended: Counter[int] = Counter()
    censored: Counter[int] = Counter()
    for t in times:
        end = t.last_step if t.escaped_step is None else t.escaped_step
        (censored if t.escaped_step is None else ended)[end - t.born_step] += 1
    at_risk = ended.total() + censored.total()
    share, variance, upper = 1.0, 0.0, 1.0
    curve: list[Survival] = []
    for time in sorted({0, *ended, *censored}) if at_risk else []:
        d, c = ended[time], censored[time]
        share *= 1 - d / at_risk
        if d < at_risk:
            variance += d / (at_risk * (at_risk - d))
        low, upper = _interval(share, variance, upper)
        if share >= 1.0 and time > 0:
            low = _TAIL ** (1 / at_risk)
        curve.append(Survival(time, share, low, upper, at_risk, d, c))
        at_risk -= d + c
    return tuple(curve)


def _interval(share: float, variance: float, upper: float) -> tuple[float, float]:
    if share >= 1.0:
        return 1.0, 1.0
    if share <= 1e-12:
        return 0.0, upper
    width = _Z * sqrt(variance) / abs(log(share))
    return share ** exp(width), share ** exp(-width)


def median_time(curve: Iterable[Survival]) -> int | None:
    """The first time at which at most half of the cliffs last; None if more last to the end."""
    return next((s.time for s in curve if s.share <= 0.5), None)
