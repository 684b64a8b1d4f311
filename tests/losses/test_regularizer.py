"""The four reference surrogates: enumerated expected gradients, on- and off-policy."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import importance_ratio, reference_kl

TOWARDS = {"ufkl": "ref", "fkl": "ref", "urkl": "policy", "rkl": "policy"}


def three_policies(seed, V=7):
    g = torch.Generator().manual_seed(seed)
    theta, ref, drift = torch.randn(3, V, generator=g, dtype=torch.float64)
    return theta, ref.log_softmax(-1), theta + 0.2 * drift


@pytest.mark.parametrize("off_policy", [False, True])
@pytest.mark.parametrize("kind", list(TOWARDS))
@given(seed=st.integers(0, 10**6))
def test_expected_gradient_is_the_divergences(kind, off_policy, seed):
    """Summed over every token with its probability: grad KL(ref||pi) or KL(pi||ref) to 1e-12."""
    theta, log_ref, old = three_policies(seed)
    behaviour = (old if off_policy else theta).log_softmax(-1)
    theta.requires_grad_()
    logp = theta.log_softmax(-1)
    ratio = importance_ratio(logp, behaviour) if off_policy else None
    surrogate = reference_kl(logp, log_ref, kind=kind, ratio=ratio)
    (ours,) = torch.autograd.grad((behaviour.exp() * surrogate.loss).sum(), theta)
    log_pi = theta.log_softmax(-1)
    if TOWARDS[kind] == "ref":
        kl = (log_ref.exp() * (log_ref - log_pi)).sum()
    else:
        kl = (log_pi.exp() * (log_pi - log_ref)).sum()
    (theirs,) = torch.autograd.grad(kl, theta)
    assert (ours - theirs).norm() <= 1e-12 * max(1.0, theirs.norm().item())


@given(seed=st.integers(0, 10**6), off_policy=st.booleans())
def test_expected_value_is_kl_to_the_reference(seed, off_policy):
    """The logged value has mean KL(pi||ref) and no token's value is negative."""
    theta, log_ref, old = three_policies(seed)
    logp = theta.log_softmax(-1)
    behaviour = old.log_softmax(-1) if off_policy else logp
    ratio = importance_ratio(logp, behaviour) if off_policy else None
    value = reference_kl(logp, log_ref, kind="urkl", ratio=ratio).value
    assert value.min() >= 0
    kl = (logp.exp() * (logp - log_ref)).sum()
    assert abs((behaviour.exp() * value).sum() - kl) < 1e-12


def test_off_policy_without_the_ratio_is_biased():
    """Dropping sg[rho], as the released code does, misses the gradient by more than 1 %."""
    theta, log_ref, old = three_policies(0)
    theta.requires_grad_()
    logp = theta.log_softmax(-1)
    loss = reference_kl(logp, log_ref, kind="urkl").loss
    (ours,) = torch.autograd.grad((old.softmax(-1) * loss).sum(), theta, retain_graph=True)
    (theirs,) = torch.autograd.grad((logp.exp() * (logp - log_ref)).sum(), theta)
    assert (ours - theirs).norm() > 0.01 * theirs.norm()


def test_per_sample_slopes_and_values_by_hand():
    """At w = 2: losses 1/2 + ln 2, ln(2)^2/2, 1/2, (1 + ln 2)^2/2, and their slopes."""
    log2 = math.log(2)
    want = {
        "ufkl": (0.5 + log2, 0.5),
        "urkl": (0.5 * log2**2, log2),
        "fkl": (0.5, -0.5),
        "rkl": (0.5 * (1 + log2) ** 2, 1 + log2),
    }
    for kind, (value, slope) in want.items():
        logp = torch.tensor([log2 - 1], dtype=torch.float64, requires_grad=True)
        out = reference_kl(logp, torch.tensor([-1.0]).double(), kind=kind)
        (grad,) = torch.autograd.grad(out.loss.sum(), logp)
        assert abs(out.loss.item() - value) < 1e-12
        assert abs(grad.item() - slope) < 1e-12
        assert abs(out.value.item() - (0.5 - 1 + log2)) < 1e-12


def test_no_clamp_hides_a_far_policy():
    """Ten nats away the slopes are the formulas', not 0 as behind a clamp."""
    for kind, slope in (("ufkl", 1 - math.exp(10)), ("urkl", -10.0)):
        logp = torch.tensor([-10.0], dtype=torch.float64, requires_grad=True)
        loss = reference_kl(logp, torch.zeros(1).double(), kind=kind).loss
        (grad,) = torch.autograd.grad(loss.sum(), logp)
        assert abs(grad.item() / slope - 1) < 1e-12


def test_gradients_stop_at_reference_and_ratio():
    """Neither the reference nor rho is differentiated."""
    logp, ref, old = (torch.tensor([x], requires_grad=True) for x in (-1.0, -1.5, -1.2))
    ratio = importance_ratio(logp, old)
    reference_kl(logp, ref, kind="urkl", ratio=ratio).loss.sum().backward()
    assert ref.grad is None
    assert old.grad is None
    assert logp.grad is not None
    assert abs(logp.grad.item() - 0.5 * math.exp(0.2)) < 1e-6
