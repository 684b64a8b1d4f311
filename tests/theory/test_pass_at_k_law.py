"""S7, S19: pass@k, the cliff as an event, and what failures say about a prompt."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, prod

import pytest
from exact_arithmetic import close, probabilities
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.cliffs import classify_correct
from hdpo_env.stats import pass_at_k
from hdpo_env.types import GroupKind

proves = pytest.mark.proves
sizes = st.integers(1, 24).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@proves("S7_unbiased", "S7_range")
@given(sizes, probabilities)
def test_pass_at_k_is_unbiased(nk, p):
    """Its mean over Binomial(n, p) successes is 1 - (1-p)^k: float error only, no bias."""
    n, k = nk
    weights = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
    estimates = [pass_at_k(n, c, k) for c in range(n + 1)]
    assert all(0 <= e <= 1 for e in estimates)
    mean = sum(w * Fraction(e) for w, e in zip(weights, estimates, strict=True))
    assert abs(mean - (1 - (1 - p) ** k)) < Fraction(1, 10**15)


@proves("S7_product_form")
@given(st.integers(1, 24), st.data())
def test_pass_at_k_equals_the_product_form(n, data):
    """1 - prod_{i = n-c+1}^{n} (1 - k/i), the form that other libraries code."""
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    falls = prod((1 - Fraction(k, i) for i in range(n - c + 1, n + 1)), start=Fraction(1))
    expected = 1 - falls if k <= n - c else Fraction(1)
    assert close(pass_at_k(n, c, k), expected, 1e-15)


def outcomes(p: Fraction, n: int) -> list[tuple[tuple[bool, ...], Fraction]]:
    """Every sequence of n verdicts with its probability."""
    return [
        (correct, prod((p if c else 1 - p for c in correct), start=Fraction(1)))
        for correct in product([False, True], repeat=n)
    ]


@proves("S7_target", "S7_cliff_probability", "S5_cliff_test")
@settings(max_examples=40)
@given(probabilities, st.integers(1, 7))
def test_a_cliff_is_an_event_of_probability_one_minus_p_to_the_k(p, k):
    """classify_correct says CLIFF on sequences of total probability (1-p)^k, exactly."""
    mass = {kind: Fraction(0) for kind in GroupKind}
    for correct, probability in outcomes(p, k):
        mass[classify_correct(correct)] += probability
    assert mass[GroupKind.CLIFF] == (1 - p) ** k
    assert mass[GroupKind.SATURATED] == p**k
    assert sum(mass.values()) == 1
    assert 1 - mass[GroupKind.CLIFF] == sum(
        q for correct, q in outcomes(p, k) if pass_at_k(k, sum(correct), k) == 1
    )
    assert close(theory.cliff_probability(float(p), k), (1 - p) ** k, 1e-14)
