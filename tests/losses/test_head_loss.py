"""The fused operators against brute force on full float64 logits, and against gradcheck."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.losses import (
    Hidden,
    TopK,
    head_loss,
    policy_loss,
    reverse_kl,
    teacher_topk,
    token_logprobs,
)

TEACHERS = [
    ("hidden", "kl_student_teacher", "exact"),
    ("hidden", "kl_teacher_student", "exact"),
    ("hidden", "jsd", "exact"),
    ("own head", "kl_student_teacher", "exact"),
    ("own head", "kl_teacher_student", "exact"),
    ("own head", "jsd", "exact"),
    ("top k", "jsd", "exact"),
    ("top k", "jsd", "paper"),
    ("top k", "jsd", "bucket"),
    ("top k", "kl_teacher_student", "exact"),
]


def teacher_of(kind: str, case, k: int = 3, bias=None):
    if kind == "hidden":
        return Hidden(case.h_teacher)
    if kind == "own head":
        g = torch.Generator().manual_seed(7)
        W = torch.randn(case.W.shape[0], case.W.shape[1], generator=g, dtype=torch.float64)
        return Hidden(case.h_teacher, W, bias)
    return teacher_topk(case.h_teacher, case.W, k, bias=bias)


def both(cases, case, token_loss=None, **kwargs):
    """(ours, brute force), each as (outputs, gradients of 1.7 * loss in h, W and bias)."""
    results = []
    for fused in (True, False):
        h, W = case.h.clone().requires_grad_(), case.W.clone().requires_grad_()
        leaves, given_ = [h, W], dict(kwargs)
        if given_.get("bias") is not None:
            given_["bias"] = given_["bias"].clone().requires_grad_()
            leaves.append(given_["bias"])
        if fused:
            targets = case.targets if token_loss or "old_logprobs" in kwargs else None
            out = head_loss(h, W, targets, token_loss, chunk=2, **given_)
        else:
            out = cases.brute(case, h, W, token_loss, **given_)
        grads = torch.autograd.grad(1.7 * out.loss, leaves)
        results.append((out._replace(loss=out.loss.detach()), grads))
    return results


def assert_same(results, tolerance=1e-12):
    (ours, our_grads), (theirs, their_grads) = results
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(our_grads, their_grads, rtol=tolerance, atol=tolerance)


sizes = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(0, 6),
    "V": st.integers(3, 17),
    "spread": st.sampled_from([0.1, 1.0, 10.0, 60.0]),
    "apart": st.sampled_from([0.0, 1e-4, 0.5, 5.0]),
    "temperature": st.sampled_from([0.6, 1.0, 2.0]),
}


@pytest.mark.parametrize(("kind", "divergence", "tail"), TEACHERS)
@settings(max_examples=40)
@given(**sizes, data=st.data())
def test_every_divergence_equals_brute_force(
    cases, kind, divergence, tail, seed, n, V, spread, apart, temperature, data
):
    """Value and gradients of every teacher x divergence x tail are those of plain autograd."""
    case = cases.make(seed, n, V, spread=spread, apart=apart)
    weight = torch.tensor(
        data.draw(st.lists(st.sampled_from([0.0, 0.3, 2.0]), min_size=n, max_size=n)),
        dtype=torch.float64,
    )
    k = data.draw(st.integers(1, V))
    results = both(
        cases, case, teacher=teacher_of(kind, case, k), divergence=divergence, tail=tail,
        weight=weight, temperature=temperature,
    )  # fmt: skip
    assert_same(results, 1e-10 if spread > 10 else 1e-12)


@pytest.mark.parametrize(("kind", "divergence", "tail"), TEACHERS)
@settings(max_examples=40)
@given(**sizes, data=st.data())
def test_the_joint_operator_equals_brute_force(
    cases, kind, divergence, tail, seed, n, V, spread, apart, temperature, data
):
    """Policy term, gated divergence with sg[rho], bias and entropy at once: as by autograd."""
    case = cases.make(seed, n, V, spread=spread, apart=apart)
    flags = st.lists(st.booleans(), min_size=n, max_size=n)
    mask, gate = (torch.tensor(data.draw(flags), dtype=torch.bool) for _ in range(2))
    g = torch.Generator().manual_seed(seed)
    bias = torch.randn(V, generator=g, dtype=torch.float64)
    advantages = torch.randn(n, generator=g, dtype=torch.float64)
    z = (case.h @ case.W.T + bias) / temperature
    old = z.log_softmax(-1)[range(n), case.targets] - 0.3 * advantages

    def token_loss(logprobs, rows):
        return 0.1 * policy_loss(logprobs, old[rows], advantages[rows]).loss

    results = both(
        cases, case, token_loss, teacher=teacher_of(kind, case, bias=bias), divergence=divergence,
        tail=tail, weight=gate.double() * 0.7, mask=mask, old_logprobs=old, bias=bias,
        temperature=temperature,
    )  # fmt: skip
    assert_same(results, 1e-10 if spread > 10 else 1e-12)


@pytest.mark.parametrize(("kind", "divergence", "tail"), TEACHERS)
@pytest.mark.parametrize("k", [1, 11])
def test_a_token_the_head_forbids_changes_nothing(cases, kind, divergence, tail, k):
    """-inf columns (padded vocabulary): value, gradients and entropy as if they were not there."""
    case, small = cases.make(3), cases.make(3, V=11)
    wide = cases.make(4, V=14).W
    wide[:11] = small.W
    padded = type(case)(case.h, wide, case.h_teacher, case.targets)
    bias = torch.zeros(14, dtype=torch.float64)
    bias[11:] = float("-inf")
    results = []
    for c, b in ((small, None), (padded, bias)):
        if kind == "own head":
            teacher = Hidden(c.h_teacher, c.W.flip(1), b)
        else:
            teacher = Hidden(c.h_teacher) if kind == "hidden" else None
        teacher = teacher or teacher_topk(small.h_teacher, small.W, k)
        h, W = c.h.clone().requires_grad_(), c.W.clone().requires_grad_()
        out = head_loss(
            h, W, c.targets, lambda logprobs, rows: -logprobs, teacher=teacher,
            divergence=divergence, tail=tail, bias=b,
        )  # fmt: skip
        dh, dW = torch.autograd.grad(out.loss, [h, W])
        assert dW[11:].count_nonzero() == 0
        results.append((out._replace(loss=out.loss.detach()), dh, dW[:11]))
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("zero_weights", [False, True])
@pytest.mark.parametrize("k", [1, 4, 9])
@pytest.mark.parametrize(("kind", "divergence", "tail"), TEACHERS)
def test_gradcheck(cases, kind, divergence, tail, k, zero_weights):
    """Finite differences agree with the forward pass's gradients in h, W and bias."""
    case = cases.make(5, n=3, V=9)
    weight = torch.tensor([0.5, 0.0, 1.5], dtype=torch.float64) * (not zero_weights)
    teacher = teacher_of(kind, case, k)
    if kind == "hidden":  # over the student's head the teacher moves with W, without gradient:
        teacher = Hidden(case.h_teacher, case.W.clone())  # hold it still for finite differences
    bias = torch.randn(9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([True, True, False])

    def call(h, W, bias):
        return head_loss(
            h, W, case.targets, lambda logprobs, rows: logprobs.square() * (rows + 1), mask=mask,
            teacher=teacher, divergence=divergence, tail=tail, weight=weight, bias=bias, chunk=2,
        ).loss  # fmt: skip

    assert torch.autograd.gradcheck(
        call, [x.clone().requires_grad_() for x in (case.h, case.W, bias)]
    )


def test_gradcheck_through_the_shared_head(cases):
    """In h alone the difference of hidden states can be differentiated: the teacher is still."""
    case = cases.make(6, n=4)
    h = case.h.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda h: reverse_kl(h, case.W, case.h_teacher).loss, [h])


def test_empty_input_is_zero_with_zero_gradient(cases):
    """No rows: loss 0, empty outputs, gradients of zeros; no NaN and no missing gradient."""
    case = cases.make(0, n=0)
    h, W = case.h.requires_grad_(), case.W.requires_grad_()
    out = head_loss(
        h, W, case.targets, lambda logprobs, rows: logprobs, teacher=Hidden(case.h_teacher)
    )
    out.loss.backward()
    assert out.loss.item() == 0.0
    assert [len(x) for x in out[1:]] == [0, 0, 0]
    assert W.grad is not None
    assert W.grad.count_nonzero() == 0


def test_rows_without_weight_are_never_looked_at(cases):
    """A row of weight 0 outside the mask may hold NaN, its teacher NaN and ids out of range."""
    case = cases.make(2, n=4)
    used = torch.tensor([True, False, True, False])
    h, h_teacher = (x.where(used[:, None], torch.nan) for x in (case.h, case.h_teacher))
    targets = case.targets.where(used, -100)
    ids, logprobs, log_tail = teacher_topk(case.h_teacher, case.W, 3)
    top = TopK(ids.where(used[:, None], 10**6), logprobs.where(used[:, None], torch.nan), log_tail)
    for teacher, divergence in ((Hidden(h_teacher), "kl_student_teacher"), (top, "jsd")):
        h_leaf = h.clone().requires_grad_()
        out = head_loss(
            h_leaf, case.W, targets, lambda logprobs, rows: logprobs, mask=used, teacher=teacher,
            divergence=divergence, weight=used.double(),
        )  # fmt: skip
        out.loss.backward()
        assert out.loss.isfinite()
        assert h_leaf.grad is not None
        assert h_leaf.grad[~used].count_nonzero() == 0
        assert h_leaf.grad[used].abs().min() > 0
        assert all(x[~used].count_nonzero() == 0 for x in out[1:])


def test_token_loss_sees_only_its_rows_and_every_one_once(cases):
    """The rows handed to token_loss are the mask's, each once, with their own log-probs."""
    case, mask = cases.make(8, n=9), torch.tensor([1, 0, 1, 1, 0, 1, 1, 1, 0]).bool()
    seen = []

    def token_loss(logprobs, rows):
        seen.extend(zip(rows.tolist(), logprobs.tolist(), strict=True))
        return logprobs

    weight = torch.tensor([0, 1, 1, 0, 1, 0, 1, 0, 0.0])
    out = head_loss(
        case.h, case.W, case.targets, token_loss, mask=mask, teacher=Hidden(case.h_teacher),
        weight=weight, chunk=2,
    )  # fmt: skip
    assert sorted(row for row, _ in seen) == mask.nonzero().squeeze(-1).tolist()
    full = token_logprobs(case.h, case.W, case.targets).logprobs
    assert all(abs(full[row].item() - logprob) < 1e-12 for row, logprob in seen)
    assert out.logprobs[8] == 0.0  # outside both


def test_no_gradient_ever_reaches_the_teacher(cases):
    """Teacher tensors that require gradients get none; outputs beside the loss have none."""
    case = cases.make(1)
    h_teacher, W_teacher = (x.clone().requires_grad_() for x in (case.h_teacher, case.W))
    bias = torch.zeros(11, dtype=torch.float64, requires_grad=True)
    ids, logprobs, _ = teacher_topk(case.h_teacher, case.W, 3)
    logprobs.requires_grad_()
    h = case.h.clone().requires_grad_()
    for teacher in (Hidden(h_teacher, W_teacher, bias), Hidden(h_teacher), TopK(ids, logprobs)):
        out = head_loss(h, case.W, teacher=teacher, divergence="jsd")
        out.loss.backward()
        assert not any(x.requires_grad for x in out[1:])
    assert all(x.grad is None for x in (h_teacher, W_teacher, bias, logprobs))


def test_a_frozen_head_gets_no_gradient_and_h_the_same(cases):
    """W without requires_grad: no gradient for it, the same one for h."""
    case = cases.make(1)
    grads = []
    for frozen in (False, True):
        h, W = case.h.clone().requires_grad_(), case.W.clone().requires_grad_(not frozen)
        reverse_kl(h, W, case.h_teacher).loss.backward()
        assert (W.grad is None) == frozen
        grads.append(h.grad)
    assert torch.equal(grads[0], grads[1])


def test_tied_embeddings_collect_both_gradients(cases):
    """A head that is also the embedding gets the sum of both paths' gradients."""
    case = cases.make(1)
    tied = case.W.clone().requires_grad_()
    reverse_kl(tied[case.targets].tanh(), tied, case.h_teacher).loss.backward()
    emb, head = (case.W.clone().requires_grad_() for _ in range(2))
    reverse_kl(emb[case.targets].tanh(), head, case.h_teacher).loss.backward()
    torch.testing.assert_close(tied.grad, emb.grad + head.grad, rtol=1e-12, atol=1e-12)


def test_backward_twice_gives_the_same_gradient(cases):
    """Scaling by the incoming gradient never writes into what is saved."""
    case = cases.make(1)
    h = case.h.clone().requires_grad_()
    loss = reverse_kl(h, case.W, case.h_teacher).loss
    first, second = (torch.autograd.grad(c * loss, h, retain_graph=True)[0] for c in (2.0, 2.0))
    assert torch.equal(first, second)
    once = torch.autograd.grad(loss, h)[0]
    torch.testing.assert_close(first, 2 * once, rtol=1e-12, atol=0)


def test_without_gradients_values_are_the_same(cases):
    """Under no_grad the operator skips its gradient work and returns the same numbers."""
    case = cases.make(1)
    with torch.no_grad():
        quiet = reverse_kl(case.h.requires_grad_(), case.W, case.h_teacher)
    loud = reverse_kl(case.h, case.W, case.h_teacher)
    assert not quiet.loss.requires_grad
    assert torch.equal(quiet.value, loud.value)
    assert torch.equal(quiet.loss, loud.loss)
