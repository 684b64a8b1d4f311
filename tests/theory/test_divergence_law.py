"""S4, S6, S12, S13, S20: the shipped divergences against balls, and the bounds on them."""

from __future__ import annotations

from fractions import Fraction
from math import log

import pytest
import torch
from exact_arithmetic import (
    LN2,
    at_most,
    ball,
    close,
    jsd,
    kl,
    laws,
    logits,
    same,
    softmax,
    total,
    tv,
)
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.losses import Hidden, TopK, head_loss, reverse_kl, teacher_topk, topk_jsd

proves = pytest.mark.proves


def row(values) -> torch.Tensor:
    return torch.tensor([[float(x) for x in values]], dtype=torch.float64)


def eye(size: int) -> torch.Tensor:
    return torch.eye(size, dtype=torch.float64)


def divergence(student, teacher, kind: str) -> float:
    """The shipped divergence of two logit vectors: hidden states are the logits, the head is I.

    A teacher over the student's head and one over an equal head of its own take different ways.
    """
    W = eye(len(student))
    shared, own = (
        head_loss(row(student), W, teacher=there, divergence=kind).divergence.item()
        for there in (Hidden(row(teacher)), Hidden(row(teacher), W.clone()))
    )
    assert shared == pytest.approx(own, abs=1e-12)
    return own


def topk_value(student, ids: list[int], probs, tail: str = "exact", log_tail=None) -> float:
    """The shipped JSD between a teacher on ``ids`` and the student's softmax."""
    logprobs = row(probs).log()
    index = torch.tensor([ids])
    rest = None if log_tail is None else torch.tensor([log_tail], dtype=torch.float64)
    out = topk_jsd(row(student), eye(len(student)), index, logprobs, tail=tail, log_tail=rest)
    return out.value.item()


@st.composite
def pairs(draw, max_size: int = 7):
    n = draw(st.integers(2, max_size))
    return draw(logits(n)), draw(logits(n))


@st.composite
def supports(draw):
    """A teacher law, a student's logits and a nonempty support K."""
    n = draw(st.integers(2, 8))
    keep = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assume(any(keep))
    return draw(laws(n)), draw(logits(n)), [i for i, k in enumerate(keep) if k]


@proves("S4_identity", "S4_hoeffding", "S4_osc", "S4_sup", "S4_two", "S4_shift")
@given(pairs())
def test_kl_between_softmaxes_is_within_the_realizability_bound(pair):
    """KL(softmax z || softmax(z+d)) = ln E e^d - E d <= osc(d)^2/8 <= |d|^2/2, both directions."""
    z, d = pair
    moved = [a + b for a, b in zip(z, d, strict=True)]
    p, q = softmax(z), softmax(moved)
    truth = kl(p, q)
    moment = total([a * ball(x).exp() for a, x in zip(p, d, strict=True)]).log()
    assert same(truth, moment - total([a * ball(x) for a, x in zip(p, d, strict=True)]))
    osc, sup = max(d) - min(d), max(abs(x) for x in d)
    assert at_most(truth, ball(osc**2 / 8))
    assert osc**2 / 8 <= sup**2 / 2
    assert close(divergence(z, moved, "kl_student_teacher"), truth, 1e-12)
    assert close(divergence(moved, z, "kl_teacher_student"), truth, 1e-12)
    assert close(reverse_kl(row(z), eye(len(z)), row(moved)).value.item(), truth, 1e-12)
    assert float(truth) <= theory.realizability_bound(float(sup)) + 1e-12
    shifted = [x + Fraction(7, 2) for x in moved]  # S4_shift: a constant moves no probability
    assert close(divergence(z, shifted, "kl_student_teacher"), truth, 1e-12)


@proves("S4_same_model", "S4_cross_model", "S9_bound_order_is_not_gap_order")
@given(pairs(), st.data())
def test_another_models_bound_is_larger_but_its_gap_need_not_be(pair, data):
    """Shifts add up: (L D + m)^2 / 2. At ph = student the larger bound goes with a smaller gap."""
    same_model, student = pair
    other = data.draw(logits(len(student)))
    shift = max(abs(a - b) for a, b in zip(same_model, student, strict=True))
    mismatch = max(abs(a - b) for a, b in zip(other, same_model, strict=True))
    bound = theory.realizability_bound
    assert divergence(student, same_model, "kl_teacher_student") <= bound(float(shift)) + 1e-12
    crossed = bound(float(shift + mismatch))
    assert divergence(student, other, "kl_teacher_student") <= crossed + 1e-12
    assert bound(float(shift)) <= crossed
    assert divergence(student, student, "kl_teacher_student") <= 1e-15  # a "cross" model at gap 0


@proves("S6_nonneg", "S6_upper", "S6_zero_iff", "S12_jsd_jeffreys", "S12_prop1_jsd")
@given(pairs())
def test_jsd_is_between_zero_and_its_bounds(pair):
    """0 <= JSD <= min(ln 2, D^2/4, (KL + KL')/4); it is 0 only where the two laws are equal."""
    z, y = pair
    p, q = softmax(z), softmax(y)
    truth, shift = jsd(p, q), max(abs(a - b) for a, b in zip(z, y, strict=True))
    value = divergence(z, y, "jsd")
    assert close(value, truth, 1e-12)
    assert at_most(0, truth)
    assert at_most(truth, LN2)
    assert at_most(truth, (kl(p, q) + kl(q, p)) / 4)
    assert value <= theory.jsd_bound(float(shift)) + 1e-12
    equal = len({a - b for a, b in zip(z, y, strict=True)}) == 1
    assert (value > 1e-14) != equal
    assert close(divergence(y, z, "jsd"), truth, 1e-12)  # JSD is symmetric


@proves("S6_tail", "S6_tail_gathered")
@given(supports())
def test_the_top_k_tail_is_half_the_outside_mass_times_ln2(case):
    """topk_jsd(tail="exact") is the JSD of the renormalised teacher over the whole vocabulary."""
    teacher, student, ids = case
    q = softmax(student)
    mass = sum(teacher[i] for i in ids)
    kept = {i: teacher[i] / mass for i in ids}
    truth = jsd([kept.get(i, Fraction(0)) for i in range(len(q))], q)
    inside = total([kl_half(kept[i], q[i]) for i in ids])
    outside = total([q[i] for i in range(len(q)) if i not in kept])
    assert same(truth, inside + outside * LN2 / 2)
    assert close(topk_value(student, ids, [teacher[i] for i in ids]), truth, 1e-12)


def kl_half(a: Fraction, b: arb) -> arb:
    """One summand of the JSD."""
    return jsd([a], [b])


@proves("S6_paper_coefficient", "S6_paper_coefficient_out_of_range", "S6_disjoint")
@given(supports())
def test_the_papers_coefficient_counts_the_tail_twice(case):
    """tail="paper" exceeds the exact value by Q(outside K) ln 2 / 2, beyond ln 2 if disjoint."""
    teacher, student, ids = case
    q, probs = softmax(student), [teacher[i] for i in ids]
    outside = 1 - total([q[i] for i in ids])
    extra = topk_value(student, ids, probs, "paper") - topk_value(student, ids, probs)
    assert close(extra, outside * LN2 / 2, 1e-12)
    apart = [0.0, 800.0]  # the student puts everything outside the teacher's support {0}
    assert topk_value(apart, [0], [1.0]) == pytest.approx(log(2), rel=1e-12)
    assert topk_value(apart, [0], [1.0], "paper") == pytest.approx(1.5 * log(2), rel=1e-12)


@proves("S13_topk_TV", "S13_topk_KL", "S13_topk_jsd")
@given(supports())
def test_renormalising_the_teacher_changes_the_jsd_within_the_stated_range(case):
    """With e outside the top k: TV e, KL -ln(1-e), and the JSD moves within topk_jsd_change(e)."""
    teacher, student, ids = case
    q, mass = softmax(student), sum(teacher[i] for i in ids)
    kept = [teacher[i] / mass if i in ids else Fraction(0) for i in range(len(teacher))]
    tail = 1 - mass
    assert same(tv(teacher, kept), ball(tail))
    assert same(kl(kept, teacher), -ball(mass).log())
    change = topk_value(student, ids, [teacher[i] for i in ids]) - float(jsd(teacher, q).mid())
    low, high = theory.topk_jsd_change(float(tail))
    assert low - 1e-12 <= change <= high + 1e-12
    if tail:
        e = ball(tail)
        assert close(high, e / 2 * (1 + (2 / e).log()), 1e-13)
        assert close(low, -(e / 2 * LN2 + e**2 / (4 * (1 - e))), 1e-13)


@proves("S13_prop1_topk", "S13_prop1_topk_jsd")
@given(pairs(), st.integers(1, 7))
def test_the_bounds_hold_for_the_teacher_that_is_used(pair, k):
    """teacher_topk and topk_jsd stay within jsd_bound(D, e); KL(P_K || Q) within its own bound."""
    zt, zs = pair
    k = min(k, len(zt))
    top = teacher_topk(row(zt), eye(len(zt)), k)
    out = topk_jsd(row(zs), eye(len(zs)), top.ids, top.logprobs)
    p, q = softmax(zt), softmax(zs)
    ids = top.ids[0].tolist()
    assert sorted((zt[i] for i in ids), reverse=True) == sorted(zt, reverse=True)[:k]
    mass = total([p[i] for i in ids])
    tail = max(0.0, float((1 - mass).mid())) if k < len(zt) else 0.0
    shift = float(max(abs(a - b) for a, b in zip(zt, zs, strict=True)))
    assert out.value.item() <= theory.jsd_bound(shift, tail) + 1e-6  # the top k is kept in float32
    d = [b - a for a, b in zip(zt, zs, strict=True)]
    osc = ball(max(d) - min(d))
    kept = kl([p[i] / mass for i in ids], [q[i] for i in ids])
    assert at_most(kept, -mass.log() + (osc**2 / 8 + (1 - mass) * osc) / mass)
    found = head_loss(row(zs), eye(len(zs)), teacher=top, divergence="kl_teacher_student")
    assert close(found.divergence.item(), kept, 2e-6)


@proves("S20_variational", "S20_pinsker", "S20_pinsker_TV", "S20_success_gap")
@given(pairs(), st.data())
def test_pinsker_bounds_every_difference_of_averages(pair, data):
    """TV <= pinsker_bound(KL), and no average of a function differs by more than range * that."""
    z, y = pair
    p, q = softmax(z), softmax(y)
    f = data.draw(logits(len(z), 2))
    value = divergence(z, y, "kl_student_teacher")
    bound = theory.pinsker_bound(max(0.0, value)) + 1e-12
    assert float(tv(p, q)) <= bound
    mean_p = total([a * ball(x) for a, x in zip(p, f, strict=True)])
    mean_q = total([b * ball(x) for b, x in zip(q, f, strict=True)])
    assert float(abs(mean_p - mean_q)) <= bound * float(max(f) - min(f)) + 1e-12
    moment = total([b * ball(x).exp() for b, x in zip(q, f, strict=True)])
    assert at_most(mean_p - moment.log(), kl(p, q))


def test_float32_keeps_the_law_to_its_own_precision():
    """The same operators in float32 agree with the balls to 2e-6 relative on a fixed case."""
    zt, zs = [1.5, -0.5, 0.25, 3.0], [0.0, 2.0, -1.0, 0.5]
    h, teacher = (torch.tensor([x], dtype=torch.float32) for x in (zs, zt))
    W = torch.eye(4)
    truth = kl(softmax(zs), softmax(zt))
    assert close(reverse_kl(h, W, teacher).value.item(), truth, 2e-6)
    found = head_loss(h, W, teacher=Hidden(teacher), divergence="jsd").divergence.item()
    assert close(found, jsd(softmax(zs), softmax(zt)), 2e-6)
    top = TopK(torch.tensor([[0, 3]]), torch.tensor([[0.25, 0.5]]).log())
    value = topk_jsd(h, W, top.ids, top.logprobs).value.item()
    kept = [Fraction(1, 3), Fraction(0), Fraction(0), Fraction(2, 3)]
    assert close(value, jsd(kept, softmax(zs)), 2e-6)
