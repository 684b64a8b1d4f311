"""S3, S18: the pool that the library's R = 1 filter leaves, and how far it can be off."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, prod

import pytest
from exact_arithmetic import at_most, ball, filtered, iid_law, verified_laws
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env import theory
from hdpo_env.filters import select_teachable
from hdpo_env.types import (
    Completion,
    Group,
    Message,
    Outcome,
    Problem,
    Prompt,
    Rollout,
    Verdict,
)

proves = pytest.mark.proves
PROBLEM = Problem("?", ("1",))
PROMPT = Prompt(PROBLEM.id, (Message("user", "?"),), view="answer")


def survivors(
    draws: tuple[int, ...], reward: list[int], *, distinct: bool = False
) -> tuple[int, ...]:
    """What select_teachable keeps of n privileged rollouts, as indices of outcomes."""
    rollouts = tuple(
        Rollout(
            PROMPT,
            Completion((t,), str(t)),
            Verdict(Outcome.CORRECT if reward[t] else Outcome.WRONG),
            float(reward[t]),
        )
        for t in draws
    )
    chosen = select_teachable([Group(PROBLEM, rollouts)], telltales=(), distinct=distinct)
    return tuple(r.completion.token_ids[0] for r in chosen.kept)


def pool_law(mu: list[Fraction], reward: list[int], n: int) -> dict[tuple[int, ...], Fraction]:
    """The exact law of the pool: every group of n rollouts through the library's filter."""
    law: dict[tuple[int, ...], Fraction] = {}
    for draws, probability in iid_law(mu, n):
        kept = survivors(draws, reward)
        law[kept] = law.get(kept, Fraction(0)) + probability
    return law


@proves("S3_filtered_batch")
@settings(max_examples=30)
@given(verified_laws(max_size=3), st.integers(1, 4))
def test_the_pool_is_a_binomial_number_of_independent_draws_from_the_filtered_policy(problem, n):
    """P(pool = ks) = C(n,m) p^m (1-p)^(n-m) prod_i mu(k_i | R = 1), exactly, for every pool."""
    mu, reward, p = problem
    law, target = pool_law(mu, reward, n), filtered(mu, reward, p)
    for m in range(n + 1):
        size = comb(n, m) * p**m * (1 - p) ** (n - m)
        for ks in product([t for t, r in enumerate(reward) if r], repeat=m):
            assert law.get(ks, Fraction(0)) == size * prod(
                (target[k] for k in ks), start=Fraction(1)
            )
    assert sum(law.values()) == 1


@proves("S3_reject", "S3_reject_conditional", "S3_reject_limit")
@settings(max_examples=30)
@given(verified_laws(max_size=3), st.integers(1, 5))
def test_the_first_survivor_is_an_exact_draw_from_the_filtered_policy(problem, n):
    """The first R = 1 rollout of n has law (1 - (1-p)^n) mu(. | R = 1), or there is none."""
    mu, reward, p = problem
    first: dict[int | None, Fraction] = {}
    for kept, probability in pool_law(mu, reward, n).items():
        key = kept[0] if kept else None
        first[key] = first.get(key, Fraction(0)) + probability
    target = filtered(mu, reward, p)
    for t in range(len(mu)):
        assert first.get(t, Fraction(0)) == (1 - (1 - p) ** n) * target[t]
    assert (
        first.get(None, Fraction(0))
        == (1 - p) ** n
        == 1 - sum(q for t, q in first.items() if t is not None)
    )


@pytest.mark.parametrize(("distinct", "share"), [(False, Fraction(1, 3)), (True, Fraction(10, 27))])
def test_dropping_duplicates_changes_the_law(distinct, share):
    """Three rollouts of mu = (2/3, 1/3), both correct: the second outcome's mean share of the pool.

    Kept as drawn it is 1/3. Without repeats it is 1/27 + (1 - 1/27 - 8/27)/2 = 10/27: rare
    survivors weigh more, so S3 and S18 speak of ``distinct=False``.
    """
    found = Fraction(0)
    for draws, probability in iid_law([Fraction(2, 3), Fraction(1, 3)], 3):
        kept = survivors(draws, [1, 1], distinct=distinct)
        found += probability * Fraction(sum(kept), len(kept))
    assert found == share


@proves("S18_filtered_estimate", "S18_filtered_estimate_above", "S18_hoeffding_mean")
@settings(max_examples=30)
@given(
    verified_laws(max_size=3),
    st.integers(0, 5),
    st.fractions(Fraction(1, 10), 1, max_denominator=20),
    st.data(),
)
def test_the_survivors_average_is_off_no_more_often_than_the_bound(problem, n, t, data):
    """P(no survivor, or their mean of f off by t or more) <= filtered_estimate_bound, exactly."""
    mu, reward, p = problem
    values = st.lists(st.fractions(0, 1, max_denominator=6), min_size=len(mu), max_size=len(mu))
    f = data.draw(values)
    mean = sum(q * x for q, x in zip(filtered(mu, reward, p), f, strict=True))
    off = sum(
        (
            probability
            for kept, probability in pool_law(mu, reward, n).items()
            if len(kept) * t <= abs(sum((f[k] - mean for k in kept), Fraction(0)))
        ),
        Fraction(0),
    )
    bound = theory.filtered_estimate_bound(float(p), n, float(t))
    exact = 2 * (1 - ball(p) + ball(p) * (-2 * ball(t) ** 2).exp()) ** n
    assert at_most(ball(off), exact)
    assert bound == pytest.approx(min(1.0, float(exact.mid())), rel=1e-12)


@proves("S18_rollouts_needed")
@given(
    st.fractions(0, 1, max_denominator=30),
    st.fractions(Fraction(1, 10), 1, max_denominator=20),
    st.integers(0, 200),
)
def test_the_bound_falls_exponentially_in_the_number_of_rollouts(p, t, n):
    """filtered_estimate_bound <= 2 exp(-n p (1 - e^(-2 t^2))): n of order 1/p rollouts suffice."""
    rate = ball(p) * (1 - (-2 * ball(t) ** 2).exp())
    bound = theory.filtered_estimate_bound(float(p), n, float(t))
    assert bound <= float((2 * (-n * rate).exp()).mid()) * (1 + 1e-12)
