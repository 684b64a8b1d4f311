"""HDPO and SDPG as sums of their terms, written out with plain autograd."""

from __future__ import annotations

import pytest
import torch

from hdpo_env.losses import (
    Hidden,
    hdpo_loss,
    policy_loss,
    reference,
    reference_kl,
    sdpg_loss,
    teacher_topk,
)


def leaves(case):
    return case.h.clone().requires_grad_(), case.W.clone().requires_grad_()


def assert_same(ours, theirs, inputs):
    """Equal losses and equal gradients in h and W."""
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)
    a, b = (torch.autograd.grad(x, inputs) for x in (ours, theirs))
    torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


def tokens(case, h, W):
    return (h @ W.T).log_softmax(-1).gather(-1, case.targets[:, None]).squeeze(-1)


@pytest.mark.parametrize("survivors", [0, 3])
def test_hdpo_is_the_clipped_term_plus_lambda_jsd(cases, survivors):
    """Policy rows and survivors in one batch; without survivors the JSD term is exactly 0."""
    case = cases.make(0, n=8)
    h, W = leaves(case)
    a = torch.tensor([1.0, -1, 0.5, -0.5, 2, 0, 0, 0]).double()
    old = tokens(case, case.h, case.W) + 0.3 * a
    is_survivor = torch.arange(8) >= 8 - survivors
    u = (~is_survivor).double() / (8 - survivors)
    v = 0.1 * is_survivor.double() / max(survivors, 1)
    top = teacher_topk(case.h_teacher, case.W, 4)
    ours = hdpo_loss(
        h, W, case.targets, advantages=a, old_logprobs=old, policy_weight=u,
        teacher=top if survivors else None, distill_weight=v, clip_high=0.28, chunk=3,
    )  # fmt: skip
    logp = tokens(case, h, W)
    theirs = (u * policy_loss(logp, old, a, clip_high=0.28).loss).sum()
    theirs = theirs + (v * reference.topk_jsd(h @ W.T, top.ids, top.logprobs)).sum()
    assert_same(ours.loss, theirs, [h, W])


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("on_policy", [True, False])
def test_sdpg_is_the_sum_of_three_terms(cases, gated, on_policy):
    """REINFORCE or clip, beta 1[A>0] sg[rho] KL, alpha sg[rho] URKL, all on the same rows."""
    case = cases.make(1, n=8)
    h, W = leaves(case)
    a = torch.tensor([1.0, -1, 0.0, -0.5, 2, 0.3, -2, 1]).double()
    weight = torch.tensor([1.0, 1, 1, 1, 1, 1, 1, 0]).double() / 7
    old = tokens(case, case.h, case.W) + 0.3 * a
    ref = old - 0.5
    ours = sdpg_loss(
        h, W, case.targets, advantages=a, weight=weight, teacher=Hidden(case.h_teacher),
        distill_weight=0.2, ref_logprobs=ref, reference_weight=0.3, reference_kind="urkl",
        old_logprobs=None if on_policy else old, gated=gated, dual_clip=3.0, chunk=3,
    )  # fmt: skip
    logp = tokens(case, h, W)
    rho = torch.ones(8).double() if on_policy else (logp - old).exp().detach()
    if on_policy:
        out = -a * logp
    else:
        out = policy_loss(logp, old, a, dual_clip=3.0).loss
    gate = (a > 0).double() if gated else torch.ones(8).double()
    kl = reference.kl_student_teacher(h @ W.T, case.h_teacher @ W.detach().T)
    term = out + 0.2 * gate * rho * kl + 0.3 * reference_kl(logp, ref, kind="urkl").loss * rho
    assert_same(ours.loss, (weight * term).sum(), [h, W])
    assert (ours.divergence != 0).tolist() == ((gate * weight) != 0).tolist()


def test_the_gate_opens_on_positive_advantage_only(cases):
    """A = 0 is not a success: such a row gets no distillation."""
    case = cases.make(2, n=3)
    out = sdpg_loss(
        case.h, case.W, case.targets, advantages=torch.tensor([0.0, 1e-9, -1.0]).double(),
        weight=torch.ones(3).double(), teacher=Hidden(case.h_teacher), distill_weight=1.0,
    )  # fmt: skip
    assert (out.divergence > 0).tolist() == [False, True, False]
