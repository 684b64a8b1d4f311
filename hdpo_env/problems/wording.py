r"""Formulas as people write them: signs, polynomials, surds, ordinals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, isqrt
from random import Random


def nonzero(rng: Random, bound: int) -> int:
    """A uniform integer in [-bound, bound] without 0."""
    return rng.choice((1, -1)) * rng.randrange(1, bound + 1)


def signed(value: Fraction | int) -> str:
    """A number as a right-hand operand: parentheses around a negative one.

    >>> signed(-3), signed(4)
    ('(-3)', '4')
    """
    return f"({value})" if value < 0 else str(value)


def affine(slope: int, constant: int, variable: str = "x") -> str:
    """``slope * variable + constant`` as people write it.

    >>> affine(1, -3), affine(-2, 0), affine(0, 4)
    ('x - 3', '-2x', '4')
    """
    return polynomial((slope, constant), variable)


def polynomial(coefficients: Sequence[int], variable: str = "x") -> str:
    """A polynomial, highest power first.

    >>> polynomial((3, 0, -1, 5)), polynomial((-1, 0)), polynomial((0, 0))
    ('3x^3 - x + 5', '-x', '0')
    """
    text = ""
    for power, value in zip(range(len(coefficients) - 1, -1, -1), coefficients, strict=True):
        if value:
            text += _joined(text, value, {0: "", 1: variable}.get(power, f"{variable}^{power}"))
    return text or "0"


def _joined(before: str, value: int, symbol: str) -> str:
    size = symbol if symbol and abs(value) == 1 else f"{abs(value)}{symbol}"
    if not before:
        return f"-{size}" if value < 0 else size
    return f" {'-' if value < 0 else '+'} {size}"


def square_part(number: int) -> tuple[int, int]:
    """``(k, m)`` with ``number = k^2 m`` and m free of squares.

    >>> square_part(72), square_part(7), square_part(36)
    ((6, 2), (1, 7), (6, 1))
    """
    k, rest, p = 1, number, 2
    while p**3 <= rest:
        if rest % p:
            p += 1
        elif rest % (p * p):
            rest //= p
        else:
            rest, k = rest // (p * p), k * p
    # No prime below the cube root divides the rest: it is 1, a prime, or a product of two primes.
    k *= isqrt(rest) if isqrt(rest) ** 2 == rest else 1
    return k, number // (k * k)


def surd(outer: int, radicand: int) -> str:
    r"""``outer * sqrt(radicand)`` in simplest form, for positive numbers.

    >>> surd(1, 12), surd(3, 4), surd(1, 7)
    ('2\\sqrt{3}', '6', '\\sqrt{7}')
    """
    k, m = square_part(radicand)
    if m == 1:
        return str(outer * k)
    return rf"{outer * k if outer * k > 1 else ''}\sqrt{{{m}}}"


def surd_sum(whole: int, radicand: int, bottom: int) -> str:
    r"""``(whole + sqrt(radicand)) / bottom`` in lowest terms; radicand not a square, bottom > 0.

    >>> surd_sum(-2, 8, 2), surd_sum(3, 5, 2), surd_sum(0, 12, 2)
    ('-1 + \\sqrt{2}', '\\frac{3 + \\sqrt{5}}{2}', '\\sqrt{3}')
    """
    k, m = square_part(radicand)
    common = gcd(whole, k, bottom)
    root = surd(k // common, m)
    top = f"{whole // common} + {root}" if whole else root
    return rf"\frac{{{top}}}{{{bottom // common}}}" if bottom > common else top


def times_pi(value: Fraction) -> str:
    r"""A positive rational multiple of pi.

    >>> times_pi(Fraction(25, 3)), times_pi(Fraction(1)), times_pi(Fraction(1, 2))
    ('\\frac{25\\pi}{3}', '\\pi', '\\frac{\\pi}{2}')
    """
    top = rf"{value.numerator if value.numerator > 1 else ''}\pi"
    return top if value.denominator == 1 else rf"\frac{{{top}}}{{{value.denominator}}}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 21, 112)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '21st', '112th']
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"
