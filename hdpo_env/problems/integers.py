"""Whole numbers: remainders and congruences, divisors and factorials."""

from __future__ import annotations

from math import gcd, lcm, prod
from random import Random

from hdpo_env.problems.family import LevelFamily, Worked

_PRIMES = (2, 3, 5, 7, 11, 13)
_TOP_EXPONENT = {2: 6, 3: 4, 5: 3, 7: 2, 11: 2, 13: 1, 17: 1, 19: 1, 23: 1}


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


def _divisor(rng: Random) -> Worked:
    common = rng.randrange(2, 40)
    a, b = common * rng.randrange(2, 40), common * rng.randrange(2, 40)
    steps, x, y = [], max(a, b), min(a, b)
    while y:
        steps.append(f"{x} = {x // y} * {y} + {x % y}")
        x, y = y, x % y
    return Worked(
        f"What is the greatest common divisor of {a} and {b}?",
        str(x),
        f"Divide with remainder again and again: {'; '.join(steps)}. The last divisor is",
        (
            "Use the Euclidean algorithm.",
            "The last divisor that leaves no remainder is the answer.",
            f"The first step is {steps[0]}.",
        ),
    )


def _multiple(rng: Random) -> Worked:
    common = rng.randrange(2, 20)
    a, b = common * rng.randrange(2, 60), common * rng.randrange(2, 60)
    g = gcd(a, b)
    return Worked(
        f"What is the least common multiple of {a} and {b}?",
        str(lcm(a, b)),
        f"The greatest common divisor of {a} and {b} is {g}. The least common multiple is "
        f"{a} * {b} / {g} = {a} * {b // g} =",
        (
            "Find the greatest common divisor first.",
            "Divide the product of the two numbers by their greatest common divisor.",
            f"The greatest common divisor is {g}.",
        ),
    )


def _factorised(rng: Random) -> tuple[int, dict[int, int], str]:
    """A number with three or four prime factors, its exponents and its factorisation in words."""
    primes = sorted(rng.sample(sorted(_TOP_EXPONENT), rng.randrange(3, 5)))
    exponents = {p: rng.randint(1, _TOP_EXPONENT[p]) for p in primes}
    number = prod(p**e for p, e in exponents.items())
    return number, exponents, _powers(exponents)


def _powers(exponents: dict[int, int]) -> str:
    return " * ".join(f"{p}^{e}" for p, e in exponents.items())


def _count_divisors(rng: Random) -> Worked:
    number, exponents, text = _factorised(rng)
    least = {p: rng.randint(0, e) for p, e in exponents.items()}
    least[min(least)] = 0  # never the number itself, whose only such divisor it would be
    base = prod(p**e for p, e in least.items())
    choices = [e - least[p] + 1 for p, e in exponents.items()]
    return Worked(
        f"How many positive divisors of {number} are multiples of {base}?",
        str(prod(choices)),
        f"{number} = {text} and {base} = {_powers(least)}. Such a divisor chooses each exponent "
        f"between the two, in {' * '.join(map(str, choices))} ways, that is",
        (
            "Factor both numbers into primes.",
            "A divisor chooses each prime's exponent independently.",
            f"The factorisation of {number} is {text}.",
        ),
    )


def _totient(rng: Random) -> Worked:
    number, exponents, text = _factorised(rng)
    values = [p**e - p ** (e - 1) for p, e in exponents.items()]
    turns = rng.randrange(1, 13)
    return Worked(
        f"How many integers from 1 to {turns * number} have no prime factor in common with "
        f"{number}?",
        str(turns * prod(values)),
        f"{number} = {text}. Euler's function is multiplicative and equals p^e - p^(e - 1) at a "
        f"prime power p^e. Its value {' * '.join(map(str, values))} = {prod(values)} counts one "
        f"stretch of {number} integers. There are {turns} such stretches: {turns} * "
        f"{prod(values)} =",
        (
            "Count within one stretch by Euler's function, then count the stretches.",
            "Euler's function is multiplicative: treat each prime power by itself.",
            f"The factorisation is {text}.",
        ),
    )


def _factorial_power(rng: Random) -> Worked:
    p, n = rng.choice(_PRIMES), rng.randrange(50, 5000)
    terms, power = [], p
    while power <= n:
        terms.append((n // power, power))
        power *= p
    return Worked(
        f"What is the largest integer k such that {p}^k divides {n}! (the factorial of {n})?",
        str(sum(count for count, _ in terms)),
        f"Of the numbers from 1 to {n}, "
        + ", ".join(f"{count} are multiples of {power}" for count, power in terms)
        + f". Each adds one factor {p}, so k = {' + '.join(str(count) for count, _ in terms)} =",
        (
            "Count how often the prime divides the numbers up to the given one.",
            "Multiples of higher powers of the prime count again.",
            f"There are {terms[0][0]} multiples of {p} among them.",
        ),
    )


class NumberTheoryFamily(LevelFamily):
    """Common divisors and multiples (1, 2), divisors (3), Euler's function (4), n! (5)."""

    kind = "number-theory"
    subject = "number theory"
    makers = (_divisor, _multiple, _count_divisors, _totient, _factorial_power)
