"""Worked families: golds against sympy, solutions that are arithmetically true line by line."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_env.problems import ArithmeticFamily, FractionFamily, LinearFamily, SystemFamily
from hdpo_env.problems.levels import LevelFamily, states
from hdpo_env.problems.source import LEVEL_FAMILIES
from hdpo_env.problems.wording import affine, polynomial, square_part, surd, surd_sum, times_pi
from hdpo_env.verifiers import MathVerifier

by_kind = pytest.mark.parametrize("family", LEVEL_FAMILIES, ids=lambda family: family.kind)
levels = st.integers(1, 5)
indices = st.integers(0, 10**9)


def expression(text: str) -> sympy.Expr:
    """A formula as people write it, as sympy reads it."""
    return sympy.sympify(re.sub(r"(\d)([xy])", r"\1*\2", text).replace("^", "**"))


@given(levels, indices)
def test_arithmetic_golds_equal_sympy(level: int, index: int) -> None:
    """The gold answer is the value of the expression in the question."""
    problem = ArithmeticFamily(level).problem("train", 1, index)
    asked = re.fullmatch(r"Compute (.*)\.", problem.question)
    assert asked
    assert expression(asked[1]) == sympy.Integer(problem.gold)


@given(levels, indices)
def test_fraction_golds_are_exact_and_in_lowest_terms(level: int, index: int) -> None:
    """The gold answer is the exact sum, with coprime numerator and denominator."""
    problem = FractionFamily(level).problem("train", 1, index)
    terms = re.findall(r"(?:- )?\d+/\d+", problem.question)
    assert str(sum(Fraction(term.replace("- ", "-")) for term in terms)) == problem.gold


@given(levels, indices)
def test_linear_golds_are_the_only_root(level: int, index: int) -> None:
    """Substituting the gold answer makes the sides equal, and no other root exists."""
    problem = LinearFamily(level).problem("train", 1, index)
    asked = re.fullmatch(r"Solve for x: (.*) = (.*)\.", problem.question)
    assert asked
    difference = expression(asked[1]) - expression(asked[2])
    assert sympy.solve(difference, sympy.Symbol("x")) == [sympy.Rational(problem.gold)]


@given(levels, indices)
def test_system_golds_are_the_product_of_the_only_solution(level: int, index: int) -> None:
    """The two equations have one solution and the gold answer is its product."""
    problem = SystemFamily(level).problem("train", 1, index)
    asked = re.search(r"satisfy (.*) = (\S+) and (.*) = (\S+)\. What", problem.question)
    assert asked
    left, e, right, f = asked.groups()
    x, y = sympy.symbols("x y")
    equations = [expression(left) - int(e), expression(right) - int(f)]
    solution = sympy.solve(equations, [x, y])
    assert solution[x] * solution[y] == int(problem.gold)


def equalities(text: str) -> list[tuple[str, str]]:
    """Neighbouring sides of `a = b = c` that are made of numbers only."""
    pairs = []
    for part in re.split(r"[;:,] |\. ", text.removesuffix(".")):
        for left, right in pairwise(part.split(" = ")):
            end = re.search(r"(?<![\w.'_)}])-?[\d(][\d\s+*/()^-]*$", left)
            start = re.match(r"-?[\d(][\d\s+*/()^-]*(?![\w\\!(])", right)
            if end and start and is_whole(end[0]) and is_whole(start[0]):
                before = left[: end.start()].rstrip()
                pairs += [(end[0], start[0])] * (not before.endswith(tuple("+-*/^=")))
    return pairs


def is_whole(side: str) -> bool:
    """Whether the numbers found are a whole side and not a part of one with variables."""
    return side.count("(") == side.count(")") and side.rstrip()[-1] in "0123456789)"


@by_kind
def test_every_equality_in_a_solution_is_true(family: type[LevelFamily]) -> None:
    """Each `a = b` between numbers in the worked solutions holds; most solutions have one."""
    found = 0
    for level in range(1, 6):
        for problem in family(level).source("train", 2, 12):
            solution = re.sub(r"\\boxed\{([\d/-]+)\}", r"\1", str(problem.solution))
            pairs = equalities(solution)
            assert all(expression(a) == expression(b) for a, b in pairs), problem.solution
            found += bool(pairs)
    assert found >= 24 or family is LinearFamily  # its steps hold x: checked below


@given(levels, indices)
def test_linear_steps_are_true(level: int, index: int) -> None:
    """The collected and the divided equation of the solution have the gold as their root."""
    problem = LinearFamily(level).problem("train", 2, index)
    found = re.search(
        r": (.*)x = (.*), so (.*)x = (.*)\. Divide by (.*): x = ", str(problem.solution)
    )
    assert found
    slope, right, collected, constant, divisor = (
        expression({"": "1", "-": "-1"}.get(part, part)) for part in found.groups()
    )
    assert slope == collected == divisor
    assert right == constant == collected * sympy.Rational(problem.gold)


@given(levels, indices)
def test_system_steps_are_true(level: int, index: int) -> None:
    """Both eliminations `Dx = N, so x = v` hold, and the product is the gold."""
    problem = SystemFamily(level).problem("train", 2, index)
    steps = re.findall(r": (-?\d+)[xy] = (-?\d+), so [xy] = (-?\d+)", str(problem.solution))
    assert len(steps) == 2
    for slope, constant, root in steps:
        assert int(slope) * int(root) == int(constant)
    assert int(steps[0][2]) * int(steps[1][2]) == int(problem.gold)


@by_kind
@settings(max_examples=15)
@given(level=levels, index=indices)
def test_solutions_pass_the_verifier(family: type[LevelFamily], level: int, index: int) -> None:
    """The problem's own verifier accepts its worked solution and its bare gold."""
    problem = family(level).problem("train", 3, index)
    verifier = MathVerifier()
    assert str(problem.solution).endswith(rf"\boxed{{{problem.gold}}}.")
    assert verifier.verify(str(problem.solution), problem.answers).correct is True
    assert verifier.verify(rf"\boxed{{{problem.gold}}}", problem.answers).correct is True


@by_kind
@settings(max_examples=40)
@given(level=levels, index=indices)
def test_hints_do_not_state_the_answer(family: type[LevelFamily], level: int, index: int) -> None:
    """A ladder has at least two different rungs, and the gold is no number or word of any."""
    problem = family(level).problem("train", 4, index)
    assert len(set(problem.hints)) == len(problem.hints) >= 2
    for hint in problem.hints:
        assert "boxed" not in hint
        assert problem.gold not in re.findall(r"-?\d+(?:/\d+)?", hint)
        assert problem.gold.isascii()
        inside = re.search(rf"(?<![\d/]){re.escape(problem.gold)}(?![\d/])", hint)
        assert problem.gold.strip("-").isdigit() or not inside


def test_stating_an_answer_by_hand() -> None:
    """A number inside another number, fraction or decimal is not the number."""
    assert states("It is 12, or so.", "12")
    assert states("(12)", "12")
    assert not any(states(text, "12") for text in ("120", "312", "12/5", "5/12", "12.5", "3.12"))
    assert states(r"so 2\sqrt{3}.", r"2\sqrt{3}")


@by_kind
@pytest.mark.parametrize("level", [0, 6])
def test_levels_outside_1_to_5_are_refused(family: type, level: int) -> None:
    """The error names the level."""
    with pytest.raises(ConfigError, match=f"level {level} is outside 1 to 5"):
        family(level)


def test_affine_by_hand() -> None:
    """Signs and units as people write them."""
    assert [affine(*pair) for pair in ((2, 3), (-1, -1), (0, 0), (1, 0))] == [
        "2x + 3",
        "-x - 1",
        "0",
        "x",
    ]


def test_wording_by_hand() -> None:
    """Coefficients of one and minus one, missing powers, and roots in simplest form."""
    assert polynomial((1, 0, -1)) == "x^2 - 1"
    assert polynomial((-2, 1, 0), "t") == "-2t^2 + t"
    assert surd(3, 50) == r"15\sqrt{2}"
    assert surd_sum(-4, 8, 4) == r"\frac{-2 + \sqrt{2}}{2}"
    assert times_pi(Fraction(3, 2)) == r"\frac{3\pi}{2}"


@given(st.integers(-30, 30), st.integers(2, 300), st.integers(1, 30))
def test_surd_sums_keep_their_value(whole: int, radicand: int, bottom: int) -> None:
    """Taking out squares and cancelling changes nothing, and nothing is left to cancel."""
    if sympy.sqrt(radicand).is_Integer:
        return
    text = surd_sum(whole, radicand, bottom)
    plain = re.sub(r"(\d)(sqrt)", r"\1*\2", re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", text))
    plain = re.sub(r"\\frac\{(.*)\}\{(\d+)\}", r"(\1)/(\2)", plain)
    assert sympy.simplify(sympy.sympify(plain) - (whole + sympy.sqrt(radicand)) / bottom) == 0


@given(
    st.integers(1, 3000)
    | st.builds(lambda k, m: k * k * m, st.integers(1, 60), st.integers(1, 200))
)
def test_square_part_is_the_largest_square(number: int) -> None:
    """The outer part is the largest number whose square divides, found by trying them all."""
    largest = max(k for k in range(1, isqrt(number) + 1) if number % (k * k) == 0)
    assert square_part(number) == (largest, number // largest**2)
