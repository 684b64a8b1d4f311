r"""Closed forms of definite integrals, limits, sums and products: sympy's, held to numbers.

Sympy's value is taken only if the sign itself, evaluated numerically on the way to where it
converges, draws near to it: numbers accept nothing, they refuse a wrong branch or a divergent
series that was given a value.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hdpo_env.verifiers.compare.conversion import TooBigError, from_sympy, to_sympy
from hdpo_env.verifiers.compare.values import BINDERS, has_binder
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, walk

_TERMS = (20, 200)  # of a series or product, for its partial values
_MOST_TERMS = 200  # of a sum or product that ends
_CUTS = (10, 40)  # where an infinite range of integration is cut off
_NEAR = (3, 6)  # decimal orders at which a limit is looked at
_STEPS = frozenset({"floor", "ceil", "sgn", "mod", "gcd", "lcm"})


@lru_cache(maxsize=256)
def evaluated(node: Node) -> Node | None:
    r"""The tree with closed forms for its signs, or None if one of them has none that is sure.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> evaluated(parse_answer(r"\int_0^1 x\,dx").readings[0])
    Num(value=Fraction(1, 2), places=None)
    """
    if not isinstance(node, Op) or not has_binder(node):
        return node
    args = [evaluated(arg) for arg in node.args]
    found = tuple(arg for arg in args if arg is not None)
    if len(found) < len(args):
        return None
    whole = Op(node.name, found, node.data)
    return _closed(whole) if node.name in BINDERS else whole


def _closed(node: Op) -> Node | None:
    name, index = node.name, node.args[0]
    if not isinstance(index, Sym) or any(
        isinstance(n, Op) and n.name in _STEPS for n in walk(node)
    ):
        raise TooBigError
    import sympy

    assumed = {"real": True} if name in ("int", "lim") else {"integer": True}
    letter = sympy.Symbol(index.name, **assumed)
    *bounds, body = (
        to_sympy(arg).subs(sympy.Symbol(index.name), letter).doit() for arg in node.args[1:]
    )
    rule = {"int": _integral, "lim": _limit, "sum": _series, "prod": _series}[name]
    value = rule(node, body, letter, bounds, sympy)
    return None if value is None else from_sympy(value)


def _integral(_: Op, body: Any, x: Any, bounds: list[Any], sp: Any) -> Any:
    """The integral, if quadrature at one value of the other letters agrees to three digits."""
    value = sp.integrate(body, (x, *bounds))
    if value.has(sp.Integral, sp.Piecewise, sp.nan):
        return None
    if value.is_infinite:
        return value
    point = _point([body, *bounds], x, sp)
    ends = [bound.subs(point) for bound in bounds]
    far = {sp.oo: 1, -sp.oo: -1}
    cuts = [[r * far.get(end, 0) or end for end in ends] for r in _CUTS]
    seen = [
        sp.Integral(body.subs(point), (x, *cut)).evalf(10) for cut in cuts[: 1 + (cuts[0] != ends)]
    ]
    return value if _draws_near(seen, value.subs(point)) else None


def _point(parts: list[Any], bound: Any, sp: Any) -> dict[Any, Any]:
    """A value for each other letter, at which numbers are looked at."""
    letters = sorted(set().union(*(part.free_symbols for part in parts)) - {bound}, key=str)
    return {letter: sp.Rational(7 + 4 * i, 5) for i, letter in enumerate(letters)}


def _series(node: Op, body: Any, k: Any, bounds: list[Any], sp: Any) -> Any:
    """A sum or product, if its partial values draw near to it."""
    low, high = bounds
    is_sum = node.name == "sum"
    if (high - low).is_number and high.is_finite and high - low > _MOST_TERMS:
        raise TooBigError
    if is_sum:
        value = sp.summation(body, (k, low, high))
    else:
        n = sp.Symbol("#n", integer=True, positive=True)
        value = sp.product(body, (k, low, n if high == sp.oo else high))
        value = sp.limit(value.simplify(), n, sp.oo) if high == sp.oo else value
    if value.has(sp.Sum, sp.Product, sp.Piecewise, sp.nan):
        return None
    if high != sp.oo:
        return value
    if not low.is_Integer or value.free_symbols:
        return None
    partial = sp.S.Zero if is_sum else sp.S.One
    seen = []
    for i in range(_TERMS[-1]):
        term = body.subs(k, low + i).evalf(15)
        partial = partial + term if is_sum else partial * term
        if i + 1 in _TERMS:
            seen.append(partial)
    return value if _draws_near(seen, value) else None


def _draws_near(seen: list[Any], value: Any) -> bool:
    """Whether the last number is at a value or nearer than the first; or grows as it does."""
    gaps = [abs((number - value).evalf(10)) if value.is_finite else number for number in seen]
    first, last = gaps[0], gaps[-1]
    if value.is_finite:
        small = 1 + abs(value.evalf(10))
        return bool(last <= small / 1000 or (last <= first * 3 / 4 and last <= small / 5))
    if value.is_infinite and value.is_extended_real:
        return bool(abs(last) > abs(first) and (last > 0) == (value > 0))
    return False


def _limit(node: Op, body: Any, x: Any, bounds: list[Any], sp: Any) -> Any:
    """A limit, the same from both sides unless one is named, that numbers draw near to."""
    (point,) = bounds
    if point in (sp.oo, -sp.oo):
        positive = sp.Symbol("#x", positive=True)
        body, directions = body.subs(x, positive if point == sp.oo else -positive), ["-"]
        places = [sp.Float(10, 60) ** order for order in _NEAR]
        x, point = positive, sp.oo
    else:
        directions = [node.data] if node.data else ["+", "-"]
        places = [point + (-1) ** (directions[0] == "-") * sp.Rational(1, 10**i) for i in _NEAR]
    values = [sp.limit(body, x, point, direction) for direction in directions]
    if values[0] != values[-1] or values[0].has(sp.Limit, sp.nan, sp.AccumBounds, sp.zoo):
        return None
    others = _point([body], x, sp)
    seen = [body.subs(x, place).subs(others).evalf(15) for place in places]
    return values[0] if _draws_near(seen, values[0].subs(others)) else None
