"""Each bound of hdpo_env.theory has exactly the form that its theorem states."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isinf

import pytest
from exact_arithmetic import LN2, ball, close, kl, probabilities
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.errors import ConfigError

proves = pytest.mark.proves
positive = st.fractions(Fraction(1, 50), 12, max_denominator=50)
sizes = st.integers(1, 500)


@proves("S20_pinsker_TV", "S4_sup", "S10_prop1_sequence", "S12_prop1_jsd")
@given(positive, sizes)
def test_bounds_that_need_a_shift_or_a_divergence(x, n):
    """sqrt(KL/2) up to 1, n D^2/2, and min(ln 2, D^2/4) for the JSD."""
    assert close(theory.pinsker_bound(float(x)), min(1.0, float((ball(x) / 2).sqrt().mid())), 1e-14)
    assert close(theory.realizability_bound(float(x)), x**2 / 2, 1e-14)
    assert close(theory.realizability_bound(float(x), n), n * x**2 / 2, 1e-14)
    assert close(theory.jsd_bound(float(x)), min(float(LN2.mid()), float(x**2 / 4)), 1e-14)


@proves("S8_JSD_saturates", "S8_gradient_vanishes")
@given(probabilities, positive)
def test_gradient_bounds(p, width):
    """Q (ln 2 + ln 1/q) / 2 for the JSD, w p (1-p) for the reward; 0 where nothing can move."""
    bound = theory.jsd_gradient_bound(float(p))
    assert close(bound, ball(p) / 2 * (LN2 - ball(p).log()) if p else Fraction(0), 1e-14)
    found = theory.reward_gradient_bound(float(p), float(width))
    assert close(found, width * p * (1 - p), 1e-14)


@proves("S9_data_processing", "S10_cliff_tension")
@given(probabilities, probabilities, sizes)
def test_kl2_and_the_shift_it_needs(p, q, n):
    """kl2 is the KL of two coins; sqrt(2 kl2 / n) the shift; infinite if q rules p out."""
    if (q == 0 and p > 0) or (q == 1 and p < 1):
        assert isinf(theory.kl2(float(p), float(q)))
        return
    truth = kl([p, 1 - p], [q, 1 - q])
    assert close(theory.kl2(float(p), float(q)), truth, 1e-12)
    if p != q:
        shift = theory.logit_shift_needed(float(p), float(q), n)
        assert close(shift, (2 * truth / n).sqrt(), 1e-7)


@proves("S18_filtered_estimate")
@given(probabilities, positive, positive, st.integers(0, 40))
def test_the_range_of_the_function_scales_the_deviation(p, t, width, n):
    """Only t/w enters the finite-sample bound."""
    wide = theory.filtered_estimate_bound(float(p), n, float(t), float(width))
    unit = theory.filtered_estimate_bound(float(p), n, float(t / width))
    assert wide == pytest.approx(unit, rel=1e-9)


def test_limits_are_exact():
    """Extreme arguments give the limit itself, not an overflow."""
    assert theory.hard_threshold_gap(1e-300, 1e-9) == (0.0, 0.0)
    assert theory.hard_threshold_gap(1.0, 1.0) == (0.0, 0.0)
    assert theory.success_after(1e-300, 1e-9, 5) == 1.0
    assert (theory.success_after(0.0, 1e-9), theory.success_after(1.0, 5.0)) == (0.0, 1.0)
    assert theory.filtered_estimate_bound(1.0, 0, 9.0) == 1.0
    assert theory.topk_jsd_change(0.0) == (0.0, 0.0)
    assert theory.gibbs_policy([0.0, -inf], [0.0, 1e6], 1e-3).log_probs == (0.0, -inf)


@pytest.mark.parametrize(
    "call",
    [
        lambda: theory.gibbs_policy([0.0], [1.0], 0.0),
        lambda: theory.gibbs_policy([0.0], [1.0, 2.0], 1.0),
        lambda: theory.gibbs_policy([-inf], [1.0], 1.0),
        lambda: theory.hard_threshold_gap(0.0, 1.0),
        lambda: theory.hard_threshold_gap(0.5, -1.0),
        lambda: theory.success_after(0.5, 1.0, -1),
        lambda: theory.steps_needed(1.0, 0.5, 1.0),
        lambda: theory.cliff_probability(0.5, -1),
        lambda: theory.kl2(1.5, 0.5),
        lambda: theory.realizability_bound(-1.0),
        lambda: theory.logit_shift_needed(0.5, 0.5, 0),
        lambda: theory.pinsker_bound(-0.1),
        lambda: theory.topk_jsd_change(1.0),
        lambda: theory.jsd_gradient_bound(-0.1),
        lambda: theory.reward_gradient_bound(0.5, -1.0),
        lambda: theory.filtered_estimate_bound(0.5, -1, 0.1),
        lambda: theory.filtered_estimate_bound(0.5, 1, 0.0),
    ],
)
def test_impossible_arguments_are_refused(call):
    """Every argument outside a theorem's premises is a ConfigError that names it."""
    with pytest.raises(ConfigError):
        call()
