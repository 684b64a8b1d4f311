"""S15: the clipped and dual-clipped policy losses, exactly and through autograd."""

from __future__ import annotations

from fractions import Fraction
from math import log

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env.losses import policy_loss

proves = pytest.mark.proves
ratios = st.fractions(Fraction(1, 20), 6, max_denominator=40)
advantages = st.fractions(-3, 3, max_denominator=8)
low_clips = st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(1, 5), Fraction(1, 2)])
high_clips = st.sampled_from([Fraction(0), Fraction(1, 5), Fraction(7, 25), Fraction(1)])


def exact_loss(a, rho, low, high, dual=None) -> Fraction:
    """The per-token loss as it is stated in the proofs."""
    clipped = max(1 - low, min(rho, 1 + high))
    objective = min(rho * a, clipped * a)
    return -max(objective, dual * a) if dual is not None and a < 0 else -objective


def loss_and_gradient(a, rho, low, high, dual=None) -> tuple[float, float]:
    """policy_loss at log-ratio ln(rho), and its derivative in the log-probability."""
    logp = torch.tensor([log(rho)], dtype=torch.float64, requires_grad=True)
    out = policy_loss(
        logp,
        torch.zeros(1, dtype=torch.float64),
        torch.tensor([float(a)], dtype=torch.float64),
        clip_low=float(low),
        clip_high=float(high),
        dual_clip=None if dual is None else float(dual),
    )
    (gradient,) = torch.autograd.grad(out.loss.sum(), logp)
    return out.loss.item(), gradient.item()


@proves("S15_pessimistic", "S15_zero_advantage")
@given(advantages, ratios, low_clips, high_clips)
def test_the_loss_is_the_clipped_surrogate_and_never_optimistic(a, rho, low, high):
    """- min(rho A, clip(rho) A) >= - rho A, and 0 at A = 0."""
    value, _ = loss_and_gradient(a, rho, low, high)
    truth = exact_loss(a, rho, low, high)
    assert value == pytest.approx(float(truth), abs=1e-12)
    assert truth >= -rho * a
    assert a != 0 or (value, truth) == (0, 0)


@proves(
    "S15_zero_gradient_above", "S15_zero_gradient_below", "S15_gradient_inside",
    "S15_gradient_recovers",
)  # fmt: skip
@given(advantages, ratios, low_clips, high_clips)
def test_the_gradient_is_exactly_zero_where_the_advantage_pushes_outwards(a, rho, low, high):
    """Beyond the range on the advantage's side it is 0.0; elsewhere it is - rho A per log-prob."""
    assume(rho not in (1 - low, 1 + high))
    _, gradient = loss_and_gradient(a, rho, low, high)
    outside = (a >= 0 and rho > 1 + high) or (a <= 0 and rho < 1 - low)
    if outside:
        assert gradient == 0.0
    else:
        assert gradient == pytest.approx(float(-rho * a), abs=1e-12)


@proves("S15_ratio_one")
@given(advantages, st.floats(-20, 0), low_clips, high_clips)
def test_at_ratio_one_the_loss_is_minus_the_advantage_and_its_gradient_reinforce(a, at, low, high):
    """On-policy, clipping changes nothing: value - A and the gradient of - A log pi."""
    assume(low > 0 and high > 0)
    logp = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    advantage = torch.tensor([float(a)], dtype=torch.float64)
    bounds = {"clip_low": float(low), "clip_high": float(high)}
    clipped = policy_loss(logp, logp.detach(), advantage, **bounds).loss
    plain = policy_loss(logp, None, advantage, kind="reinforce").loss
    assert clipped.item() == -float(a)
    (first,), (second,) = (torch.autograd.grad(x.sum(), logp) for x in (clipped, plain))
    assert first.item() == second.item() == -float(a)


@proves("S15_dual_clip_bound", "S15_dual_clip_zero_gradient", "S15_dual_clip_inactive")
@given(advantages, ratios, low_clips, high_clips, st.sampled_from([Fraction(2), Fraction(3)]))
def test_the_dual_clip_caps_the_loss_of_a_negative_advantage(a, rho, low, high, dual):
    """Above c the loss stops at - c A with gradient 0.0; up to c nothing changes."""
    assume(rho not in (1 - low, 1 + high, dual))
    value, gradient = loss_and_gradient(a, rho, low, high, dual)
    assert value == pytest.approx(float(exact_loss(a, rho, low, high, dual)), abs=1e-12)
    if a < 0:
        assert value <= float(-dual * a) + 1e-12
    if a < 0 and rho > dual:
        assert gradient == 0.0
    if rho <= dual:
        assert (value, gradient) == loss_and_gradient(a, rho, low, high)
