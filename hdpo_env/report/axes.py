"""From data to paper: scales, round ticks, and labels that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from a data interval to a paper interval (which may run backwards).

    >>> Scale(0, 10, 100, 200)(5)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies on paper; the middle if the data interval is a point."""
        span = self.high - self.low
        return self.start + (self.end - self.start) * ((value - self.low) / span if span else 0.5)


@dataclass(frozen=True, slots=True)
class Axis:
    """What a horizontal axis is called, and its ticks if they are not round numbers.

    >>> Axis("k", ((0.0, "1"), (1.0, "2"))).name(1.0), Axis().name(20)
    ('k 2', 'step 20')
    """

    label: str = "step"
    ticks: tuple[tuple[float, str], ...] | None = None

    def marks(self, low: float, high: float, count: int) -> tuple[tuple[float, str], ...]:
        """Where the ticks are, and what is written under them."""
        if self.ticks is not None:
            return self.ticks
        return tuple((v, short(v)) for v in ticks(low, high, count))

    def value(self, value: float) -> str:
        """A place on the axis, as its tick would name it."""
        return dict(self.ticks or ()).get(value) or short(value)

    def name(self, value: float) -> str:
        """A place on the axis, with the axis's name."""
        return f"{self.label} {self.value(value)}"


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten) within an interval.

    >>> ticks(0, 1), ticks(0, 100, 4)
    ((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (0.0, 50.0, 100.0))
    >>> ticks(3, 3)
    (3,)
    """
    if high - low < 1e-300:
        return (low,)
    step = _round_step((high - low) / count)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return tuple(_clean(i * step) for i in range(first, last + 1))


def _round_step(raw: float) -> float:
    power = 10.0 ** floor(log10(raw))
    return next(m * power for m in (1, 2, 5, 10) if raw <= m * power * (1 + 1e-9))


def domain(values: Sequence[float], *, include_zero: bool = True) -> tuple[float, float]:
    """A round interval that holds the values; it has a width even if they have none.

    >>> domain([0.2, 0.93]), domain([]), domain([0.0, 0.0])
    ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    >>> domain([0.93, 0.97], include_zero=False)
    (0.93, 0.97)
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    if include_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-300:
        low, high = (low, low + 1.0) if include_zero else (low - 0.5, high + 0.5)
    step = _round_step((high - low) / 5)
    return _clean(floor(low / step + 1e-9) * step), _clean(ceil(high / step - 1e-9) * step)


def _clean(value: float) -> float:
    # 3 * 0.1 is 0.30000000000000004: twelve digits are the number that was meant.
    return float(f"{value:.12g}")


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least ``gap`` apart, as near to the wanted ones as a greedy pass can keep them.

    The order of the wanted places is kept; where there is too little room the gap shrinks evenly.

    >>> spread([10, 10, 10], gap=5, low=0, high=100)
    [5.0, 10.0, 15.0]
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[float, list[int]]] = []  # (first place, members), later blocks below earlier
    for i in order:
        blocks.append((_clip(wanted[i], 0, low, high), [i]))
        while len(blocks) > 1 and blocks[-1][0] < blocks[-2][0] + gap * len(blocks[-2][1]) - 1e-9:
            members = blocks[-2][1] + blocks[-1][1]
            blocks[-2:] = [(_settled(members, wanted, gap, low, high), members)]
    placed = [0.0] * len(wanted)
    for start, members in blocks:
        for rank, i in enumerate(members):
            placed[i] = start + gap * rank
    return placed


def _settled(
    members: Sequence[int], wanted: Sequence[float], gap: float, low: float, high: float
) -> float:
    centre = sum(wanted[i] for i in members) / len(members)
    length = gap * (len(members) - 1)
    return _clip(centre - length / 2, length, low, high)


def _clip(start: float, length: float, low: float, high: float) -> float:
    return min(max(start, low), high - length)


def rate(value: float, digits: int = 3) -> str:
    """A number the way tables print it: no zero before the point.

    >>> rate(0.0084), rate(1), rate(-0.02), rate(12.3456, 1)
    ('.008', '1.000', '−.020', '12.3')
    """
    text = f"{abs(value):.{digits}f}"
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 and text.strip(".0") else text


def short(value: float) -> str:
    """A tick's label: as few digits as tell it from its neighbours.

    >>> short(0.2), short(100.0), short(0), short(1.5), short(2e-5)
    ('.2', '100', '0', '1.5', '2e-05')
    """
    text = f"{value:.4g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
