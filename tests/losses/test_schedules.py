"""Coefficients over the steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses.schedules import distill_weight, lr_factor


@given(step=st.integers(0, 400), warm=st.integers(0, 100), decay=st.integers(0, 400))
def test_beta_is_its_formula(step, warm, decay):
    """It is base * min(1, k/T_warm) * min(1, (T-k)/T_decay), without a factor of length 0."""
    up = 1.0 if warm == 0 or step >= warm else step / warm
    down = 1.0 if decay == 0 or 400 - step >= decay else (400 - step) / decay
    got = distill_weight(step, 400, base=0.7, warmup_steps=warm, decay_steps=decay)
    assert got == pytest.approx(0.7 * up * down, abs=1e-15)


def test_the_papers_schedule_peaks_at_step_50():
    """T = 400, warmup 50, decay 350: 0 at both ends, base at step 50 only."""
    path = [distill_weight(k, 400, base=1e-3, warmup_steps=50, decay_steps=350) for k in range(401)]
    assert path[0] == path[400] == 0.0
    assert max(range(401), key=path.__getitem__) == 50
    assert path[50] == 1e-3


@given(step=st.integers(0, 200), warmup=st.integers(0, 100), start=st.floats(0, 1))
def test_the_learning_rate_rises_linearly_to_one(step, warmup, start):
    """It is start at step 0, 1 from the end of the warmup, halfway in between."""
    got = lr_factor(step, warmup_steps=warmup, start=start)
    want = 1.0 if step >= warmup else start + (1 - start) * step / warmup
    assert got == pytest.approx(want, abs=1e-15)
    assert lr_factor(0, warmup_steps=50) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: distill_weight(5, 4, base=1.0, warmup_steps=0, decay_steps=0), "step = 5"),
        (lambda: distill_weight(1, 4, base=1.0, warmup_steps=-1, decay_steps=0), "warmup_steps"),
        (lambda: distill_weight(1, 4, base=1.0, warmup_steps=0, decay_steps=-2), "decay_steps"),
        (lambda: lr_factor(-1, warmup_steps=3), "step = -1"),
        (lambda: lr_factor(1, warmup_steps=3, start=2.0), "start = 2.0"),
    ],
)
def test_impossible_schedules_are_refused(call, name):
    """The error names the argument and its value."""
    with pytest.raises(ValueError, match=name):
        call()
