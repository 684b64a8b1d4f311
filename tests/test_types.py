"""The records: what they refuse, what they hide, what travels as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import DataError
from hdpo_env.types import (
    Completion,
    Outcome,
    Problem,
    Verdict,
    by_id,
    content_hash,
    derive_seed,
)

texts = st.text(min_size=1, max_size=30).filter(str.strip)


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ((), "no gold answer: give answers="),
        (("",), "a blank answer, number 1 of 1: leave it out"),
        (("", "2"), "a blank answer, number 1 of 2: leave it out"),
        (("2", " \n"), "a blank answer, number 2 of 2: leave it out"),
        ("4", "answers of type str: give answers="),
        ("", "answers of type str: give answers="),
        (b"4", "answers of type bytes: give answers="),
        (4, "answers of type int: give answers="),
        (None, "answers of type NoneType: give answers="),
        ({"4": 1}, "answers of type dict: give answers="),
        ((None,), "answers whose number 1 is of type NoneType: give strings"),
        (("4", 4), "answers whose number 2 is of type int: give strings"),
    ],
)
def test_a_problem_without_gold_is_refused(answers: object, fault: str) -> None:
    """No answer, a blank one, or something else than strings, made here or read from a row."""
    with pytest.raises(DataError, match=rf"^problem '2\+2\?' has {fault}"):
        Problem("2+2?", answers)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"^problem '2\+2\?' has {fault}"):
        Problem.from_dict({"question": "2+2?", "answers": answers})


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("hints", "see", "hints of type str: give hints="),
        ("hints", None, "hints of type NoneType: give hints="),
        ("hints", ["a", 5], "hints whose number 2 is of type int: give strings"),
        ("solution", 5, "type int as its solution: give a string or None"),
        ("difficulty", "hard", "type str as its difficulty: give a number or None"),
        ("difficulty", True, "type bool as its difficulty: give a number or None"),
        ("id", 5, "type int as its id: give a string"),
        ("source", None, "type NoneType as its source: give a string"),
        ("split", 1, "type int as its split: give a string"),
        ("subject", ["a"], "type list as its subject: give a string"),
        ("verifier", None, "type NoneType as its verifier: give a string"),
    ],
)
def test_a_field_of_another_type_is_refused(name: str, value: object, fault: str) -> None:
    """The sentence names problem, field and type, and shows no gold."""
    row = {"question": "2+2?", "answers": ["SECRET"], name: value}
    for make in (lambda: Problem(**row), lambda: Problem.from_dict(row)):
        with pytest.raises(DataError, match=rf"^problem '2\+2\?' has {fault}") as caught:
            make()
        assert "SECRET" not in str(caught.value)


def test_what_says_nothing_is_none() -> None:
    """A blank solution and a difficulty that is no finite number; whole numbers are floats."""
    given = [Problem("q", ("1",), solution=s) for s in ("", " \n", None)]
    assert [p.solution for p in given] == [None] * 3
    hard = [float("nan"), float("inf"), -float("inf"), None, 2]
    assert [Problem("q", ("1",), difficulty=d).difficulty for d in hard] == [*[None] * 4, 2.0]
    assert Problem("q", ["1"], hints=["h"]) == Problem("q", ("1",), hints=("h",))  # type: ignore[arg-type]


@pytest.mark.parametrize("question", ["", " \n", None, 7])
def test_a_problem_without_a_question_is_refused(question: object) -> None:
    """The error shows the value."""
    with pytest.raises(DataError, match="problem question is"):
        Problem(question, ("4",))  # type: ignore[arg-type]


@given(texts, st.lists(texts, min_size=1, max_size=3), st.none() | texts, st.lists(texts))
def test_problems_travel_as_json(
    question: str, answers: list[str], solution: str | None, hints: list[str]
) -> None:
    """Reading back what was written gives an equal problem with the same id."""
    problem = Problem(question, tuple(answers), solution=solution, hints=tuple(hints))
    assert Problem.from_dict(json.loads(problem.to_json())) == problem


def test_ids_depend_on_question_and_answers_only() -> None:
    """The id is pinned, so it is the same everywhere; moving text between fields changes it."""
    problem = Problem("1+1=?", ("2",))
    assert problem.id == content_hash("1+1=?", "2") == "fc9e7a39ab92b218"
    assert problem.id == Problem("1+1=?", ("2",), solution="s", split="eval").id
    assert len({Problem("a", ("b", "c")).id, Problem("a", ("bc",)).id, problem.id}) == 3


def test_unknown_and_missing_fields_are_named() -> None:
    """A row from elsewhere is refused with what is wrong about it."""
    with pytest.raises(DataError, match=r"unknown fields \['anwser'\]"):
        Problem.from_dict({"question": "q", "anwser": ["1"]})
    with pytest.raises(DataError, match=r"lacks \['answers'\]"):
        Problem.from_dict({"question": "q"})
    with pytest.raises(DataError, match="row is a str: give a mapping"):
        Problem.from_dict("question")  # type: ignore[arg-type]


def test_verdicts_have_three_states() -> None:
    """Only checker faults abstain, only CORRECT is correct, and none has a truth value."""
    states = {outcome: Verdict(outcome).correct for outcome in Outcome}
    assert [o for o, correct in states.items() if correct] == [Outcome.CORRECT]
    assert {o.name for o, correct in states.items() if correct is None} == {
        "TIMEOUT",
        "ERROR",
        "BAD_GOLD",
    }
    for outcome in Outcome:
        with pytest.raises(TypeError, match="three states and no truth value"):
            bool(Verdict(outcome))


def test_seeds_of_different_paths_are_unrelated() -> None:
    """No two of 40,000 neighbouring paths share a seed, and 1 is not "1"."""
    seeds = {
        derive_seed("f", split, a, b) for split in "ab" for a in range(20) for b in range(1000)
    }
    assert len(seeds) == 40_000
    assert derive_seed(1) != derive_seed("1")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_an_empty_completion_is_a_completion() -> None:
    """No tokens, not truncated unless it says so."""
    assert Completion((), "").num_tokens == 0
    assert not Completion((), "").is_truncated
    assert Completion((), "", finish_reason="length").is_truncated


def test_two_problems_never_share_an_id() -> None:
    """The same problem twice is one; another question or gold under its id is refused."""
    aime = Problem("a?", ("70",), id="0", source="aime25")
    assert by_id([aime, aime]) == {"0": aime}
    for other in (Problem("b?", ("70",), id="0"), Problem("a?", ("71",), id="0", source="amc23")):
        with pytest.raises(DataError, match="two different problems have the id '0'") as error:
            by_id([aime, other])
        assert "70" not in str(error.value)
        assert "71" not in str(error.value)
