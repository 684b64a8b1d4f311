"""Trees to sympy and closed forms back, node by node and under size budgets.

No text ever reaches sympy, so nothing can be evaluated.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import ONE, Node, Num, Op, Sym, walk

_MAX_NODES = 150
_MAX_EXPONENT = 200
_MAX_FACTORIAL = 200
_NAMES = (
    "sin cos tan cot sec csc sinh cosh tanh coth sech csch asin acos atan acot asinh acosh atanh"
)
_TRIGONOMETRIC = frozenset(_NAMES.split())


class TooBigError(Exception):
    """The tree is outside the budget of the symbolic stage."""


def to_sympy(node: Node) -> Any:
    """The sympy expression of a tree.

    Raises:
        TooBigError: the tree is beyond the budget, or holds what sympy has no word for.
    """
    import sympy

    if sum(1 for _ in walk(node)) > _MAX_NODES:
        raise TooBigError
    if isinstance(node, Num):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Sym):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
        return constants.get(node.name) or sympy.Symbol(node.name)
    _check_budget(node)
    args = [to_sympy(arg) for arg in node.args]
    return _operation(node, args, sympy)


def _check_budget(node: Op) -> None:
    if node.name in ("fact", "fact2", "binom") and not _is_polynomial(node):
        raise TooBigError
    if node.name == "prod":
        first, last = rational(node.args[1]), rational(node.args[2])
        if first is None or last is None or last - first > _MAX_FACTORIAL:
            raise TooBigError
    limits = {"^": (1, _MAX_EXPONENT), "fact": (0, _MAX_FACTORIAL), "binom": (0, _MAX_FACTORIAL)}
    if node.name in limits:
        position, limit = limits[node.name]
        value = rational(node.args[position])
        big = value is not None and (abs(value.numerator) > limit or value.denominator > limit)
        letter_free = not any(isinstance(n, Sym) for n in walk(node.args[position]))
        if big or (value is None and letter_free):
            raise TooBigError


def _is_polynomial(node: Op) -> bool:
    """Whether the arguments are made of numbers, letters, sums and products only."""
    parts = (part for arg in node.args for part in walk(arg))
    return all(not isinstance(p, Op) or p.name in ("+", "*", "neg") for p in parts)


def _operation(node: Op, args: list[Any], sp: Any) -> Any:
    simple = {
        "+": lambda *a: sp.Add(*a), "*": sp.Mul, "/": lambda a, b: a / b, "neg": lambda a: -a,
        "^": sp.Pow, "root": lambda a, n: sp.real_root(a, n) if a.is_negative else sp.root(a, n),
        "percent": lambda a: a / 100, "deg": lambda a: a * sp.pi / 180, "fact": sp.factorial,
        "fact2": sp.factorial2, "binom": sp.binomial, "abs": sp.Abs, "floor": sp.floor,
        "ceil": sp.ceiling, "max": sp.Max, "min": sp.Min, "ln": sp.log, "log": sp.log,
        "sgn": sp.sign, "arg": sp.arg, "Re": sp.re, "Im": sp.im, "mod": sp.Mod,
        "gcd": sp.gcd, "lcm": sp.lcm,
    }  # fmt: skip
    if node.name in simple:
        return simple[node.name](*args)
    if node.name in ("sum", "prod"):
        big = sp.Sum if node.name == "sum" else sp.Product
        index, low, high, body = args
        return big(body, (index, low, high))
    if node.name == "call":
        return sp.Function(node.data)(*args)
    if node.name in _TRIGONOMETRIC:
        return getattr(sp, node.name)(*args)
    raise TooBigError


def from_sympy(value: Any) -> Node | None:
    """The tree of a closed form, or None if it holds what no answer is written with.

    >>> import sympy
    >>> from_sympy(sympy.sqrt(2)) == Op("^", (Num(Fraction(2)), Num(Fraction(1, 2))))
    True
    """
    import sympy as sp

    constants = {sp.pi: "pi", sp.E: "e", sp.I: "i", sp.oo: "oo"}
    if value in constants:
        return Sym(constants[value])
    if value == -sp.oo:
        return Op("neg", (Sym("oo"),))
    if value.is_Rational:
        return Num(Fraction(int(value.p), int(value.q)))
    if value.is_Symbol:
        return Sym(value.name)
    name = _name_of(value, sp)
    args = [from_sympy(arg) for arg in value.args]
    found = [arg for arg in args if arg is not None]
    if not name or len(found) < len(args):
        return None
    if name == "call":
        return Op("call", tuple(found), "zeta")
    if name == "exp":
        return Op("^", (Sym("e"), *found))
    if name == "*":
        product: Node = ONE
        for arg in found:
            product = arg if product == ONE else Op("*", (product, arg))
        return product
    return Op(name, tuple(found))


def _name_of(value: Any, sp: Any) -> str:
    """What a tree calls the operation of a sympy node; empty if it has no such operation."""
    if value.is_Pow:
        power = value.exp
        exact = (
            power.is_integer
            or value.base.is_nonnegative
            or (power.is_Rational and power.q % 2 == 0)
        )
        return "^" if exact else ""  # an odd root of a negative number is real to us alone
    if isinstance(value, sp.zeta) and len(value.args) == 1:
        return "call"
    classes = {sp.Add: "+", sp.Mul: "*", sp.log: "ln", sp.exp: "exp", sp.Abs: "abs"}
    known = {**classes, **{getattr(sp, name): name for name in _TRIGONOMETRIC}}
    return known.get(value.func, "")
