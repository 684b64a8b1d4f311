"""The oracle itself against numbers worked by hand; everything else leans on these lines."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import reference

P, Q = (0.5, 0.25, 0.25), (0.25, 0.25, 0.5)
INF = float("inf")


def logits(*rows):
    return torch.tensor([[math.log(x) if x else -INF for x in row] for row in rows])


def test_the_divergences_of_two_small_distributions():
    """KL = 1/4 ln 2 both ways; JSD = 1/4 ln(4/3) + 1/8 ln(2/3) summed over both sides."""
    p, q = logits(P), logits(Q)
    assert abs(reference.kl_student_teacher(p, q).item() - 0.25 * math.log(2)) < 1e-7
    assert abs(reference.kl_teacher_student(p, q).item() - 0.25 * math.log(2)) < 1e-7
    jsd = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3)
    assert abs(reference.jsd(p, q).item() - jsd) < 1e-7


def test_the_direction_is_the_names():
    """Student (1, 0), teacher = (1/2, 1/2): KL(p||q) = ln 2 is finite, KL(q||p) is not."""
    p, q = logits((1.0, 0.0)), logits((0.5, 0.5))
    assert abs(reference.kl_student_teacher(p, q).item() - math.log(2)) < 1e-7
    assert reference.kl_teacher_student(p, q).item() == INF


def test_log_probs_and_entropy():
    """Values log 1/4 and 1.5 ln 2 for (1/2, 1/4, 1/4); an impossible token adds nothing."""
    z = logits((0.5, 0.25, 0.25, 0.0))
    assert abs(reference.token_logprobs(z, torch.tensor([1])).item() + math.log(4)) < 1e-7
    assert abs(reference.entropy(z).item() - 1.5 * math.log(2)) < 1e-7


def test_top_k_by_hand():
    """P_K = (1) on token 0 against (1/2, 1/4, 1/4): KL = ln 2; the JSD's tail is 1/4 ln 2."""
    z, ids, one = logits(P), torch.tensor([[0]]), torch.tensor([[-9.0]])
    assert abs(reference.topk_kl_teacher_student(z, ids, one).item() - math.log(2)) < 1e-7
    on_k = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3)
    assert abs(reference.topk_jsd(z, ids, one).item() - on_k - 0.25 * math.log(2)) < 1e-7
    bucket = reference.topk_jsd(z, ids, logits((0.5,)), "bucket")
    assert abs(bucket.item()) < 1e-7  # both say 1/2 on the token, 1/2 elsewhere


@pytest.mark.parametrize("name", ["kl_student_teacher", "kl_teacher_student", "jsd"])
@given(seed=st.integers(0, 10**6))
def test_never_negative_and_zero_at_equality(name, seed):
    """D >= 0, and D = 0 for a teacher whose logits differ by a constant."""
    g = torch.Generator().manual_seed(seed)
    p, q = torch.randn(2, 4, 9, generator=g, dtype=torch.float64)
    divergence = getattr(reference, name)
    assert divergence(p, q).min() > 0
    assert divergence(p, p + 3.0).abs().max() < 1e-14


@pytest.mark.parametrize("name", ["kl_student_teacher", "kl_teacher_student", "jsd", "entropy"])
def test_finite_gradients_beside_forbidden_tokens(name):
    """-inf in the same column of both leaves a finite gradient, 0 in that column."""
    p = logits((0.5, 0.5, 0.0)).requires_grad_()
    q = () if name == "entropy" else (logits((0.9, 0.1, 0.0)),)
    (grad,) = torch.autograd.grad(getattr(reference, name)(p, *q).sum(), p)
    assert grad.isfinite().all()
    assert grad[0, 2] == 0
