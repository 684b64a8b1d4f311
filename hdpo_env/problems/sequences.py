"""Sequences: arithmetic and geometric ones, infinite series, linear recurrences."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import nonzero, ordinal, polynomial, signed


def _term(rng: Random) -> Worked:
    a, d, n = rng.randrange(-50, 51), nonzero(rng, 20), rng.randrange(8, 60)
    return Worked(
        f"An arithmetic sequence begins {a}, {a + d}, {a + 2 * d}. What is its {ordinal(n)} term?",
        str(a + (n - 1) * d),
        f"Each term is the one before plus {signed(d)}. From the first term there are {n - 1} "
        f"steps: {a} + {n - 1} * {signed(d)} =",
        (
            "Find the difference of neighbouring terms.",
            "Count the steps from the first term to the one wanted.",
            f"The common difference is {d}.",
        ),
    )


def _sum(rng: Random) -> Worked:
    a, d, n = rng.randrange(-30, 51), nonzero(rng, 15), rng.randrange(8, 60)
    last = a + (n - 1) * d
    return Worked(
        f"An arithmetic sequence begins {a}, {a + d}, {a + 2 * d}. What is the sum of its first "
        f"{n} terms?",
        str(n * (a + last) // 2),
        f"The {ordinal(n)} term is {a} + {n - 1} * {signed(d)} = {last}. The sum is {n} times the "
        f"mean of the first and the last term: {n} * ({a} + {signed(last)})/2 =",
        (
            "Find the last of the terms to be added.",
            "The sum is the number of terms times the mean of the first and the last.",
            f"The last term to be added is {last}.",
        ),
    )


def _geometric_sum(rng: Random) -> Worked:
    a, r, n = nonzero(rng, 600), rng.choice((-4, -3, -2, 2, 3, 4, 5)), rng.randrange(5, 10)
    total = a * (r**n - 1) // (r - 1)
    return Worked(
        f"A geometric sequence begins {a}, {a * r}, {a * r * r}. What is the sum of its first {n} "
        "terms?",
        str(total),
        f"The common ratio is {r}. The sum is {a} * ({signed(r)}^{n} - 1)/({r} - 1) = "
        f"{a} * {signed(r**n - 1)}/{signed(r - 1)} =",
        (
            "Find the ratio of neighbouring terms.",
            "Use the formula for a finite geometric sum.",
            f"The common ratio is {r}.",
        ),
    )


def _series(rng: Random) -> Worked:
    bottom = rng.randrange(2, 12)
    ratio = Fraction(nonzero(rng, bottom - 1), bottom)
    a = nonzero(rng, 500)
    terms = [a, a * ratio, a * ratio**2]
    return Worked(
        f"A geometric series begins {' + '.join(signed(t) for t in terms)} and goes on for ever. "
        "What is its sum?",
        str(a / (1 - ratio)),
        f"The common ratio is {ratio}, which lies between -1 and 1. The sum is "
        f"{a}/(1 - {signed(ratio)}) = {a}/({1 - ratio}) =",
        (
            "Find the ratio of neighbouring terms and check that it is smaller than one in size.",
            "Divide the first term by one minus the ratio.",
            f"The common ratio is {ratio}.",
        ),
    )


def _recurrence(rng: Random) -> Worked:
    p, q = nonzero(rng, 4), nonzero(rng, 4)
    terms = [rng.randrange(-6, 10), nonzero(rng, 9)]
    n = rng.randrange(6, 10)
    steps = []
    while len(terms) < n:
        value = p * terms[-1] + q * terms[-2]
        steps.append(f"a_{len(terms) + 1} = {value}")
        terms.append(value)
    return Worked(
        f"A sequence has a_1 = {terms[0]}, a_2 = {terms[1]} and a_n = {_rule(p, q)} for every "
        f"n > 2. What is a_{n}?",
        str(terms[-1]),
        f"Step by step: {', '.join(steps)}. So a_{n} =",
        (
            "Calculate the terms one after the other.",
            "Each term needs the two terms before it.",
            f"The first new term is {steps[0]}.",
            f"Later, {steps[-2]}.",
        ),
    )


def _rule(p: int, q: int) -> str:
    first, second = polynomial((p, 0), "a_(n-1)"), polynomial((abs(q), 0), "a_(n-2)")
    return f"{first} {'+' if q > 0 else '-'} {second}"


class SequenceFamily(LevelFamily):
    """Arithmetic terms and sums (1, 2), geometric sums and series (3, 4), recurrences (5).

    >>> _rule(2, -1)
    '2a_(n-1) - a_(n-2)'
    """

    kind = "sequences"
    subject = "sequences"
    makers = (_term, _sum, _geometric_sum, _series, _recurrence)
