"""Laws of the fused operators: what changes nothing, and what the papers say they equal."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import (
    Hidden,
    TopK,
    _rows,
    head_loss,
    reverse_kl,
    teacher_topk,
    topk_jsd,
)
from hdpo_env.losses._merge import Whole


@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), chunk=st.integers(1, 9))
def test_chunks_change_nothing(cases, seed, n, chunk):
    """Any chunk size gives the loss, rows and gradients of the whole."""
    case, results = cases.make(seed, n), []
    weight = torch.rand(n, generator=torch.Generator().manual_seed(seed)).double().round(decimals=1)
    for c in (chunk, n):
        h, W = case.h.clone().requires_grad_(), case.W.clone().requires_grad_()
        out = head_loss(
            h, W, case.targets, lambda logprobs, rows: logprobs.exp() * rows,
            teacher=Hidden(case.h_teacher), weight=weight, chunk=c,
        )  # fmt: skip
        results.append(
            (out._replace(loss=out.loss.detach()), torch.autograd.grad(out.loss, [h, W]))
        )
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-13)


@given(seed=st.integers(0, 10**6), cut=st.integers(0, 8), pad=st.integers(0, 3))
def test_micro_batches_and_padding_add_up(cases, seed, cut, pad):
    """Splitting rows over calls with the global denominator, or adding padding, changes nothing."""
    case = cases.make(seed, 8)
    weight = torch.full((8,), 1 / 8, dtype=torch.float64)
    whole_h = case.h.clone().requires_grad_()
    whole = reverse_kl(whole_h, case.W, case.h_teacher, weight=weight)
    whole.loss.backward()
    h = case.h.clone().requires_grad_()
    total = 0.0
    for part in (slice(0, cut), slice(cut, 8)):
        filler = torch.full((pad, 3), torch.nan, dtype=torch.float64)
        padded = [torch.cat([x[part], filler]) for x in (h, case.h_teacher)]
        w = torch.cat([weight[part], torch.zeros(pad, dtype=torch.float64)])
        loss = reverse_kl(padded[0], case.W, padded[1], weight=w).loss
        loss.backward()
        total += loss.item()
    assert abs(total - whole.loss.item()) < 1e-12
    torch.testing.assert_close(h.grad, whole_h.grad, rtol=1e-12, atol=1e-14)


@given(seed=st.integers(0, 10**6), shift=st.floats(-50, 50), offset=st.floats(-5, 5))
def test_adding_a_constant_to_logits_changes_nothing(cases, seed, shift, offset):
    """A bias equal for all tokens, and a teacher over its own head with another one, cancel."""
    case = cases.make(seed)
    plain = reverse_kl(case.h, case.W, case.h_teacher, case.W.flip(1))
    moved = reverse_kl(
        case.h, case.W, case.h_teacher, case.W.flip(1),
        bias=torch.full((11,), shift, dtype=torch.float64),
        bias_teacher=torch.full((11,), offset, dtype=torch.float64),
    )  # fmt: skip
    torch.testing.assert_close(plain.value, moved.value, rtol=1e-10, atol=1e-12)


@given(seed=st.integers(0, 10**6), order=st.permutations(range(11)))
def test_permuting_the_vocabulary_changes_nothing(cases, seed, order):
    """Renaming the tokens renames the columns of dW and nothing else."""
    case, order = cases.make(seed), torch.tensor(order)
    place = order.argsort()
    ids, logprobs, _ = teacher_topk(case.h_teacher, case.W, 4)
    results = []
    for W, targets, top in (
        (case.W, case.targets, ids),
        (case.W[order], place[case.targets], place[ids.long()].int()),
    ):
        W = W.clone().requires_grad_()
        out = head_loss(
            case.h, W, targets, lambda logprobs, rows: logprobs, teacher=TopK(top, logprobs),
            divergence="jsd",
        )  # fmt: skip
        dW = torch.autograd.grad(out.loss, W)[0]
        results.append((out._replace(loss=out.loss.detach()), dW))
    (a, da), (b, db) = results
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(da[order], db, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("frozen_scale", [1.0, 2.0])
def test_the_shared_head_equals_its_copy(cases, frozen_scale):
    """One product of the difference of hidden states gives what two products give."""
    case = cases.make(9, spread=frozen_scale)
    shared = reverse_kl(case.h, case.W, case.h_teacher)
    copied = reverse_kl(case.h, case.W, case.h_teacher, case.W.clone())
    torch.testing.assert_close(shared.value, copied.value, rtol=1e-12, atol=1e-14)


def test_a_teacher_far_outside_the_students_range(cases):
    """KL of exactly 200 where the student's probability of the teacher's token underflows."""
    h, W = torch.tensor([[0.0, -200.0]]), torch.eye(2)
    for dtype in (torch.float32, torch.float64):
        hs, ht = h.to(dtype).clone().requires_grad_(), h.flip(1).to(dtype)
        loss, kl = reverse_kl(hs, W.to(dtype), ht)
        assert abs(kl.item() - 200.0) < 1e-4
        loss.backward()
        assert hs.grad is not None
        assert hs.grad.abs().max() < 1e-30  # p (delta - KL) = 0 at both tokens


def test_proposition_3_1(cases):
    """KL(p || sg q) has the gradient of -E_sg[p] A log p, A = D - log(p/q), and E_p A = 0."""
    case = cases.make(11)
    h = case.h.clone().requires_grad_()
    ours = torch.autograd.grad(reverse_kl(h, case.W, case.h_teacher).loss, h)[0]
    log_p = (h @ case.W.T).log_softmax(-1)
    log_q = (case.h_teacher @ case.W.T).log_softmax(-1)
    p = log_p.detach().exp()
    gap = log_p.detach() - log_q
    advantage = (p * gap).sum(-1, keepdim=True) - gap
    assert (p * advantage).sum(-1).abs().max() < 1e-12
    theirs = torch.autograd.grad(-(p * advantage * log_p).sum(), h)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_topk_jsd_is_head_loss_with_a_topk_teacher(cases):
    """The short names are the joint operator with one term."""
    case = cases.make(12)
    top = teacher_topk(case.h_teacher, case.W, 4)
    a = topk_jsd(case.h, case.W, top.ids, top.logprobs, tail="bucket", log_tail=top.log_tail)
    b = head_loss(case.h, case.W, teacher=top, divergence="jsd", tail="bucket")
    assert torch.equal(a.value, b.divergence)


@pytest.mark.parametrize("apart", [1e-3, 1.0, 100.0])
def test_the_teachers_log_normaliser_is_told(cases, apart):
    """Both ways to KL report log sum exp of the teacher's logits, which the NaN check reads."""
    case = cases.make(13)
    s = case.h @ case.W.T
    x = apart * (case.h_teacher @ case.W.T)
    want = (s - x).logsumexp(-1)
    plan = _rows.Plan("kl_student_teacher", "exact", True, False, Whole(11))
    stats = _rows.read(s.clone(), x.clone(), len(s), _rows.Part(None), plan)
    torch.testing.assert_close(stats.lse_teacher, want, rtol=1e-12, atol=1e-12)
