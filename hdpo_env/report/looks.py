"""Which colour a variant has, everywhere in a report; the colours themselves are in `page.css`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_TWINS = ("-frozen", "-ema")
NUM_COLORS = 8  # .c0 ... .c7 in page.css; .c0 is the baseline's grey


class Look(NamedTuple):
    """A colour number, whether lines are dashed (and points hollow), and a number for switches."""

    color: int
    is_dashed: bool
    switch: int

    @property
    def classes(self) -> str:
        """CSS classes of everything drawn for this variant."""
        return f"c{self.color} v{self.switch}" + (" dashed" if self.is_dashed else "")


def assign_looks(variants: Sequence[str], baseline: str | None) -> dict[str, Look]:
    """A look per variant. ``x-frozen`` and ``x-ema`` share the colour of ``x`` and are dashed.

    Colours start again when there are more variants than colours; labels stay distinct.

    >>> looks = assign_looks(["grpo", "hdpo", "hdpo-frozen"], "grpo")
    >>> [(look.color, look.is_dashed) for look in looks.values()]
    [(0, False), (1, False), (1, True)]
    """
    looks: dict[str, Look] = {}
    given = 0
    for switch, variant in enumerate(variants):
        base = _twin_of(variant)
        if base in looks:
            looks[variant] = Look(looks[base].color, True, switch)
            continue
        color = 0 if variant == baseline else 1 + given % (NUM_COLORS - 1)
        looks[variant] = Look(color, given >= NUM_COLORS - 1, switch)
        given += variant != baseline
    return looks


def _twin_of(variant: str) -> str | None:
    return next((variant.removesuffix(s) for s in _TWINS if variant.endswith(s)), None)
