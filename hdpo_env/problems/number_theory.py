"""Number theory: common divisors and multiples, divisor counts, Euler's function, factorials."""

from __future__ import annotations

from math import gcd, lcm, prod
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked

_PRIMES = (2, 3, 5, 7, 11, 13)
_TOP_EXPONENT = {2: 6, 3: 4, 5: 3, 7: 2, 11: 2, **dict.fromkeys((13, 17, 19, 23, 29, 31, 37), 1)}


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
