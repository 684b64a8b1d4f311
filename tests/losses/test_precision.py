"""How many digits survive in float32 and bf16, against float64 on the same rounded inputs."""

from __future__ import annotations

import pytest
import torch

from hdpo_env.losses import Hidden, head_loss, reference, reverse_kl, teacher_topk, topk_jsd

V, D, N = 20_000, 48, 24


def setting(apart: float, dtype: torch.dtype, seed: int = 0):
    """Hidden states and a head whose logits reach about 20, as a trained model's do."""
    g = torch.Generator().manual_seed(seed)
    h, noise = torch.randn(2, N, D, generator=g, dtype=torch.float64).unbind()
    W = 5.0 * torch.randn(V, D, generator=g, dtype=torch.float64) / D**0.5
    return h.to(dtype), W.to(dtype), (h + apart * noise).to(dtype)


def error(ours, exact) -> float:
    return ((ours.double() - exact).norm() / exact.norm()).item()


def gradients(loss_of, *leaves):
    leaves = [x.clone().requires_grad_() for x in leaves]
    out = loss_of(*leaves)
    return out, torch.autograd.grad(out.loss, leaves)


def exact_kl(h, W, h_teacher):
    """The oracle's KL and gradients at the very numbers the low precision holds."""
    h, W, h_teacher = (x.double() for x in (h, W, h_teacher))
    h.requires_grad_()
    W.requires_grad_()
    kl = reference.kl_student_teacher(h @ W.T, h_teacher @ W.T.detach())
    return kl.detach(), torch.autograd.grad(kl.sum(), [h, W])


@pytest.mark.parametrize("apart", [1.0, 0.1, 1e-2, 1e-3, 3e-4])
def test_float32_kl_keeps_four_digits(apart):
    """Value and gradients within 1e-4 of float64 from KL of tens of nats down to 1e-6."""
    h, W, h_teacher = setting(apart, torch.float32)
    kl, grads = exact_kl(h, W, h_teacher)
    out, ours = gradients(lambda h, W: reverse_kl(h, W, h_teacher), h, W)
    tell = kl > 1e-6
    assert tell.sum() >= N // 4
    assert ((out.value - kl).abs() / kl)[tell].max() < 1e-4
    assert out.value.min() >= 0
    assert max(error(a, b) for a, b in zip(ours, grads, strict=True)) < 1e-4


def test_float32_kl_keeps_four_digits_on_few_tokens():
    """With two to five tokens no average hides a rounding: still 1e-4 from KL 1e-6 on."""
    for seed in range(40):
        g = torch.Generator().manual_seed(seed)
        V = 2 + seed % 4
        s = 2 * torch.randn(200, V, generator=g)
        t = s + 2e-3 * torch.randn(200, V, generator=g)
        kl = reference.kl_student_teacher(s, t)
        value = reverse_kl(s, torch.eye(V), t).value
        tell = kl > 1e-6
        assert tell.any()
        assert ((value - kl).abs() / kl)[tell].max() < 1e-4


def test_float32_kl_is_never_negative():
    """At teachers a few roundings away from the student the value is >= 0, and 0 at none."""
    for apart in (1e-5, 1e-6, 1e-7, 0.0):
        h, W, h_teacher = setting(apart, torch.float32)
        for W_teacher in (None, W):
            value = reverse_kl(h, W, h_teacher, W_teacher).value
            assert value.min() >= 0
            assert value.max() < 1e-8
    assert value.count_nonzero() == 0


@pytest.mark.parametrize("apart", [0.3, 0.1, 0.03, 0.01])
def test_bf16_hidden_states_keep_the_gradient(apart):
    """bf16 h and W: gradients within 5e-3 and values within 1e-3 down to KL 4e-4."""
    h, W, h_teacher = setting(apart, torch.bfloat16)
    kl, grads = exact_kl(h, W, h_teacher)
    assert kl.mean() > 4e-4
    out, ours = gradients(lambda h, W: reverse_kl(h, W, h_teacher), h, W)
    assert all(x.dtype == torch.bfloat16 for x in ours)
    assert max(error(a, b) for a, b in zip(ours, grads, strict=True)) < 5e-3
    assert ((out.value - kl).abs() / kl).max() < 1e-3


def test_autocast_does_not_round_the_logits():
    """Inside an autocast region the operator computes what it computes outside."""
    h, W, h_teacher = setting(0.1, torch.float32)
    plain = reverse_kl(h, W, h_teacher).value
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = reverse_kl(h, W, h_teacher).value
    assert torch.equal(plain, inside)


@pytest.mark.parametrize("apart", [1.0, 0.1, 1e-2])
@pytest.mark.parametrize("tail", ["exact", "bucket"])
def test_float32_topk_jsd(apart, tail):
    """Top-k JSD in float32 within 1e-4 of float64, with the teacher's top k of that precision."""
    h, W, h_teacher = setting(apart, torch.float32)
    top = teacher_topk(h_teacher.double(), W.double(), 64)
    hd, Wd = h.double().requires_grad_(), W.double().requires_grad_()
    exact = reference.topk_jsd(hd @ Wd.T, top.ids, top.logprobs, tail, top.log_tail)
    grads = torch.autograd.grad(exact.sum(), [hd, Wd])
    ids, logprobs, log_tail = teacher_topk(h_teacher, W, 64)
    assert (log_tail - top.log_tail).abs().max() < 1e-4
    out, ours = gradients(
        lambda h, W: topk_jsd(h, W, top.ids, logprobs, tail=tail, log_tail=log_tail), h, W
    )
    assert ids.shape == top.ids.shape
    assert ((out.value - exact).abs() / exact).max() < 1e-4
    assert max(error(a, b) for a, b in zip(ours, grads, strict=True)) < 1e-4


@pytest.mark.parametrize("divergence", ["jsd", "kl_teacher_student"])
@pytest.mark.parametrize("apart", [1.0, 1e-2])
def test_float32_dense_divergences(apart, divergence):
    """The other dense divergences in float32 within 2e-4 of float64."""
    h, W, h_teacher = setting(apart, torch.float32)
    hd, Wd = h.double().requires_grad_(), W.double().requires_grad_()
    exact = getattr(reference, divergence)(hd @ Wd.T, h_teacher.double() @ Wd.detach().T)
    grads = torch.autograd.grad(exact.sum(), [hd, Wd])
    out, ours = gradients(
        lambda h, W: head_loss(h, W, teacher=Hidden(h_teacher), divergence=divergence), h, W
    )
    assert ((out.divergence - exact).abs() / exact).max() < 2e-4
    assert max(error(a, b) for a, b in zip(ours, grads, strict=True)) < 2e-4


@pytest.mark.parametrize("scale", [8.0, 12.0])
def test_small_tails_keep_their_digits(scale):
    """log_tail in float32 within 1e-4 of float64 where 1 - sum would be noise (tail < 1e-6)."""
    g = torch.Generator().manual_seed(1)
    h, W = torch.randn(40, 16, generator=g), scale * torch.randn(2000, 16, generator=g) / 4
    low, high = (teacher_topk(h.to(t), W.to(t), 64) for t in (torch.float32, torch.float64))
    assert high.log_tail.min() < -14
    assert (low.log_tail - high.log_tail).abs().max() < 1e-4
