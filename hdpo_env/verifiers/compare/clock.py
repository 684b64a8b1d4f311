"""Times of day: 3:30 PM is 15:30, and nobody knows which half of the day 3:30 is in."""

from __future__ import annotations

from hdpo_env.verifiers.parse.nodes import Node, Num, Op

_HALVES = {"am": 0, "pm": 12}


def same_time(gold: tuple[Node, ...], answer: tuple[Node, ...]) -> bool | None:
    """Compare two times if either says its half of the day; None if neither is surely a time.

    A time without that mark is accepted for one with it only if it can be no other half.
    """
    marks = [_half(parts[-1]) for parts in (gold, answer)]
    if marks == [None, None]:
        return gold == answer if _is_clock(gold) and _is_clock(answer) else None
    minutes = [_minutes(*pair) for pair in zip((gold, answer), marks, strict=True)]
    return None not in minutes and minutes[0] == minutes[1]


def _half(node: Node) -> int | None:
    is_unit = isinstance(node, Op) and node.name == "unit"
    return _HALVES.get(node.data.lower()) if is_unit and isinstance(node, Op) else None


def _minutes(parts: tuple[Node, ...], half: int | None) -> int | None:
    """Minutes since midnight, or None if that is open or the parts are no time."""
    if half is not None and isinstance(parts[-1], Op):
        parts = (*parts[:-1], parts[-1].args[0])
    if not _is_clock(parts):
        return None
    hour, minute = (part.value.numerator for part in parts if isinstance(part, Num))
    if half is None:
        return None if 1 <= hour <= 12 else 60 * (hour % 24) + minute
    return 60 * (hour % 12 + half) + minute if 1 <= hour <= 12 else None


def _is_clock(parts: tuple[Node, ...]) -> bool:
    """Whether a pair may be hours and minutes: the minutes are 00 or have two digits."""
    numbers = [part.value for part in parts if isinstance(part, Num)]
    if len(numbers) != 2 or len(parts) != 2 or any(n.denominator != 1 for n in numbers):
        return False
    return numbers[0] <= 24 and (numbers[1] == 0 or 10 <= numbers[1] < 60)
