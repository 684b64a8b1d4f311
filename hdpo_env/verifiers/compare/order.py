"""Order of letter-free values, from exact rationals or enclosures."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, letters

_PREC = 120
_MAX_EXPONENT = 30_000  # bits that a fraction may have


def approximate(node: Node) -> float | Fraction | None:
    """A number to sort by: exact, infinite, or close; None if the node has letters or no value.

    >>> approximate(Sym("oo")), approximate(Op("neg", (Sym("oo"),)))
    (inf, -inf)
    """
    if node == Sym("oo"):
        return float("inf")
    if node == Op("neg", (Sym("oo"),)):
        return float("-inf")
    exact = rational(node)
    if exact is not None:
        return exact
    if letters(node):
        return None
    ends = _enclosure(node)
    return None if ends is None else (ends[0] + ends[1]) / 2


def _enclosure(node: Node) -> tuple[Fraction, Fraction] | None:
    """Exact ends of an interval around a real value of moderate size, else None."""
    from hdpo_env.verifiers.compare.functions import Evaluator

    try:
        ball = Evaluator(_PREC, {}, True).value(node)
    except (ArithmeticError, ValueError, NotImplementedError):
        return None
    if ball.im is not None or any(abs(end[2]) > _MAX_EXPONENT for end in ball.re):
        return None  # 10^(10^9) as a fraction would fill the memory
    return _fraction(ball.re[0]), _fraction(ball.re[1])


def _fraction(end: Any) -> Fraction:
    from mpmath import libmp

    top, bottom = libmp.to_rational(end)
    return Fraction(int(top), int(bottom))  # with gmpy2 they are integers of its own kind


def is_between(node: Node, low: Fraction, high: Fraction) -> bool:
    """Whether a letter-free value surely lies in [low, high].

    >>> is_between(Sym("pi"), Fraction(314, 100), Fraction(315, 100))
    True
    """
    ends = _enclosure(node)
    return ends is not None and low <= ends[0] and ends[1] <= high
