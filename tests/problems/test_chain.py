"""The misconception chain against hand-worked numbers and an independent fold."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_env.problems import ChainFamily
from hdpo_env.problems.chain import OPERATORS

TABLES = ("#", "*", "@")
digits = st.lists(st.integers(0, 9), min_size=2, max_size=10)


def test_running_sums_by_hand() -> None:
    """3+7=10 -> 0, 0+2=2; 9+9 -> 8, 8+9 -> 7."""
    family = ChainFamily("+", 2)
    assert family.answer("3+7+2") == "02"
    assert family.answer("9+9+9") == "87"


@pytest.mark.parametrize("operator", TABLES)
def test_the_misconception_differs_in_every_cell(operator: str) -> None:
    """No cell of the wrong table is right by accident, and both tables hold digits."""
    family = ChainFamily(operator)
    for a in range(10):
        for b in range(10):
            assert family.right(a, b) != family.wrong(a, b)
            assert {family.right(a, b), family.wrong(a, b)} <= set(range(10))


def test_operators_have_different_tables() -> None:
    """Learning one operator's table must not be learning another's (chance: 10 cells)."""
    for first in TABLES:
        for second in TABLES:
            if first < second:
                left, right = ChainFamily(first), ChainFamily(second)
                same = sum(
                    left.right(a, b) == right.right(a, b) for a in range(10) for b in range(10)
                )
                assert same < 25


@given(digits, st.sampled_from(list(OPERATORS)))
def test_answers_fold_from_the_left(numbers: list[int], operator: str) -> None:
    """The last digit of a prefix's answer is the first operand of the next step."""
    family = ChainFamily(operator, len(numbers) - 1)
    answer = family.answer(operator.join(map(str, numbers)))
    assert len(answer) == len(numbers) - 1
    before = numbers[0]
    for digit, result in zip(numbers[1:], answer, strict=True):
        assert int(result) == family.right(before, digit)
        before = int(result)


@given(digits, st.sampled_from(list(OPERATORS)), st.integers(0, 2**32))
def test_perfect_belief_gives_the_gold(numbers: list[int], operator: str, seed: int) -> None:
    """p_right = 1 is the answer; p_right = 0 follows the misconception from its own digits."""
    family = ChainFamily(operator, len(numbers) - 1)
    question = operator.join(map(str, numbers))
    assert family.noisy_answer(question, Random(seed), 1.0) == family.answer(question)
    if operator in TABLES:
        wrong = family.noisy_answer(question, Random(seed), 0.0)
        before = numbers[0]
        for digit, result in zip(numbers[1:], wrong, strict=True):
            assert int(result) == family.wrong(before, digit)
            before = int(result)


def test_steps_are_right_as_often_as_asked() -> None:
    """Share of right first steps: 0.3 for tables; 0.93 + 0.07 / 10 for sums (5 sigma of 4,000)."""
    rng = Random(5)
    for operator, p_right, expected in (("#", 0.3, 0.3), ("+", 0.93, 0.937)):
        family = ChainFamily(operator, 1)
        problems = [family.problem("train", 0, i) for i in range(4000)]
        hits = sum(family.noisy_answer(p.question, rng, p_right) == p.gold for p in problems)
        assert abs(hits / 4000 - expected) < 5 * (expected * (1 - expected) / 4000) ** 0.5


def test_a_problem_holds_what_the_corridor_needs() -> None:
    """Verifier exact, subject the operator's name, solution the text the teacher reads."""
    problem = ChainFamily("#", 6).problem("eval", 0, 0)
    assert (problem.verifier, problem.subject, problem.source) == ("exact", "table", "chain")
    assert problem.solution == problem.gold
    assert problem.gold == ChainFamily("#").answer(problem.question)
    assert problem.question.count("#") == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ChainFamily("-"), r"operator '-' is unknown: choose one of \+ # \* @"),
        (lambda: ChainFamily("#", 0), "length 0 is below 1"),
        (lambda: ChainFamily("+").wrong(1, 2), "no misconception table"),
        (lambda: ChainFamily("#").answer("3+7"), "not a chain of digits joined by '#'"),
        (lambda: ChainFamily("#").answer("37"), "not a chain"),
        (lambda: ChainFamily("#").answer("3"), "not a chain"),
    ],
)
def test_impossible_chains_are_refused(make: object, message: str) -> None:
    """Errors name the value and the remedy."""
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]
