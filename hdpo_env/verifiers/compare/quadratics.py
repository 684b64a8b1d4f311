"""Solution sets of quadratic inequalities, for golds that leave them unsolved."""

from __future__ import annotations

from fractions import Fraction

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.regions import INFINITY, LINE, MINUS_INFINITY, Piece, Region, point
from hdpo_env.verifiers.parse.nodes import TWO, Node, Num, Op, Sym, letters, substitute

_RELATIONS = frozenset({"<", "<=", ">", ">="})


def solved(node: Node) -> tuple[str | None, Region] | None:
    """The letter and the solutions of a quadratic inequality with rational coefficients, or None.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> name, pieces = solved(parse_answer("x^2 <= 4").readings[0])
    >>> name, [rational(end) for end in (pieces[0].low, pieces[0].high)]
    ('x', [Fraction(-2, 1), Fraction(2, 1)])
    """
    if not (isinstance(node, Op) and node.name == "rel" and node.data in _RELATIONS):
        return None
    left, right = node.args
    difference = Op("+", (left, Op("neg", (right,))))
    names = letters(difference)
    if len(names) != 1 or _degree(difference) != 2:
        return None
    (name,) = names
    at = [rational(substitute(difference, name, Num(Fraction(x)))) for x in (0, 1, -1)]
    zero, one, minus = at
    if zero is None or one is None or minus is None:
        return None
    a, b = (one + minus) / 2 - zero, (one - minus) / 2
    if node.data in ("<", "<="):
        a, b, zero = -a, -b, -zero
    return None if a == 0 else (name, _where_positive(a, b, zero, node.data in ("<", ">")))


def _degree(node: Node) -> int | None:
    """The degree of a polynomial by its form, None for anything else or beyond 2."""
    if not isinstance(node, Op):
        return 1 if isinstance(node, Sym) and letters(node) else 0
    if not letters(node):
        return 0
    parts = [_degree(arg) for arg in node.args]
    degrees = [part for part in parts if part is not None]
    if len(degrees) < len(parts):
        return None
    total = None
    if node.name in ("+", "neg"):
        total = max(degrees)
    elif node.name == "*" or (node.name == "/" and degrees[1] == 0):
        total = sum(degrees)
    elif node.name == "^" and node.args[1] == TWO:
        total = 2 * degrees[0]
    return total if total is not None and total <= 2 else None


def _where_positive(a: Fraction, b: Fraction, c: Fraction, strict: bool) -> Region:
    """Where a x^2 + b x + c > 0, or >= 0 if not strict."""
    discriminant = b * b - 4 * a * c
    if discriminant < 0 or (discriminant == 0 and not strict and a > 0):
        return LINE if a > 0 else ()
    middle = Num(-b / (2 * a))
    if discriminant == 0:
        if a > 0:
            return _outside(middle, middle, True)
        return () if strict else (point(middle),)
    half = Op("root", (Num(discriminant / (4 * a * a)), TWO))
    low, high = Op("+", (middle, Op("neg", (half,)))), Op("+", (middle, half))
    return _outside(low, high, strict) if a > 0 else (Piece(low, strict, high, strict),)


def _outside(low: Node, high: Node, is_open: bool) -> Region:
    return (Piece(MINUS_INFINITY, True, low, is_open), Piece(high, is_open, INFINITY, True))
