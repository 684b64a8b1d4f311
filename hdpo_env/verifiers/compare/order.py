"""Order of letter-free values, from exact rationals or enclosures."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, letters

_PREC = 120


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
    ball = _enclosure(node)
    if ball is None:
        return None
    low, high = (_fraction(end) for end in ball)
    return (low + high) / 2


def _enclosure(node: Node) -> tuple[object, object] | None:
    from hdpo_env.verifiers.compare.functions import Evaluator

    try:
        ball = Evaluator(_PREC, {}, True).value(node)
    except (ArithmeticError, ValueError, NotImplementedError):
        return None
    return ball.re if ball.im is None else None


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
    if ends is None:
        return False
    try:
        return all(low <= _fraction(end) <= high for end in ends)
    except (ValueError, OverflowError):
        return False


def precedes(a: Node, b: Node) -> bool | None:
    """Whether a < b, or None if that cannot be told."""
    x, y = approximate(a), approximate(b)
    return None if x is None or y is None else x < y
