"""Laws of the top-k divergences: what the tail is, how far from the full vocabulary they are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import TopK, head_loss, reference, teacher_topk, topk_jsd

LN2 = math.log(2)
seeds = st.integers(0, 10**6)
spreads = st.sampled_from([0.1, 1.0, 4.0, 40.0])


def random_pair(seed, V=12, spread=1.0):
    """A student and a teacher as logits of one row each, over an identity head."""
    g = torch.Generator().manual_seed(seed)
    return spread * torch.randn(2, 3, V, generator=g, dtype=torch.float64)


def jsd(student, ids, logprobs, **kwargs):
    return topk_jsd(student, torch.eye(student.shape[1]).double(), ids, logprobs, **kwargs).value


def top(teacher, k):
    return teacher_topk(teacher, torch.eye(teacher.shape[1]).double(), k)


def entropy(p):
    return -torch.xlogy(p, p) - torch.xlogy(1 - p, 1 - p)


def test_a_number_by_hand():
    """P = (1), Q = (1/2, 1/4, 1/4): 1/2 ln(4/3) + 1/4 ln(2/3) + 1/4 ln 2, with half the tail."""
    student = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64).log()
    ids, one = torch.tensor([[0]]), torch.zeros(1, 1, dtype=torch.float64)
    on_k = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3)
    assert abs(jsd(student, ids, one).item() - (on_k + 0.25 * LN2)) < 1e-15
    assert abs(jsd(student, ids, one, tail="paper").item() - (on_k + 0.5 * LN2)) < 1e-15


@given(seed=seeds, k=st.integers(1, 12), spread=spreads)
def test_exact_equals_the_dense_jsd(seed, k, spread):
    """The tail identity: top-k JSD is the JSD against the teacher that is 0 outside its top k."""
    student, teacher = random_pair(seed, spread=spread)
    ids, logprobs, _ = top(teacher, k)
    dense = torch.full_like(teacher, float("-inf")).scatter(-1, ids.long(), logprobs)
    p, q = dense.softmax(-1), student.softmax(-1)
    m = (p + q) / 2
    definition = 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).sum(-1)
    assert (jsd(student, ids, logprobs) - definition).abs().max() < 1e-12


@given(seed=seeds, k=st.integers(1, 12), spread=spreads, tail=st.sampled_from(["exact", "bucket"]))
def test_it_lies_between_0_and_ln_2(seed, k, spread, tail):
    """0 <= JSD <= ln 2 for every student and teacher."""
    student, teacher = random_pair(seed, spread=spread)
    ids, logprobs, log_tail = top(teacher, k)
    value = jsd(student, ids, logprobs, tail=tail, log_tail=log_tail)
    assert value.min() >= 0
    assert value.max() <= LN2 + 1e-12


@given(seed=seeds, k=st.integers(1, 11))
def test_disjoint_supports_give_ln_2_exactly(seed, k):
    """A student without mass on the teacher's tokens is at ln 2; the paper's coefficient: 3/2."""
    student, teacher = random_pair(seed)
    ids, logprobs, _ = top(teacher, k)
    student = student.scatter(-1, ids.long(), -2000.0)
    value, paper = (jsd(student, ids, logprobs, tail=tail) for tail in ("exact", "paper"))
    assert (value - LN2).abs().max() < 1e-15
    assert (paper - 1.5 * LN2).abs().max() < 1e-15


@given(seed=seeds, k=st.integers(1, 12), spread=spreads)
def test_it_bounds_the_full_jsd_on_both_sides(seed, k, spread):
    """With e the teacher's mass outside: -(e JSD_K + h(e)/2) <= JSD - JSD_K <= e (ln 2 - JSD_K)."""
    student, teacher = random_pair(seed, spread=spread)
    ids, logprobs, log_tail = top(teacher, k)
    near, full = jsd(student, ids, logprobs), reference.jsd(student, teacher)
    outside = log_tail.exp().clamp(max=1.0)
    assert (full - near <= outside * (LN2 - near) + 1e-12).all()
    assert (full - near >= -(outside * near + 0.5 * entropy(outside)) - 1e-12).all()


@given(seed=seeds, k=st.integers(1, 12), spread=spreads)
def test_the_bucket_never_exceeds_the_full_jsd(seed, k, spread):
    """Lumping outcomes loses information: JSD with a bucket <= JSD; equal if all is in K."""
    student, teacher = random_pair(seed, spread=spread)
    ids, logprobs, log_tail = top(teacher, k)
    lumped = jsd(student, ids, logprobs, tail="bucket", log_tail=log_tail)
    full = reference.jsd(student, teacher)
    assert (lumped <= full + 1e-12).all()
    if k == 12:
        assert (lumped - full).abs().max() < 1e-12


@given(seed=seeds, k=st.integers(1, 11))
def test_only_the_bucket_is_zero_at_the_teacher(seed, k):
    """Student = teacher: bucket 0 with zero gradient; exact about e/2 ln 2, pulling into K."""
    _, teacher = random_pair(seed)
    ids, logprobs, log_tail = top(teacher, k)
    eye = torch.eye(12, dtype=torch.float64)
    h = teacher.clone().requires_grad_()
    loss, value = topk_jsd(h, eye, ids, logprobs, tail="bucket", log_tail=log_tail)
    assert value.abs().max() < 1e-13
    assert torch.autograd.grad(loss, h)[0].abs().max() < 1e-13
    loss, value = topk_jsd(h, eye, ids, logprobs)
    e = log_tail.exp()
    lost = (2 - e) * (2 - e).log()
    exact = LN2 - 0.5 * lost + 0.5 * torch.xlogy(1 - e, 1 - e)  # JSD(P_K, P) in closed form
    assert (value - exact).abs().max() < 1e-12
    pull = torch.autograd.grad(loss, h)[0]
    outside = torch.ones_like(pull).scatter(-1, ids.long(), 0.0).bool()
    assert pull[outside].min() > 0  # descent lowers what is outside


@given(seed=seeds, k=st.integers(1, 12))
def test_unnormalised_log_probs_are_renormalised(seed, k):
    """A constant on a row's teacher log-probs changes nothing where the tail is dropped."""
    student, teacher = random_pair(seed)
    ids, logprobs, _ = top(teacher, k)
    assert (jsd(student, ids, logprobs) - jsd(student, ids, logprobs - 3.0)).abs().max() < 1e-14


@given(seed=seeds, k=st.integers(1, 12))
def test_teacher_topk_is_sorted_and_whole(seed, k):
    """The k best ids, best first, their log-probs, and a tail that completes them to 1."""
    _, teacher = random_pair(seed)
    ids, logprobs, log_tail = top(teacher, k)
    log_q = teacher.log_softmax(-1)
    best = sorted(range(12), key=lambda v: -log_q[0, v].item())[:k]
    assert ids[0].tolist() == best
    torch.testing.assert_close(logprobs[0], log_q[0, best], rtol=1e-12, atol=1e-14)
    assert (logprobs.exp().sum(-1) + log_tail.exp() - 1).abs().max() < 1e-12


def test_without_log_tail_the_bucket_takes_one_minus_the_sum():
    """The tail is recovered from the log-probs where it was not given."""
    student, teacher = random_pair(0)
    ids, logprobs, log_tail = top(teacher, 4)
    given_ = jsd(student, ids, logprobs, tail="bucket", log_tail=log_tail)
    assert (jsd(student, ids, logprobs, tail="bucket") - given_).abs().max() < 1e-12


@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_bucket_alone_allows_student_to_teacher(k):
    """KL(student || teacher) over K and the rest, by hand; refused where it would be infinite."""
    student, teacher = random_pair(3)
    topk = top(teacher, k)
    h, eye = student.clone().requires_grad_(), torch.eye(12, dtype=torch.float64)
    out = head_loss(h, eye, teacher=topk, divergence="kl_student_teacher", tail="bucket")
    log_p = h.log_softmax(-1)
    on = torch.zeros_like(student).scatter(-1, topk.ids.long(), 1.0).bool()
    want = (log_p.exp() * (log_p - teacher.log_softmax(-1)) * on).sum(-1)
    rest = (log_p.exp() * ~on).sum(-1)
    if k < 12:
        want = want + rest * (rest.log() - topk.log_tail)
    torch.testing.assert_close(out.divergence, want.detach(), rtol=1e-12, atol=1e-13)
    ours, theirs = (torch.autograd.grad(x, h)[0] for x in (out.loss, want.sum()))
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
    with pytest.raises(ValueError, match="infinite"):
        head_loss(h, eye, teacher=TopK(topk.ids, topk.logprobs), divergence="kl_student_teacher")


@pytest.mark.parametrize("k", [1, 5, 12])
def test_teacher_to_student_with_a_bucket(k):
    """KL(teacher || student) over K and the rest as one outcome: value and gradient by hand."""
    student, teacher = random_pair(4)
    topk = top(teacher, k)
    h, eye = student.clone().requires_grad_(), torch.eye(12, dtype=torch.float64)
    out = head_loss(h, eye, teacher=topk, divergence="kl_teacher_student", tail="bucket")
    log_p, q = h.log_softmax(-1), topk.logprobs.exp()
    want = (q * (topk.logprobs - log_p.gather(-1, topk.ids.long()))).sum(-1)
    if k < 12:
        on = torch.zeros_like(student).scatter(-1, topk.ids.long(), 1.0).bool()
        rest = (log_p.exp() * ~on).sum(-1)
        want = want + topk.log_tail.exp() * (topk.log_tail - rest.log())
    torch.testing.assert_close(out.divergence, want.detach(), rtol=1e-12, atol=1e-13)
    ours, theirs = (torch.autograd.grad(x, h)[0] for x in (out.loss, want.sum()))
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
