"""Exact and rigorous arithmetic for the law tests: fractions, and balls that enclose the truth.

Rational statements are tested with ``fractions.Fraction`` and ``==``. Transcendental ones with
python-flint's ``arb`` at 160 bits: an identity holds if both sides' balls overlap and are tiny, an
inequality if it is not certainly violated. The library's floats are then compared with the balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod

from flint import arb, ctx, fmpq
from hypothesis import assume
from hypothesis import strategies as st

ctx.prec = 160
Number = Fraction | int | float | arb
LN2 = arb(2).log()


def ball(x: Number) -> arb:
    """The number as a ball; floats and fractions are taken exactly."""
    return arb(fmpq(x.numerator, x.denominator)) if isinstance(x, Fraction) else arb(x)


def total(xs: Sequence[Number]) -> arb:
    return sum((ball(x) for x in xs), arb(0))


def log_term(a: Number, b: Number) -> arb:
    """``a ln(a/b)``, 0 at a = 0."""
    return arb(0) if not isinstance(a, arb) and a == 0 else ball(a) * (ball(a) / ball(b)).log()


def kl(p: Sequence[Number], q: Sequence[Number]) -> arb:
    return total([log_term(a, b) for a, b in zip(p, q, strict=True)])


def jsd(p: Sequence[Number], q: Sequence[Number]) -> arb:
    middle = [(ball(a) + ball(b)) / 2 for a, b in zip(p, q, strict=True)]
    return (kl(p, middle) + kl(q, middle)) / 2


def tv(p: Sequence[Number], q: Sequence[Number]) -> arb:
    return total([abs(ball(a) - ball(b)) for a, b in zip(p, q, strict=True)]) / 2


def softmax(logits: Sequence[Number]) -> list[arb]:
    weights = [ball(x).exp() for x in logits]
    mass = total(weights)
    return [w / mass for w in weights]


def same(a: arb, b: arb) -> bool:
    """The two balls can be the same number, and are far too small for that to be luck."""
    return a.overlaps(b) and all(float(x.rad()) < 1e-30 * (1 + abs(float(x.mid()))) for x in (a, b))


def at_most(a: Number, b: Number) -> bool:
    """Not certainly greater: ``a <= b`` up to the balls' radii of some 1e-45."""
    return not ball(a) > ball(b)


def close(value: float, truth: Number, tolerance: float) -> bool:
    """Within ``tolerance`` relative to 1 + |truth|."""
    exact = float(ball(truth).mid())
    return abs(value - exact) <= tolerance * (1 + abs(exact))


def iid_law(law: Sequence[Fraction], n: int) -> list[tuple[tuple[int, ...], Fraction]]:
    """All sequences of n independent draws with their exact probabilities."""
    draws = product(range(len(law)), repeat=n)
    return [(ts, prod((law[t] for t in ts), start=Fraction(1))) for ts in draws]


@st.composite
def laws(draw: st.DrawFn, size: int | None = None, *, zeros: bool = False) -> list[Fraction]:
    """A rational probability vector."""
    n = size or draw(st.integers(2, 7))
    low = 0 if zeros else 1
    weights = draw(st.lists(st.integers(low, 50), min_size=n, max_size=n))
    assume(sum(weights) > 0)
    return [Fraction(w, sum(weights)) for w in weights]


def logits(size: int, bound: int = 6) -> st.SearchStrategy[list[Fraction]]:
    values = st.fractions(-bound, bound, max_denominator=16)
    return st.lists(values, min_size=size, max_size=size)


@st.composite
def verified_laws(
    draw: st.DrawFn, *, solvable: bool = True, max_size: int = 7
) -> tuple[list[Fraction], list[int], Fraction]:
    """A law, a 0/1 reward on it, and the success probability p (positive if ``solvable``)."""
    mu = draw(laws(draw(st.integers(2, max_size))))
    reward = draw(st.lists(st.integers(0, 1), min_size=len(mu), max_size=len(mu)))
    p = sum((m for m, r in zip(mu, reward, strict=True) if r), Fraction(0))
    if solvable:
        assume(p > 0)
    return mu, reward, p


def filtered(mu: Sequence[Fraction], reward: Sequence[int], p: Fraction) -> list[Fraction]:
    """mu(. | R = 1)."""
    return [m / p if r else Fraction(0) for m, r in zip(mu, reward, strict=True)]


betas = st.fractions(Fraction(1, 40), Fraction(10), max_denominator=40)
probabilities = st.fractions(0, 1, max_denominator=60)
