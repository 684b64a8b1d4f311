r"""Quadratic equations: the larger root, from small integers to surds."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import nonzero, polynomial, signed, surd_sum

_LETTERS = "xyztuvwn"
_RUNGS = (
    "Bring everything to one side, so that the other side is zero.",
    "Find the discriminant and take its square root.",
)


def _integers(rng: Random) -> Worked:
    return _factored(rng, (1, nonzero(rng, 60)), (1, nonzero(rng, 60)))


def _one_fraction(rng: Random) -> Worked:
    return _factored(rng, (rng.randrange(2, 6), nonzero(rng, 20)), (1, nonzero(rng, 20)))


def _two_fractions(rng: Random) -> Worked:
    first, second = ((rng.randrange(2, 8), nonzero(rng, 15)) for _ in range(2))
    return _factored(rng, first, second)


def _factored(rng: Random, first: tuple[int, int], second: tuple[int, int]) -> Worked:
    """``(px + q)(rx + s) = 0`` for positive p and r, multiplied out in the question."""
    (p, q), (r, s), x = first, second, rng.choice(_LETTERS)
    roots = sorted((Fraction(-q, p), Fraction(-s, r)))
    equation = polynomial((p * r, p * s + q * r, q * s), x)
    factors = f"({polynomial(first, x)})({polynomial(second, x)})"
    return Worked(
        f"What is the larger root of {equation} = 0? If the roots are equal, give that root.",
        str(roots[1]),
        f"The left side factors: {equation} = {factors}. The factors vanish at "
        f"{x} = {Fraction(-q, p)} and {x} = {Fraction(-s, r)}. The larger root is",
        (
            "Look for two factors of the left side.",
            "A product is zero exactly when one of its factors is.",
            f"The left side is {factors}.",
        ),
    )


def _surds(rng: Random) -> Worked:
    while True:
        b, c, x = nonzero(rng, 30), nonzero(rng, 90), rng.choice(_LETTERS)
        if _has_surds(b * b - 4 * c):
            return _formula((1, b, c), f"{polynomial((1, b, c), x)} = 0", x)


def _moved_surds(rng: Random) -> Worked:
    while True:
        a, b, c = rng.randrange(1, 7), nonzero(rng, 15), nonzero(rng, 30)
        if not _has_surds(b * b - 4 * a * c):
            continue
        d, e, f = rng.randrange(1, 6), nonzero(rng, 9), nonzero(rng, 20)
        x = rng.choice(_LETTERS)
        left, right = polynomial((a + d, b + e, c + f), x), polynomial((d, e, f), x)
        return _formula((a, b, c), f"{left} = {right}", x)


def _has_surds(discriminant: int) -> bool:
    return discriminant > 0 and isqrt(discriminant) ** 2 != discriminant


def _formula(coefficients: tuple[int, int, int], equation: str, x: str) -> Worked:
    """The larger root ``(-b + sqrt(D)) / 2a`` of an equation with a > 0 and irrational roots."""
    a, b, c = coefficients
    discriminant = b * b - 4 * a * c
    gold = surd_sum(-b, discriminant, 2 * a)
    collected = f"{polynomial(coefficients, x)} = 0"
    return Worked(
        f"What is the larger root of {equation}? Give an exact answer.",
        gold,
        f"Collected on one side: {collected}. The discriminant is {signed(b)}^2 - 4 * {a} * "
        f"{signed(c)} = {discriminant}, so the larger root is (-{signed(b)} + "
        f"sqrt({discriminant}))/(2 * {a}) =",
        (*_RUNGS, f"On one side: {collected}.", f"The discriminant is {discriminant}."),
    )


class QuadraticFamily(LevelFamily):
    r"""The larger root: integers (1), rational (2, 3), surds (4), surds after collecting (5).

    >>> QuadraticFamily(4).problem("train", 0, 0).question.endswith("Give an exact answer.")
    True
    """

    kind = "quadratic"
    subject = "quadratic equations"
    makers = (_integers, _one_fraction, _two_fractions, _surds, _moved_surds)
