"""Every level of every newer family: golds found again from the question alone, another way."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations, product
from math import factorial, gcd

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.problems.source import PROBLEMS

X = sympy.Symbol("x")
indices = st.integers(0, 10**9)


def value(text: str) -> sympy.Expr:
    r"""An answer or formula as sympy reads it, with ``\frac``, ``\sqrt``, ``\pi`` and ``2x``."""
    text = re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", text)
    text = re.sub(r"\\frac\{(.*)\}\{(\d+)\}", r"(\1)/(\2)", text).replace("\\pi", "pi")
    text = re.sub(r"(\d)\s*([a-z(])", r"\1*\2", text).replace("^", "**")
    return sympy.sympify(text)


def numbers(text: str) -> list[int]:
    """All whole numbers of a text, in order."""
    return [int(n) for n in re.findall(r"-?\d+", text)]


def quadratic(question: str) -> sympy.Expr:
    asked = re.search(r"root of (.*) = (.*?)[?.]", question)
    assert asked
    difference = value(asked[1]) - value(asked[2])
    [letter] = difference.free_symbols
    return max(sympy.roots(difference, letter))


def remainder(question: str) -> int:
    asked = re.search(r"when (.*) is divided by (\d+)", question)
    assert asked
    return int(eval(asked[1].replace("^", "**"))) % int(asked[2])


def congruence(question: str) -> int:
    a, b, m = numbers(question)
    return next(x for x in range(m) if (a * x - b) % m == 0)


def congruences(question: str) -> int:
    a, m, b, n = numbers(question)
    return next(x for x in range(m * n) if x % m == a and x % n == b)


def common_divisor(question: str) -> int:
    a, b = numbers(question)
    return max(d for d in range(1, min(a, b) + 1) if a % d == 0 and b % d == 0)


def common_multiple(question: str) -> int:
    a, b = numbers(question)
    return next(k * a for k in range(1, b + 1) if k * a % b == 0)


def divisors(question: str) -> int:
    number, base = numbers(question)
    return sum(d % base == 0 for d in sympy.divisors(number))


def coprime(question: str) -> int:
    _, top, number = numbers(question)
    assert top % number == 0
    return top // number * sympy.totient(number)


def factorial_power(question: str) -> int:
    p, n = numbers(question)[:2]
    return sum(sympy.multiplicity(p, i) for i in range(p, n + 1, p))


def selection(question: str) -> int:
    n, k = numbers(question)
    return sympy.binomial(n, k)


def arrangement(question: str) -> int:
    n, k = numbers(question)
    return sympy.ff(n, k)


def word(question: str) -> int:
    letters = re.search(r"letters of (\w+)", question)
    assert letters
    counts = [letters[1].count(c) for c in sorted(set(letters[1]))]
    # place one letter's copies after the other among the places that are left
    left, orders = len(letters[1]), sympy.Integer(1)
    for count in counts:
        orders, left = orders * sympy.binomial(left, count), left - count
    return orders


def committee(question: str) -> int:
    a, b, k = numbers(question)
    # Vandermonde: by the number of adults, instead of all choices minus two
    return sum(sympy.binomial(a, i) * sympy.binomial(b, k - i) for i in range(1, k))


def distribution(question: str) -> int:
    n, k, least = numbers(question)
    ways = [1] + [0] * n  # ways[t]: to hand out t things to the receivers so far
    for _ in range(k):
        ways = [sum(ways[t - got] for got in range(least, t + 1)) for t in range(n + 1)]
    return ways[n]


def first_terms(question: str) -> list[Fraction]:
    begins = re.search(r"begins (.*?)(?:\.| and)", question)
    assert begins
    separator = ", " if ", " in begins[1] else " + "
    return [Fraction(t.strip("()")) for t in begins[1].split(separator)]


def arithmetic_terms(question: str, n: int) -> list[Fraction]:
    a, b, c = first_terms(question)
    assert c - b == b - a
    terms = [a]
    while len(terms) < n:
        terms.append(terms[-1] + b - a)
    return terms


def geometric_sum(question: str) -> Fraction:
    a, b, c = first_terms(question)
    assert c * a == b * b
    return sum((a * (b / a) ** i for i in range(numbers(question)[-1])), Fraction(0))


def series(question: str) -> sympy.Expr:
    a, b, _ = map(sympy.Rational, first_terms(question))
    n = sympy.Symbol("n", integer=True, nonnegative=True)
    return sympy.summation(a * (b / a) ** n, (n, 0, sympy.oo))


def recurrence(question: str) -> int:
    asked = re.search(r"a_1 = (\S+), a_2 = (\S+) and a_n = (.*) for .* What is a_(\d+)", question)
    assert asked
    before, last = int(asked[1]), int(asked[2])
    rule = value(asked[3].replace("a_(n-1)", "u").replace("a_(n-2)", "v"))
    for _ in range(int(asked[4]) - 2):
        before, last = last, rule.subs({"u": last, "v": before})
    return int(last)


def function_of(question: str) -> sympy.Expr:
    given = re.search(r"f\(x\) = (.*?)\. What", question)
    assert given
    return value(given[1])


def slope(question: str) -> sympy.Expr:
    return sympy.diff(function_of(question), X).subs(X, numbers(question)[-1])


def integral(question: str) -> sympy.Expr:
    asked = re.search(r"integral of (.*) from x = (.*) to x = (.*)\?", question)
    assert asked
    return sympy.integrate(value(asked[1]), (X, value(asked[2]), value(asked[3])))


def minimum(question: str) -> sympy.Expr:
    f = function_of(question)
    [place] = [x for x in sympy.solve(sympy.diff(f, X), X) if sympy.diff(f, X, 2).subs(X, x) > 0]
    return f.subs(X, place)


def enclosed(question: str) -> sympy.Expr:
    asked = re.search(r"curve y = (.*) and the line y = (.*)\?", question)
    assert asked
    difference = sympy.expand(value(asked[2]) - value(asked[1]))
    low, high = sorted(sympy.roots(difference, X))
    return sympy.integrate(difference, (X, low, high))


def not_first(question: str) -> Fraction:
    a, b, c = numbers(question)
    balls = ["first"] * a + ["second"] * b + ["third"] * c
    return Fraction(sum(ball != "first" for ball in balls), len(balls))


def different(question: str) -> Fraction:
    a, b = numbers(question)
    pairs = list(combinations([0] * a + [1] * b, 2))
    return Fraction(sum(x != y for x, y in pairs), len(pairs))


def exactly(question: str) -> Fraction:
    top, bottom, n, k = numbers(question)
    p = Fraction(top, bottom)
    chances = [Fraction(1)]  # chances[i]: of i successes so far
    for _ in range(n):
        chances = [
            p * (chances[i - 1] if i else 0) + (1 - p) * (chances[i] if i < len(chances) else 0)
            for i in range(len(chances) + 1)
        ]
    return chances[k]


def dice(question: str) -> Fraction:
    _, m, _, n, s = numbers(question)
    rolls = [x + y for x, y in product(range(1, m + 1), range(1, n + 1))]
    return Fraction(sum(roll <= s for roll in rolls), len(rolls))


def from_box_one(question: str) -> Fraction:
    a, b, c, d = numbers(question)
    # equally likely cases: each box's balls repeated so that both boxes weigh the same
    from_one, from_two = a * (c + d), c * (a + b)
    return Fraction(from_one, from_one + from_two)


def right_triangle(question: str) -> int:
    first, second = numbers(question)
    if "legs" in question:
        return sympy.sqrt(first**2 + second**2)
    return sympy.sqrt(first**2 - second**2)


def points(question: str) -> list[sympy.Point]:
    found = re.findall(r"\((-?\d+), (-?\d+)\)", question)
    return [sympy.Point(int(x), int(y)) for x, y in found]


def sector(question: str) -> sympy.Expr:
    radius, degrees = numbers(question)
    angle, r, t = sympy.rad(degrees), sympy.Symbol("r"), sympy.Symbol("t")
    return sympy.integrate(r, (r, 0, radius), (t, 0, angle))


def sides_area(question: str) -> sympy.Expr:
    return abs(sympy.Triangle(sss=tuple(numbers(question))).area)


ORACLES: dict[str, list[Callable[[str], object]]] = {
    "quadratic": [quadratic] * 5,
    "modular": [remainder, remainder, remainder, congruence, congruences],
    "number-theory": [common_divisor, common_multiple, divisors, coprime, factorial_power],
    "combinatorics": [selection, arrangement, word, committee, distribution],
    "sequences": [
        lambda q: arithmetic_terms(q, numbers(q)[-1])[-1],
        lambda q: sum(arithmetic_terms(q, numbers(q)[-1])),
        geometric_sum,
        series,
        recurrence,
    ],
    "calculus": [slope, integral, slope, minimum, enclosed],
    "probability": [not_first, different, exactly, dice, from_box_one],
    "geometry": [
        right_triangle,
        lambda q: points(q)[0].distance(points(q)[1]),
        lambda q: abs(sympy.Triangle(*points(q)).area),
        sector,
        sides_area,
    ],
}


@pytest.mark.parametrize("level", range(1, 6))
@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=15)
@given(index=indices)
def test_golds_equal_an_independent_calculation(name: str, level: int, index: int) -> None:
    """The question alone, solved by sympy or by enumeration, gives exactly the gold answer."""
    problem = PROBLEMS[name](level=level, size=index + 1, seed=9)[index]
    found = sympy.sympify(ORACLES[name][level - 1](problem.question))
    assert sympy.simplify(found - value(problem.gold)) == 0, problem.question


@pytest.mark.parametrize(
    ("count", "n", "k"), [(selection, 6, 3), (arrangement, 6, 3), (selection, 7, 2)]
)
def test_the_counting_oracles_count(count: Callable[[str], int], n: int, k: int) -> None:
    """The formulas that serve as oracles for large counts equal enumeration for small ones."""
    kind = combinations if count is selection else permutations
    assert count(f"{n} things, {k} of them") == len(list(kind(range(n), k)))


def test_the_word_oracle_counts() -> None:
    """Distinct orders of a word's letters, listed one by one."""
    assert word("the letters of ABABC") == len(set(permutations("ABABC"))) == 30
    assert committee("3 and 4, choose 3") == sum(
        0 < sum(i < 3 for i in chosen) < 3 for chosen in combinations(range(7), 3)
    )
    assert coprime("1 to 24 with 12") == sum(gcd(i, 12) == 1 for i in range(1, 25))
    assert factorial_power("2^k of 10! (10)") == 8
    assert factorial(10) % 2**8 == 0 != factorial(10) % 2**9
