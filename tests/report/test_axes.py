"""From data to paper: scales, ticks and labels."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env.report.axes import Scale, domain, rate, short, spread, ticks

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, st.floats(1e-3, 1e6), st.integers(2, 10))
def test_ticks_are_round_even_and_inside(low: float, width: float, count: int) -> None:
    """Ticks lie in the interval, equally far apart, at 1, 2 or 5 times a power of ten."""
    high = low + width
    assume(high - low > 1e-9 * max(abs(low), 1))
    found = ticks(low, high, count)
    slack = 1e-6 * (high - low)
    assert all(low - slack <= t <= high + slack for t in found)
    steps = {float(f"{b - a:.4g}") for a, b in pairwise(found)}
    assert len(found) <= count + 1
    if len(found) > 2 and width > 1e-2 * abs(low):
        assert len(steps) == 1
        assert f"{steps.pop():e}"[0] in "125"


@given(st.lists(NUMBERS, max_size=8), st.booleans())
def test_domain_covers_and_has_width(values: list[float], include_zero: bool) -> None:
    """The interval holds every value (and 0 where asked) and is never a point."""
    low, high = domain(values, include_zero=include_zero)
    slack = 1e-9 * max([1.0, *map(abs, values)])
    assert all(low - slack <= v <= high + slack for v in values)
    assert high > low
    assert not include_zero or low <= 0 <= high


@given(st.lists(st.floats(0, 200), max_size=12), st.floats(1, 30))
def test_spread_labels_do_not_touch(wanted: list[float], gap: float) -> None:
    """Places keep the order, the least distance, and the paper; free labels stay where wanted."""
    placed = spread(wanted, gap, 0, 200)
    room = min(gap, 200 / max(1, len(wanted) - 1)) if wanted else gap
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    for a, b in pairwise(order):
        assert placed[b] - placed[a] >= room - 1e-6
    assert all(-1e-6 <= p <= 200 + 1e-6 for p in placed)
    far = all(wanted[b] - wanted[a] >= room for a, b in pairwise(order))
    if far:
        assert placed == pytest.approx(wanted)


def test_ticks_by_hand() -> None:
    """About as many as asked for, negative intervals included."""
    assert ticks(0, 1, 5) == (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert ticks(-1, 1, 4) == (-1, -0.5, 0, 0.5, 1)
    assert ticks(-3, -1, 4) == (-3, -2.5, -2, -1.5, -1)
    assert ticks(0, 97, 5) == (0, 20, 40, 60, 80)


def test_domain_by_hand() -> None:
    """The interval is as tight as its round ends allow."""
    assert domain([0.12, 0.93]) == (0, 1)
    assert domain([0.12, 0.43]) == (0, 0.5)
    assert domain([-0.31, 0.2]) == (-0.4, 0.2)
    assert domain([0.912, 0.968], include_zero=False) == (0.9, 0.98)


def test_crowded_labels_share_their_middle() -> None:
    """Labels that cannot stay are moved together around the mean of where they belong."""
    assert spread([50, 50, 53], 10, 0, 200) == pytest.approx([41, 51, 61])
    assert spread([1, 2, 150], 10, 0, 200) == pytest.approx([0, 10, 150])
    assert spread([199, 198], 10, 0, 200) == pytest.approx([200, 190])


def test_scale_by_hand() -> None:
    """A scale is linear, may run backwards, and puts a point interval in the middle."""
    down = Scale(0, 1, 240, 14)
    assert (down(0), down(1), down(0.5)) == (240, 14, 127)
    assert Scale(3, 3, 0, 10)(3) == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0084, ".008"), (1.0, "1.000"), (0.9996, "1.000"), (-0.0004, ".000"), (-0.5, "−.500")],
)
def test_rates_are_printed_without_their_zero(value: float, text: str) -> None:
    """Three decimals, no zero before the point, no negative zero."""
    assert rate(value) == text


def test_tick_labels_tell_neighbours_apart() -> None:
    """Labels of ticks are pairwise different at every magnitude."""
    for low, high in ((0, 1), (0.9, 1), (0, 3e-6), (0, 2000)):
        labels = [short(t) for t in ticks(low, high)]
        assert len(set(labels)) == len(labels)
