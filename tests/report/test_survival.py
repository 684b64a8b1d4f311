"""How long cliffs last, against a published table, a second algorithm, and plain counting."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs.transitions import EscapeTime
from hdpo_env.report.survival import median_time, survival

# Weeks of remission under 6-mercaptopurine (Freireich et al. 1963), the data set on which the
# product-limit estimate is taught; a plus marks censored weeks.
WEEKS = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
# Its estimate with 95 % intervals on the log(-log) scale, as R's survfit prints them.
PRINTED = {
    6: (0.857, 0.620, 0.952),
    7: (0.807, 0.563, 0.923),
    10: (0.753, 0.503, 0.889),
    13: (0.690, 0.432, 0.849),
    16: (0.627, 0.368, 0.805),
    22: (0.538, 0.268, 0.747),
    23: (0.448, 0.188, 0.680),
}


def _time(duration: int, is_censored: bool, born: int = 3) -> EscapeTime:
    escaped = None if is_censored else born + duration
    return EscapeTime("p", "m", born, escaped, born + duration + (0 if is_censored else 5))


TIMES = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=25)


def test_the_textbook_table() -> None:
    """Estimates and intervals of the remission data, to the three printed decimals."""
    times = [_time(int(week.rstrip("+")), week.endswith("+")) for week in WEEKS.split()]
    found = {s.time: s for s in survival(times)}
    for week, (share, low, high) in PRINTED.items():
        assert found[week][1:4] == pytest.approx((share, low, high), abs=6e-4)
    assert found[6][4:] == (21, 3, 1)
    assert median_time(survival(times)) == 23


@given(TIMES)
def test_it_is_the_redistribution_to_the_right(drawn: list[tuple[int, bool]]) -> None:
    """Efron's algorithm gives each censored cliff's mass to those that lasted longer: the same."""
    # Events before censorings at equal times, as the product-limit estimate has it.
    order = sorted(drawn)
    mass = [Fraction(1, len(order))] * len(order)
    for i, (_, is_censored) in enumerate(order):
        if is_censored and i + 1 < len(order):
            for j in range(i + 1, len(order)):
                mass[j] += mass[i] / (len(order) - i - 1)
            mass[i] = Fraction(0)
    for s in survival([_time(*t) for t in drawn]):
        gone = sum(
            m
            for m, (t, is_censored) in zip(mass, order, strict=True)
            if t <= s.time and not is_censored
        )
        assert s.share == pytest.approx(float(1 - gone), abs=1e-12)


@given(TIMES)
def test_intervals_hold_the_estimate_and_counts_add_up(drawn: list[tuple[int, bool]]) -> None:
    """0 <= low <= share <= high <= 1, shares fall, and every cliff leaves exactly once."""
    curve = survival([_time(*t) for t in drawn])
    assert curve[0].time == 0
    assert curve[0].num_at_risk == len(drawn)
    at_risk = len(drawn)
    for s in curve:
        assert 0 <= s.low <= s.share + 1e-12
        assert s.share <= s.high + 1e-12 <= 1 + 2e-12
        assert s.num_at_risk == at_risk
        at_risk -= s.num_escaped + s.num_censored
    assert at_risk == 0
    shares = [s.share for s in curve]
    assert shares == sorted(shares, reverse=True)


def test_no_escape_is_no_certainty() -> None:
    """Three cliffs that last to the end: .025^(1/3) = .2924 at first, .025 with one left."""
    curve = survival([_time(4, True), _time(6, True), _time(9, True)])
    assert [(s.time, s.share, s.high) for s in curve] == [(t, 1.0, 1.0) for t in (0, 4, 6, 9)]
    assert [s.low for s in curve] == pytest.approx([1, 0.2924, 0.1581, 0.025], abs=1e-4)


def test_without_cliffs_there_is_no_curve_and_no_median() -> None:
    """Nothing was a cliff: nothing is drawn. Cliffs that mostly last have no median."""
    assert survival([]) == ()
    assert median_time(()) is None
    assert median_time(survival([_time(2, False), _time(5, True), _time(6, True)])) is None
