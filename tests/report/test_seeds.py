"""Seeds -> means, intervals and bands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import DataError
from hdpo_env.report.records import Curve
from hdpo_env.report.seeds import band, seed_mean, thinned

RATES = st.lists(st.floats(0, 1), min_size=2, max_size=9)
CURVES = st.dictionaries(st.integers(0, 60), st.floats(-5, 5), min_size=1).map(
    lambda d: Curve(tuple(sorted(d)), tuple(d[s] for s in sorted(d)))
)


def test_seed_mean_by_hand() -> None:
    """.4, .5, .6: s = .1, s/sqrt(3) = .057735, t = 4.302653, so .5 -+ .248414."""
    mean = seed_mean([0.4, 0.5, 0.6])
    assert mean[:3] == pytest.approx((0.5, 0.251586, 0.748414), abs=1e-6)


def test_one_seed_has_no_interval_and_none_has_no_mean() -> None:
    """One seed shows no spread, and its absence is not a zero width."""
    assert seed_mean([0.25]) == (0.25, None, None, 1)
    with pytest.raises(DataError, match="no value"):
        seed_mean([])


def test_intervals_of_rates_stay_rates() -> None:
    """0 and 1 give .5 -+ 6.35 without bounds, [0, 1] with them."""
    assert seed_mean([0.0, 1.0])[:3] == (0.5, 0.0, 1.0)
    free = seed_mean([0.0, 1.0], bounds=None)
    assert free.low == pytest.approx(0.5 - 12.7062 * 0.5, abs=1e-3)


@given(RATES, st.floats(0.1, 10), st.floats(-3, 3))
def test_interval_moves_with_its_unit(values: list[float], scale: float, shift: float) -> None:
    """Mean and interval are equivariant under a change of unit and origin."""
    plain = seed_mean(values, bounds=None)
    moved = seed_mean([scale * v + shift for v in values], bounds=None)
    for a, b in zip(plain[:3], moved[:3], strict=True):
        assert a is not None
        assert b == pytest.approx(scale * a + shift, abs=1e-9 * (1 + scale))


@given(CURVES, st.integers(1, 12))
def test_thinning_keeps_the_sum_over_full_bins(curve: Curve, width: int) -> None:
    """Each point is the mean of its bin: weighted by bin sizes, the total is unchanged."""
    thin = thinned(curve, width)
    sizes = {s: sum(1 for t in curve.steps if t // width * width == s) for s in thin.steps}
    if width == 1:
        sizes = dict.fromkeys(curve.steps, 1)
    total = sum(v * sizes[s] for s, v in zip(thin.steps, thin.values, strict=True))
    assert total == pytest.approx(sum(curve.values), abs=1e-9)
    assert thin.steps[-1] <= curve.steps[-1]


@given(st.lists(CURVES, min_size=1, max_size=4))
def test_band_holds_every_seed(curves: list[Curve]) -> None:
    """At each step every seed lies in the band, its ends are seeds, and none is invented."""
    points = {p.step: p for p in band(curves)}
    assert set(points) == {s for c in curves for s in c.steps}
    for step, p in points.items():
        values = [c.values[c.steps.index(step)] for c in curves if step in c.steps]
        assert (p.low, p.high, p.num_seeds) == (min(values), max(values), len(values))
        assert p.mean == pytest.approx(sum(values) / len(values), abs=1e-12)
