"""Exact value of letter-free arithmetic, under a bound on its size in bits."""

from __future__ import annotations

import math
from fractions import Fraction

from hdpo_env.verifiers.parse.nodes import Node, Num, Op

MAX_BITS = 20_000  # no intermediate result may need more
_MAX_FACTORIAL = 1_000


def rational(node: Node) -> Fraction | None:
    """The exact rational value, or None if there is none, it is too big, or it is undefined.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> rational(parse_answer("2^{-3} + 1/8").readings[0])
    Fraction(1, 4)
    """
    if isinstance(node, Num):
        return node.value
    if not isinstance(node, Op) or node.name not in _RULES:
        return None
    values = []
    for arg in node.args:
        value = rational(arg)
        if value is None:
            return None
        values.append(value)
    result = _RULES[node.name](*values)
    return result if result is not None and _bits(result) <= MAX_BITS else None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _add(*values: Fraction) -> Fraction:
    return sum(values, Fraction(0))


def _divide(top: Fraction, bottom: Fraction) -> Fraction | None:
    return top / bottom if bottom else None


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        root = _root(base, Fraction(exponent.denominator))
        return None if root is None else _power(root, Fraction(exponent.numerator))
    n = exponent.numerator
    if base == 0:
        return None if n <= 0 else Fraction(0)
    if base in (1, -1):
        return base if n % 2 else Fraction(1)
    if abs(n) * _bits(base) > MAX_BITS:
        return None
    return base**n


def _root(base: Fraction, index: Fraction) -> Fraction | None:
    """The exact real root if it is rational; an even root of a negative number is not."""
    if index.denominator != 1 or not 2 <= index <= 64 or _bits(base) > 4_000:
        return None
    n = index.numerator
    if base < 0:
        root = _root(-base, index) if n % 2 else None
        return None if root is None else -root
    top, bottom = _integer_root(base.numerator, n), _integer_root(base.denominator, n)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _integer_root(value: int, n: int) -> int | None:
    if n == 2:
        guess = math.isqrt(value)
    else:
        guess = 1 << -(-value.bit_length() // n)  # Newton from above
        while guess and (step := ((n - 1) * guess + value // guess ** (n - 1)) // n) < guess:
            guess = step
    return guess if guess**n == value else None


def _factorial(value: Fraction, step: int = 1) -> Fraction | None:
    if value.denominator != 1 or not 0 <= value <= _MAX_FACTORIAL:
        return None
    return Fraction(math.prod(range(value.numerator, 0, -step)))


def _binomial(n: Fraction, k: Fraction) -> Fraction | None:
    if n.denominator != 1 or k.denominator != 1 or not 0 <= n <= 5_000 or k < 0:
        return None
    return Fraction(math.comb(n.numerator, k.numerator))


def _whole(function: str, values: tuple[Fraction, ...]) -> Fraction | None:
    if any(v.denominator != 1 for v in values):
        return None
    return Fraction(getattr(math, function)(*(v.numerator for v in values)))


def _modulo(value: Fraction, modulus: Fraction) -> Fraction | None:
    return value % modulus if modulus else None


_RULES = {
    "+": _add,
    "*": lambda a, b: a * b,
    "/": _divide,
    "neg": lambda a: -a,
    "^": _power,
    "root": _root,
    "fact": _factorial,
    "fact2": lambda a: _factorial(a, 2),
    "binom": _binomial,
    "percent": lambda a: a / 100,
    "abs": abs,
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "max": lambda *v: max(v),
    "min": lambda *v: min(v),
    "gcd": lambda *v: _whole("gcd", v),
    "lcm": lambda *v: _whole("lcm", v),
    "sgn": lambda a: Fraction((a > 0) - (a < 0)),
}
