"""Modular arithmetic: remainders of products, sums and powers, and congruences."""

from __future__ import annotations

from math import gcd
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked


def _product_remainder(rng: Random) -> Worked:
    a, b, m = rng.randrange(12, 100), rng.randrange(12, 100), rng.randrange(5, 30)
    return Worked(
        f"What is the remainder when {a} * {b} is divided by {m}?",
        str(a * b % m),
        f"Modulo {m}, {a} leaves {a % m} and {b} leaves {b % m}. Their product is "
        f"{a % m} * {b % m} = {a % m * (b % m)}, which leaves",
        (
            "Reduce each factor before you multiply.",
            "Reduce the product once more at the end.",
            f"Modulo {m}, the factors are {a % m} and {b % m}.",
        ),
    )


def _sum_remainder(rng: Random) -> Worked:
    a, b, c = (rng.randrange(100, 1000) for _ in range(3))
    m = rng.randrange(7, 60)
    product = a % m * (b % m)
    return Worked(
        f"What is the remainder when {a} * {b} + {c} is divided by {m}?",
        str((a * b + c) % m),
        f"Modulo {m}, the numbers leave {a % m}, {b % m} and {c % m}. {a % m} * {b % m} = "
        f"{product} leaves {product % m}, and {product % m} + {c % m} = "
        f"{product % m + c % m} leaves",
        (
            "Reduce every number before you calculate with it.",
            "Multiply first, reduce, then add and reduce again.",
            f"Modulo {m}, the numbers are {a % m}, {b % m} and {c % m}.",
        ),
    )


def _power_remainder(rng: Random) -> Worked:
    a, k, m = rng.randrange(2, 50), rng.randrange(10, 200), rng.randrange(7, 60)
    powers, text = [(1, a % m)], f"Modulo {m}: {a}^1 leaves {a % m}"
    while powers[-1][0] * 2 <= k:
        exponent, value = powers[-1]
        powers.append((2 * exponent, value * value % m))
        text += f"; {a}^{2 * exponent} leaves {powers[-1][1]}"
    used = [(e, v) for e, v in powers if k & e]
    return Worked(
        f"What is the remainder when {a}^{k} is divided by {m}?",
        str(pow(a, k, m)),
        f"Square repeatedly. {text}. Since {k} = {' + '.join(str(e) for e, _ in used)}, the "
        f"power is {' * '.join(str(v) for _, v in used)} modulo {m}, which leaves",
        (
            "Square repeatedly and reduce after each step.",
            "Write the exponent as a sum of powers of two.",
            f"The exponent is {' + '.join(str(e) for e, _ in used)}.",
        ),
    )


def _congruence(rng: Random) -> Worked:
    m = rng.randrange(11, 120)
    a, b = rng.randrange(2, m), rng.randrange(1, m)
    while gcd(a, m) > 1:
        a = rng.randrange(2, m)
    inverse = pow(a, -1, m)
    return Worked(
        f"What is the smallest non-negative integer x such that {a}x leaves the same remainder "
        f"as {b} when divided by {m}?",
        str(b * inverse % m),
        f"{a} and {m} are coprime. {a} * {inverse} = {a * inverse} leaves 1 when divided by {m}, "
        f"so x is {b} * {inverse} = {b * inverse} modulo {m}, which is",
        (
            "Find an inverse of the coefficient of x modulo the divisor.",
            "Multiply both sides by the inverse and reduce.",
            f"The inverse of {a} modulo {m} is {inverse}.",
        ),
    )


def _two_congruences(rng: Random) -> Worked:
    m, n = rng.randrange(5, 40), rng.randrange(5, 40)
    while gcd(m, n) > 1:
        n = rng.randrange(5, 40)
    a, b = rng.randrange(m), rng.randrange(n)
    inverse = pow(m, -1, n)
    t = (b - a) * inverse % n
    return Worked(
        f"A non-negative integer leaves the remainder {a} when divided by {m} and the remainder "
        f"{b} when divided by {n}. What is the smallest such integer?",
        str(a + m * t),
        f"Write the number as {a} + {m}t. Then {m}t must leave {(b - a) % n} when divided by {n}. "
        f"The inverse of {m} modulo {n} is {inverse}, so t leaves {t}. The smallest number is "
        f"{a} + {m} * {t} =",
        (
            "Write the number in the form that the first condition gives.",
            "Put that form into the second condition and solve for the multiplier.",
            f"The number is {a} + {m}t for some t.",
            f"{m}t must leave {(b - a) % n} when divided by {n}.",
        ),
    )


class ModularFamily(LevelFamily):
    """Remainders of products, sums and powers (1-3), one congruence (4), a pair of them (5)."""

    kind = "modular"
    subject = "modular arithmetic"
    makers = (_product_remainder, _sum_remainder, _power_remainder, _congruence, _two_congruences)
