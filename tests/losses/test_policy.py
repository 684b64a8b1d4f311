"""Advantages and the policy term, by hand and by law."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import group_advantages, policy_loss, rlsd_advantages

rewards = st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=9)
NAN = float("nan")


def one_group(values, **kwargs):
    r = torch.tensor(values, dtype=torch.float64)
    return group_advantages(r, torch.zeros(len(values), dtype=torch.long), **kwargs)


def test_one_correct_of_eight():
    """1 of 8: sqrt(7) with the population std, 7/sqrt(8) with the sample's (2.646 and 2.475)."""
    r = [1.0] + [0.0] * 7
    assert abs(one_group(r, eps_std=0.0)[0].item() - math.sqrt(7)) < 1e-12
    sample = one_group(r, scale="sample_std", eps_std=0.0)[0].item()
    assert abs(sample - 7 / math.sqrt(8)) < 1e-12


def test_every_variant_by_hand():
    """Rewards 3, 1, 2 around mean 2: population variance 2/3, sample variance 1."""
    r = [3.0, 1.0, 2.0]
    table = {
        ("mean", "none"): [1.0, -1.0, 0.0],
        ("leave_one_out", "none"): [1.5, -1.5, 0.0],
        ("mean", "sample_std"): [1.0, -1.0, 0.0],
        ("mean", "population_std"): [math.sqrt(1.5), -math.sqrt(1.5), 0.0],
        ("leave_one_out", "population_std"): [1.5**1.5, -(1.5**1.5), 0.0],
    }
    for (baseline, scale), want in table.items():
        ours = one_group(r, baseline=baseline, scale=scale, eps_std=0.0)
        torch.testing.assert_close(ours, torch.tensor(want).double(), rtol=1e-7, atol=1e-12)
    assert abs(one_group(r, scale="sample_std", eps_std=0.5)[0].item() - 1 / 1.5) < 1e-12


@given(value=st.floats(-1e6, 1e6, width=32), n=st.integers(1, 16))
@pytest.mark.parametrize("baseline", ["mean", "leave_one_out"])
@pytest.mark.parametrize("scale", ["population_std", "sample_std", "none"])
def test_equal_rewards_give_exactly_zero(baseline, scale, value, n):
    """Equal rewards give 0.0 whatever the reward: no float noise is blown up by 1 / eps_std."""
    for dtype in (torch.float32, torch.float64):
        r, zero = torch.full((n,), value, dtype=dtype), torch.zeros(n, dtype=torch.long)
        a = group_advantages(r, zero, baseline=baseline, scale=scale)
        assert a.count_nonzero() == 0


def test_float_noise_in_a_constant_group_stays_out():
    """Eight rewards of 0.1 added up in float32 have a mean that is not 0.1: still exactly 0."""
    assert group_advantages(torch.full((8,), 0.1), torch.zeros(8).long()).tolist() == [0.0] * 8


@given(values=rewards)
def test_leave_one_out_is_the_mean_baseline_times_g_over_g_minus_1(values):
    """A_loo = G/(G-1) A_mean."""
    g = len(values)
    a, b = (one_group(values, baseline=x, scale="none") for x in ("mean", "leave_one_out"))
    torch.testing.assert_close(b, a * (g / max(g - 1, 1)), rtol=1e-9, atol=1e-9)


@given(values=rewards, shift=st.floats(-3, 3), scale=st.floats(0.5, 4))
def test_advantages_are_centred_and_scale_free(values, shift, scale):
    """Their sum is 0; with eps_std = 0 an affine map of the rewards changes nothing."""
    a = one_group(values, eps_std=0.0)
    assert abs(a.sum().item()) < 1e-9
    if max(values) - min(values) > 1e-2:
        moved = one_group([scale * v + shift for v in values], eps_std=0.0)
        torch.testing.assert_close(a, moved, rtol=1e-6, atol=1e-6)


@given(values=rewards, holes=st.lists(st.integers(0, 8), max_size=4))
def test_an_abstention_is_as_if_not_there(values, holes):
    """NaN rewards get 0 and leave every other advantage as without them."""
    mixed = list(values)
    for hole in holes:
        mixed.insert(min(hole, len(mixed)), NAN)
    a = one_group(mixed, baseline="leave_one_out")
    there = torch.tensor([not math.isnan(v) for v in mixed])
    assert a[~there].count_nonzero() == 0
    alone = one_group(values, baseline="leave_one_out")
    torch.testing.assert_close(a[there], alone, rtol=1e-9, atol=1e-9)


@given(a=rewards, b=rewards, seed=st.integers(0, 999))
def test_groups_do_not_mix(a, b, seed):
    """Interleaved rows of two groups, under any labels, get what each group gets alone."""
    order = torch.randperm(len(a) + len(b), generator=torch.Generator().manual_seed(seed))
    r = torch.tensor(a + b, dtype=torch.float64)[order]
    groups = torch.tensor([41] * len(a) + [7] * len(b))[order]
    together = group_advantages(r, groups)
    torch.testing.assert_close(together[groups == 41].sort()[0], one_group(a).sort()[0])
    torch.testing.assert_close(together[groups == 7].sort()[0], one_group(b).sort()[0])


def surrogate(log_ratio, advantage, **kwargs):
    logp = torch.tensor([log_ratio], dtype=torch.float64, requires_grad=True)
    zero, a = torch.zeros(1, dtype=torch.float64), torch.tensor([advantage], dtype=torch.float64)
    loss, clipped = policy_loss(logp, zero, a, **kwargs)
    (grad,) = torch.autograd.grad(loss.sum(), logp)
    return loss.item(), bool(clipped), grad.item()


@given(
    log_ratio=st.floats(-3, 3), a=st.floats(-2, 2), low=st.floats(0, 0.9), high=st.floats(0, 2),
    dual=st.none() | st.floats(1.5, 4),
)  # fmt: skip
def test_the_clipped_surrogate_is_its_formula(log_ratio, a, low, high, dual):
    """-min(rho A, clip(rho) A), for A < 0 at most -c A; the gradient by finite differences."""

    def formula(x):
        rho = math.exp(x)
        best = min(rho * a, min(max(rho, 1 - low), 1 + high) * a)
        return -max(best, dual * a) if dual is not None and a < 0 else -best

    loss, clipped, grad = surrogate(log_ratio, a, clip_low=low, clip_high=high, dual_clip=dual)
    assert abs(loss - formula(log_ratio)) < 1e-12
    step = 1e-6
    left, right = (formula(log_ratio + s) - formula(log_ratio) for s in (-step, step))
    if abs(left + right) < 1e-9:  # no kink within a step
        assert abs(grad - (right - left) / (2 * step)) < 1e-6
        assert clipped <= (grad == 0)


def test_clipping_cuts_only_where_it_should():
    """High ratio and A > 0, or low ratio and A < 0; never the other two; each by its own bound."""
    up, down = math.log(1.25), math.log(0.75)
    flags = {"clip_low": 0.2, "clip_high": 0.28}
    assert [surrogate(x, a, **flags)[1] for x in (up, down) for a in (1.0, -1.0)] == [
        False, False, False, True,
    ]  # fmt: skip
    assert surrogate(up, 1.0, clip_high=0.2)[1]
    assert surrogate(math.log(4), -1.0, dual_clip=3.0)[:2] == (3.0, True)


def test_overflowing_ratios_leave_no_nan():
    """A ratio of e^800: clipped for A > 0, cut by the dual clip for A < 0, nothing at A = 0."""
    assert surrogate(800.0, 1.0) == (-1.2, True, 0.0)
    assert surrogate(800.0, -1.0, dual_clip=3.0) == (3.0, True, 0.0)
    assert surrogate(800.0, 0.0) == (0.0, False, 0.0)


def test_reinforce_is_the_score_times_the_advantage():
    """-A logp with gradient -A, no matter the ratio; no old log-probs needed; A is a constant."""
    logp = torch.tensor([-1.5, -0.5], requires_grad=True)
    a = torch.tensor([2.0, -3.0], requires_grad=True)
    loss, clipped = policy_loss(logp, None, a, kind="reinforce")
    assert loss.tolist() == [3.0, -1.5]
    assert not clipped.any()
    loss.sum().backward()
    assert logp.grad is not None
    assert logp.grad.tolist() == [-2.0, 3.0]
    assert a.grad is None


def test_on_policy_clip_has_the_gradient_of_reinforce():
    """At rho = 1 both kinds have gradient -A."""
    for a in (1.0, -2.0):
        assert abs(surrogate(0.0, a)[2] + a) < 1e-12


def test_rlsd_by_hand():
    """A = 2, teacher 3 times as likely, mix 1/2, clip 0.2: 2 (1/2 + 1/2 * 1.2) = 2.2."""

    def rlsd(a, log_gap, **kwargs):
        args = (torch.tensor([x], dtype=torch.float64) for x in (a, 0.0, log_gap))
        return rlsd_advantages(*args, **kwargs).item()

    assert abs(rlsd(2.0, math.log(3), mix=0.5, clip=0.2) - 2.2) < 1e-12
    assert abs(rlsd(-2.0, math.log(3), mix=0.5, clip=0.2) + 1.8) < 1e-12  # blamed less
    assert abs(rlsd(2.0, math.log(1.1), mix=1.0, clip=0.2) - 2.2) < 1e-12  # inside the bounds
    assert rlsd(2.0, 5.0, mix=0.0, clip=0.2) == 2.0
    assert rlsd(0.0, 5.0, mix=1.0, clip=0.2) == 0.0


@given(a=st.floats(-3, 3), gap=st.floats(-4, 4), mix=st.floats(0, 1), clip=st.floats(0, 1))
def test_rlsd_keeps_the_sign_and_stays_in_bounds(a, gap, mix, clip):
    """|A_t - A| <= mix clip |A|, and nothing flows back to either model."""
    logp, q = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (0.0, gap))
    out = rlsd_advantages(torch.tensor([a], dtype=torch.float64), logp, q, mix=mix, clip=clip)
    assert abs(out.item() - a) <= mix * clip * abs(a) + 1e-12
    assert not out.requires_grad
