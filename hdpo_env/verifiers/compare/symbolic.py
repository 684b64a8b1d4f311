"""The last stage: sympy on trees of our own, only inside a killable worker, under size budgets.

Trees are converted node by node; no text ever reaches sympy, so nothing can be evaluated.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.values import same_value
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, walk
from hdpo_env.verifiers.pool import worker

_SOFT_LIMIT_S = 1.0
_MAX_NODES = 150
_MAX_EXPONENT = 200
_MAX_FACTORIAL = 200
_NAMES = (
    "sin cos tan cot sec csc sinh cosh tanh coth sech csch asin acos atan acot asinh acosh atanh"
)
_TRIGONOMETRIC = frozenset(_NAMES.split())


class TooBigError(Exception):
    """The tree is outside the budget of the symbolic stage."""


def symbolic_leaf(gold: Node, answer: Node) -> bool | None:
    """`same_value`, then sympy on the difference of what it could not decide.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> a, b = (parse_answer(t).readings[0] for t in ("f(x) + sin(x)^2", "f(x) + 1 - cos(x)^2"))
    >>> symbolic_leaf(a, b)
    True
    """
    verdict = same_value(gold, answer)
    if verdict is not None:
        return verdict
    import sympy

    try:
        with _soft_limit():
            difference = _convert(gold) - _convert(answer)
            return _is_zero(sympy.simplify(sympy.expand_func(difference).doit()))
    except Exception:  # sympy raises almost anything on odd input; whatever it is, it is undecided
        return None


def _is_zero(simple: Any) -> bool | None:
    if simple == 0:
        return True
    if simple.free_symbols:
        return None
    return False if simple.is_zero is False or simple.equals(0) is False else None


@contextmanager
def _soft_limit() -> Iterator[None]:
    """Stop sympy politely after a second of CPU in a worker, whose timer is ours."""
    if not (worker.in_worker and hasattr(signal, "setitimer")):
        yield
        return

    def stop(*_: object) -> None:
        raise TooBigError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _SOFT_LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _convert(node: Node) -> Any:
    import sympy

    if sum(1 for _ in walk(node)) > _MAX_NODES:
        raise TooBigError
    if isinstance(node, Num):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Sym):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
        return constants.get(node.name) or sympy.Symbol(node.name)
    _check_budget(node)
    args = [_convert(arg) for arg in node.args]
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
