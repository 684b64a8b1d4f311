"""Worked families: golds against sympy, solutions that are arithmetically true line by line."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_env.problems import ArithmeticFamily, Family, FractionFamily, LinearFamily, SystemFamily
from hdpo_env.problems.linear import affine
from hdpo_env.types import Problem
from hdpo_env.verifiers import MathVerifier

WORKED = (ArithmeticFamily, FractionFamily, LinearFamily, SystemFamily)
levels = st.integers(1, 5)
indices = st.integers(0, 10**9)


def expression(text: str) -> sympy.Expr:
    """A formula as people write it, as sympy reads it."""
    return sympy.sympify(re.sub(r"(\d)([xy])", r"\1*\2", text))


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
    terms = re.findall(r"\d+/\d+", problem.question)
    assert str(sum(map(Fraction, terms))) == problem.gold


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


@given(st.sampled_from(WORKED[:2]), levels, indices)
def test_every_equality_in_a_solution_is_true(family: type[Family], level: int, index: int) -> None:
    """Each `a = b` between numbers in the worked solution holds, and there is at least one."""
    solution = str(family(level).problem("train", 2, index).solution)  # type: ignore[call-arg]
    equalities = re.findall(
        r"(?<![\w.)])([-\d(][\d\s+*/()-]*?(?: = [\d\s+*/()-]*\d\)?)+)", solution
    )
    assert equalities
    for chain in equalities:
        values = {expression(side) for side in chain.split(" = ") if side.strip()}
        assert len(values) == 1, chain


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


@given(st.sampled_from(WORKED), levels, indices)
def test_solutions_pass_the_verifier(family: type[Family], level: int, index: int) -> None:
    """The problem's own verifier accepts its worked solution and its bare gold."""
    problem = family(level).problem("train", 3, index)  # type: ignore[call-arg]
    verifier = MathVerifier()
    assert verifier.verify(str(problem.solution), problem.answers).correct is True
    assert verifier.verify(rf"\boxed{{{problem.gold}}}", problem.answers).correct is True


@given(st.sampled_from(WORKED), levels, indices)
def test_hints_do_not_state_the_answer(family: type[Family], level: int, index: int) -> None:
    """A ladder has at least two rungs and no rung is a boxed answer."""
    problem: Problem = family(level).problem("train", 4, index)  # type: ignore[call-arg]
    assert len(problem.hints) >= 2
    assert len(set(problem.hints)) == len(problem.hints)
    assert not any("boxed" in hint for hint in problem.hints)


@pytest.mark.parametrize("family", WORKED)
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
