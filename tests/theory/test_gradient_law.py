"""S8, S16: the gradients that autograd takes through the shipped losses, against closed forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
import torch
from exact_arithmetic import LN2, at_most, ball, close, jsd, kl, laws, logits, same, softmax, total
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from hdpo_env import theory
from hdpo_env.advantages import group_advantages
from hdpo_env.losses import (
    HeadLoss,
    Hidden,
    TopK,
    head_loss,
    importance_ratio,
    policy_loss,
    reference_kl,
    sdpg_loss,
)

proves = pytest.mark.proves
TOLERANCE = 1e-12


def rows(values: Sequence, count: int = 1) -> Tensor:
    """``count`` equal float64 rows that require a gradient."""
    one = torch.tensor([float(x) for x in values], dtype=torch.float64)
    return one.repeat(count, 1).requires_grad_()


def eye(size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)


def gradient(loss: Tensor, leaf: Tensor) -> list[float]:
    """D loss / d logits, summed over rows that stand for the same logits."""
    (g,) = torch.autograd.grad(loss, leaf)
    return g.sum(0).tolist()


def agree(found: Sequence[float], truth: Sequence[arb], tolerance: float = TOLERANCE) -> bool:
    return all(close(a, b, tolerance) for a, b in zip(found, truth, strict=True))


@st.composite
def cases(draw, max_size: int = 5):
    """A student's logits, a teacher's law and a direction."""
    n = draw(st.integers(2, max_size))
    return draw(logits(n)), draw(laws(n)), draw(logits(n, 2))


def along(gradient_: Sequence[arb], direction: Sequence[Fraction]) -> arb:
    return total([g * ball(v) for g, v in zip(gradient_, direction, strict=True)])


@proves("S8_reverse_KL", "S8_reverse_KL_direction", "S8_forward_KL", "S8_forward_KL_direction")
@given(cases())
def test_kl_gradients_are_the_closed_forms(case):
    """dKL(p||q)/dz_j = p_j (ln p_j - ln q_j - KL) and dKL(q||p)/dz_j = p_j - q_j."""
    z, q, v = case
    p = softmax(z)
    reverse = kl(p, q)
    truth = {
        "kl_student_teacher": [
            a * (a.log() - ball(b).log() - reverse) for a, b in zip(p, q, strict=True)
        ],
        "kl_teacher_student": [a - ball(b) for a, b in zip(p, q, strict=True)],
    }
    # In a direction v: sum p v (ln(p/q) - KL) and E_p v - E_q v.
    mean = total([(a - ball(b)) * ball(x) for a, b, x in zip(p, q, v, strict=True)])
    assert same(along(truth["kl_teacher_student"], v), mean)
    log_q = torch.tensor([[float(x) for x in q]], dtype=torch.float64).log()
    for kind, expected in truth.items():
        for teacher in (Hidden(log_q), Hidden(log_q, eye(len(z)))):
            h = rows(z)
            out = head_loss(h, eye(len(z)), teacher=teacher, divergence=kind)
            assert agree(gradient(out.loss, h), expected)


@proves("S8_JSD", "S8_JSD_direction", "S8_JSD_saturates")
@given(cases(), st.data())
def test_the_top_k_jsd_gradient_is_the_closed_form_and_saturates(case, data):
    """(q_j/2)(ln(q_j/m_j) - KL(q||m)), tail included; never above jsd_gradient_bound(q_j)."""
    z, law, _ = case
    q = softmax(z)
    keep = data.draw(st.lists(st.booleans(), min_size=len(z), max_size=len(z)))
    assume(any(keep))
    mass = sum(x for x, k in zip(law, keep, strict=True) if k)
    teacher = [x / mass if k else Fraction(0) for x, k in zip(law, keep, strict=True)]
    middle = [(ball(a) + b) / 2 for a, b in zip(teacher, q, strict=True)]
    inner = kl(q, middle)
    truth = [b / 2 * ((b / m).log() - inner) for b, m in zip(q, middle, strict=True)]
    ids = torch.tensor([[i for i, k in enumerate(keep) if k]])
    logprobs = torch.tensor([[float(x) for x in teacher if x]], dtype=torch.float64).log()
    h = rows(z)
    out = head_loss(h, eye(len(z)), teacher=TopK(ids, logprobs), divergence="jsd")
    found = gradient(out.loss, h)
    assert agree(found, truth)
    for g, b, t in zip(found, q, truth, strict=True):
        assert abs(g) <= theory.jsd_gradient_bound(min(1.0, float(b))) + 1e-12
        assert at_most(abs(t), b / 2 * (LN2 - b.log()))


@proves("S8_JSD_stationary")
@given(cases())
def test_distillation_is_stationary_only_where_student_and_teacher_agree(case):
    """The JSD gradient is 0 only if the student equals the teacher, on cliffs as elsewhere."""
    z, law, _ = case
    teacher = Hidden(torch.tensor([[float(x) for x in law]], dtype=torch.float64).log())
    h = rows(z)
    found = gradient(head_loss(h, eye(len(z)), teacher=teacher, divergence="jsd").loss, h)
    assert max(map(abs, found)) > 1e-9 or at_most(jsd(softmax(z), law), Fraction(1, 10**8))
    h = rows([float(ball(x).log()) for x in law])
    found = gradient(head_loss(h, eye(len(z)), teacher=teacher, divergence="jsd").loss, h)
    assert max(map(abs, found)) < 1e-12


@pytest.mark.parametrize("kind", ["kl_student_teacher", "kl_teacher_student", "jsd"])
def test_no_gradient_reaches_the_teacher(kind):
    """Stop-gradient is part of the definition: the teacher's hidden states and head stay out."""
    h, teacher = rows([0.5, -1.0, 2.0]), rows([1.0, 0.0, -1.0])
    W = eye(3).requires_grad_()
    out = head_loss(h, eye(3), teacher=Hidden(teacher, W), divergence=kind)
    grads = torch.autograd.grad(out.loss, [teacher, W], allow_unused=True)
    assert all(g is None or not g.any() for g in grads)


def expected_loss(
    z: Sequence, weights: Sequence[float], term: Callable[[Tensor, Tensor], Tensor]
) -> tuple[HeadLoss, Tensor]:
    """sum_a SG[weight_a] term(log p(a), a): every token once, through head_loss."""
    n = len(z)
    h = rows(z, n)
    w = torch.tensor(weights, dtype=torch.float64)
    out = head_loss(h, eye(n), torch.arange(n), lambda logp, at: w[at] * term(logp, at))
    return out, h


@proves("S8_policy_gradient_coord", "S8_policy_gradient")
@given(cases())
def test_the_expected_reinforce_gradient_is_that_of_the_expected_reward(case):
    """E_p[-A grad log p] over all tokens is - p_j (f_j - E f), with any constant baseline."""
    z, _, f = case
    p = softmax(z)
    mean = total([a * ball(x) for a, x in zip(p, f, strict=True)])
    truth = [-a * (ball(x) - mean) for a, x in zip(p, f, strict=True)]
    score = torch.tensor([float(x) for x in f], dtype=torch.float64)
    for baseline in (0.0, 1.5):

        def term(logp: Tensor, at: Tensor, baseline: float = baseline) -> Tensor:
            return policy_loss(logp, None, score[at] - baseline, kind="reinforce").loss

        out, h = expected_loss(z, [float(x) for x in p], term)
        assert agree(gradient(out.loss, h), truth)


@proves("S16_prop31", "S16_advantage_centred")
@given(cases())
def test_sdpgs_distillation_term_is_a_policy_gradient_with_a_centred_advantage(case):
    """Proposition 3.1: grad KL(p||SG q) = grad -E_SG[p][A log p], A = KL - ln(p/q), E_p A = 0."""
    z, q, _ = case
    p = softmax(z)
    divergence = kl(p, q)
    advantage = [divergence - (a / ball(b)).log() for a, b in zip(p, q, strict=True)]
    assert total([a * x for a, x in zip(p, advantage, strict=True)]).contains(0)
    A = torch.tensor([float(x) for x in advantage], dtype=torch.float64)

    def term_of(logp: Tensor, at: Tensor) -> Tensor:
        return policy_loss(logp, None, A[at], kind="reinforce").loss

    surrogate, leaf = expected_loss(z, [float(x) for x in p], term_of)
    h = rows(z)
    none = torch.zeros(1, dtype=torch.float64)
    term = sdpg_loss(
        h, eye(len(z)), torch.tensor([0]), advantages=none, weight=none + 1,
        teacher=Hidden(torch.tensor([[float(x) for x in q]], dtype=torch.float64).log()),
        distill_weight=1.0, gated=False,
    )  # fmt: skip
    truth = [a * (a.log() - ball(b).log() - divergence) for a, b in zip(p, q, strict=True)]
    assert agree(gradient(term.loss, h), truth)
    assert agree(gradient(surrogate.loss, leaf), truth)


GRADIENTS: dict[str, Callable[[arb, arb], arb]] = {
    "ufkl": lambda p, r: p - r,
    "urkl": lambda p, r: p * (p / r).log(),
    "fkl": lambda p, r: -r,
    "rkl": lambda p, r: p * ((p / r).log() + 1),
}  # of UKL(ref||p), UKL(p||ref), KL(ref||p), KL(p||ref) in ln p, for measures of any mass


@proves("S16_ufkl", "S16_urkl", "S16_fkl", "S16_rkl")
@given(logits(4, 3), laws(4), st.sampled_from(sorted(GRADIENTS)))
def test_each_surrogates_expected_gradient_is_that_of_its_divergence(log_p, ref, kind):
    """Sampling frozen, differentiated in free log-masses: the four gradients differ, as stated."""
    logp = rows(log_p)
    log_ref = torch.tensor([[float(x) for x in ref]], dtype=torch.float64).log()
    loss = (logp.detach().exp() * reference_kl(logp, log_ref, kind=kind).loss).sum()
    p = [ball(x).exp() for x in log_p]
    truth = [GRADIENTS[kind](a, ball(b)) for a, b in zip(p, ref, strict=True)]
    assert agree(gradient(loss, logp), truth)


@proves("S16_normalized_pairs", "S16_value_unbiased", "S16_ufkl_minimum")
@given(cases())
def test_under_a_policy_the_surrogates_pair_up_and_the_value_is_the_kl(case):
    """UFKL and FKL share a gradient, URKL and RKL too; E[value] = KL(p||ref), value >= 0."""
    z, ref, _ = case
    p = softmax(z)
    divergence = kl(p, ref)
    truth = {
        "ufkl": [a - ball(b) for a, b in zip(p, ref, strict=True)],
        "urkl": [a * ((a / ball(b)).log() - divergence) for a, b in zip(p, ref, strict=True)],
    }
    truth |= {"fkl": truth["ufkl"], "rkl": truth["urkl"]}
    log_ref = torch.tensor([float(x) for x in ref], dtype=torch.float64).log()
    weights = [float(x) for x in p]
    weight = torch.tensor(weights, dtype=torch.float64)
    for kind, expected in truth.items():
        out, h = expected_loss(
            z, weights, lambda logp, at, k=kind: reference_kl(logp, log_ref[at], kind=k).loss
        )
        assert agree(gradient(out.loss, h), expected)
        value = reference_kl(out.logprobs, log_ref, kind=kind).value
        assert (value >= 0).all()
        assert close(value.dot(weight).item(), divergence, 1e-11)
    ufkl = reference_kl(out.logprobs, log_ref, kind="ufkl").loss
    assert (ufkl >= 1 - 1e-15).all()


@proves("S16_ufkl")
@given(logits(5), laws(5), laws(5))
def test_importance_weights_keep_the_gradient_exact_off_policy(z, ref, old):
    """Tokens drawn from another policy and weighted by SG[rho] give the same expected gradient."""
    old_logp = torch.tensor([float(x) for x in old], dtype=torch.float64).log()
    log_ref = torch.tensor([float(x) for x in ref], dtype=torch.float64).log()

    def term(logp: Tensor, at: Tensor) -> Tensor:
        rho = importance_ratio(logp, old_logp[at])
        return reference_kl(logp, log_ref[at], kind="ufkl", ratio=rho).loss

    out, h = expected_loss(z, [float(x) for x in old], term)
    truth = [a - ball(b) for a, b in zip(softmax(z), ref, strict=True)]
    assert agree(gradient(out.loss, h), truth, 1e-11)


@proves("S16_gate_closed", "S16_gate_opens", "S5_zero_gradient")
@settings(max_examples=40)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=6), st.integers(0, 2**16))
def test_sdpg_distils_exactly_the_successes_of_mixed_groups(rewards, seed):
    """On a cliff or saturated group loss and gradient are 0.0; else failures get no teacher."""
    rng = torch.Generator().manual_seed(seed)
    size = len(rewards)
    draw = torch.randn(2, size, 3, generator=rng, dtype=torch.float64)
    advantages = torch.tensor(group_advantages([float(r) for r in rewards]), dtype=torch.float64)
    ones = torch.ones(size, dtype=torch.float64)
    parts = []
    for weight in (0.0, 1.0):
        h = draw[0].clone().requires_grad_()
        out = sdpg_loss(
            h, eye(3), torch.zeros(size, dtype=torch.long), advantages=advantages, weight=ones,
            teacher=Hidden(draw[1]), distill_weight=weight,
        )  # fmt: skip
        (g,) = torch.autograd.grad(out.loss, h)
        parts.append((out.loss, g))
    # not 0: a chunk with a teacher and one without add up the same terms in another order
    distilled = (parts[1][1] - parts[0][1]).abs().sum(-1) > 1e-12
    if len(set(rewards)) == 1:
        assert parts[1][0].item() == 0.0
        assert not parts[1][1].any()
    assert distilled.tolist() == [r == 1 and len(set(rewards)) == 2 for r in rewards]
