"""Views: which pieces each shows, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, RegistryError, ViewError
from hdpo_env.privileged import VIEWS, Piece, privileged_context, privileged_prompt
from hdpo_env.privileged.masking import states_answer
from hdpo_env.problems import PROBLEMS
from hdpo_env.types import Group, Problem
from hdpo_env.verifiers import VERIFIERS
from hdpo_env.verifiers.forms import stated

GroupOf = Callable[..., Group]
RICH = Problem(
    "What is 6*7?",
    ("42",),
    solution="Six sevens are thirty and twelve. Add them. So it is 42.",
    hints=("Count by sevens.", "There are six.", "7, 14, 21."),
)
NEEDS_GROUP = ("sibling", "feedback")


def texts(view: str, problem: Problem = RICH, group: Group | None = None) -> list[tuple[str, str]]:
    """Kinds and texts of a view's pieces."""
    return [(piece.kind, piece.text) for piece in VIEWS[view](problem, group)]


def test_every_view_is_listed() -> None:
    """The names of the table, which errors and the command line list."""
    assert set(VIEWS) >= {
        *("none", "answer", "solution", "reference_only", "masked_solution"),
        *("prefix", "hints", "sibling", "feedback", "wrong_answer"),
    }
    assert "prefix:0.25" in VIEWS
    assert "answer+feedback" in VIEWS
    for wrong in ("prefix:2", "no", "answer+", "answer:1", "none+answer"):
        assert wrong not in VIEWS


def test_views_of_the_problem() -> None:
    """Each by hand."""
    solution = RICH.solution or ""
    assert texts("none") == []
    assert texts("answer") == [("answer", "42")]
    assert texts("solution") == [("answer", "42"), ("solution", solution)]
    assert texts("reference_only") == [("solution", solution)]
    assert texts("masked_solution") == [("solution", solution.replace("42", "[withheld]"))]
    assert texts("hints:2") == [("hint", RICH.hints[0]), ("hint", RICH.hints[1])]
    assert texts("hints") == texts("hints:7") == [("hint", hint) for hint in RICH.hints]
    assert texts("prefix:1/4") == texts("prefix:0.25") == [("prefix", "Six sevens are")]
    assert texts("prefix:1") == [("prefix", solution)]


@given(
    st.lists(st.text("ab.", min_size=1, max_size=6), min_size=1).map(" ".join),
    st.fractions(0, 1),
    st.fractions(0, 1),
)
def test_prefixes_are_nested_and_end_at_words(text: str, one: float, two: float) -> None:
    """A larger share shows at least as much, never more than its share, and cuts no word."""
    problem = Problem("q", ("1",), solution=text)
    shown = []
    for share in sorted((one, two)):
        try:
            [(_, prefix)] = texts(f"prefix:{share}", problem) if share else [("", "")]
        except ViewError:
            prefix = ""
        assert text.startswith(prefix)
        assert len(prefix) <= round(share * len(text))
        assert " " not in text or text[len(prefix) :][:1] in ("", " ") or not prefix
        shown.append(prefix)
    assert shown[1].startswith(shown[0])


def test_a_prefix_that_ends_at_a_word_keeps_it() -> None:
    """Two of five characters are the whole first word; one fewer is none of it."""
    problem = Problem("q", ("1",), solution="ab cd")
    assert texts("prefix:0.4", problem) == [("prefix", "ab")]
    with pytest.raises(ViewError, match="too short"):
        texts("prefix:0.2", problem)


def test_remarks_are_few(group_of: GroupOf) -> None:
    """Four different failures are told, the first ones; the rest would be a list of guesses."""
    group = group_of(RICH, *(rf"\boxed{{{n}}}" for n in (1, 2, 1, 3, 4, 5, 6)))
    said = [text.split()[6] for _, text in texts("feedback", group=group)]
    assert said == ["1.", "2.", "3.", "4."]


def test_views_of_the_group(group_of: GroupOf) -> None:
    """The shortest correct rollout; a remark for each different failure, in order."""
    group = group_of(
        RICH, r"\boxed{41}", r"I count: \boxed{42}", r"\boxed{42}", "no idea", r"\boxed{41}"
    )
    assert texts("sibling", group=group) == [("solution", r"\boxed{42}")]
    remarks = [text for _, text in texts("feedback", group=group)]
    assert remarks == [
        "An attempt ended with the answer 41. That is not correct. Try again.",
        "No final answer was found. State it, and try again.",
    ]
    assert texts("wrong_answer", group=group) == [("answer", "41")]
    hedged = Problem("q", ("42",), verifier="exact")
    both = group_of(hedged, "41 or 42", "41 or 42", "40")
    assert texts("wrong_answer", hedged, both) == [("answer", "40")]


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_feedback_never_says_the_gold(group_of: GroupOf, name: str) -> None:
    """Right, wrong, blank and hedged attempts: the remarks hold no correct answer."""
    for problem in PROBLEMS[name](size=3):
        state = stated(problem.verifier, problem.gold)
        wrong = stated(problem.verifier, "-987654321")
        group = group_of(problem, state, wrong, "", f"{state} or {wrong}", "The sum is unclear.")
        context = privileged_context(problem, "feedback", group=group)
        assert "-987654321" in context
        assert not states_answer(problem, context)
        assert state not in context


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_wrong_answers_are_wrong_and_look_like_answers(name: str) -> None:
    """The verifier calls them wrong; they read as the view ``answer`` does; they do not vary."""
    for problem in PROBLEMS[name](size=10):
        [(kind, text)] = texts("wrong_answer", problem)
        verdict = VERIFIERS[problem.verifier]().verify(
            stated(problem.verifier, text), problem.answers
        )
        assert verdict.correct is False
        assert kind == "answer"
        assert texts("wrong_answer", problem) == [(kind, text)]


def test_composition_keeps_the_order_and_repeats_nothing(group_of: GroupOf) -> None:
    """``answer+solution`` shows the answer once."""
    assert texts("answer+solution") == texts("solution")
    assert texts("hints:1+prefix:0.25+answer") == [
        *texts("hints:1"),
        *texts("prefix:0.25"),
        *texts("answer"),
    ]
    group = group_of(RICH, r"\boxed{41}")
    assert texts("answer+feedback", group=group) == [
        *texts("answer"),
        *texts("feedback", group=group),
    ]
    prompt = privileged_prompt(RICH, "answer+feedback", group=group)
    assert prompt.view == "answer+feedback"


@pytest.mark.parametrize(
    ("view", "error", "message"),
    [
        ("prefix:much", ConfigError, r"'prefix:much': 'much' is not a share of the solution in"),
        ("prefix:0", ConfigError, "'prefix:0': 0 is not a share"),
        ("prefix:1.5", ConfigError, "1.5 is not a share"),
        ("prefix:1/0", ConfigError, "'1/0' is not a share"),
        ("hints:0", ConfigError, "0 is not a whole number above 0"),
        ("hints:1.5", ConfigError, "1.5 is not a whole number"),
        ("answer:3", ConfigError, "answer takes no argument; these do: hints, prefix"),
        ("none+answer", ConfigError, "'none' shows nothing and composes with nothing"),
        ("solutoin:0.5", RegistryError, "unknown view 'solutoin'; choose one of: answer"),
        ("answer+solutoin", RegistryError, "unknown view 'solutoin'"),
        (
            "sibling",
            ViewError,
            "'sibling' quotes from rollouts.*none are given: give them .group=, or --rollouts",
        ),
        (
            "feedback",
            ViewError,
            "'feedback' quotes from rollouts.*none are given: give them .group=, or --rollouts",
        ),
    ],
)
def test_names_that_mean_nothing_are_refused(
    view: str, error: type[Exception], message: str
) -> None:
    """Each error names the part and the rule."""
    with pytest.raises(error, match=message):
        privileged_prompt(RICH, view)


def test_what_a_problem_lacks_is_said_with_a_remedy(group_of: GroupOf) -> None:
    """No solution, no hints, no number to change, nobody right, nobody wrong, another's group."""
    poor = Problem("Who?", ("GOLD",))
    cases = {
        "reference_only": ("has no solution.*view='answer'", None),
        "masked_solution": ("has no solution", None),
        "prefix:0.5": ("has no solution", None),
        "hints:1": ("has no hints.*view='prefix:0.25'", None),
        "wrong_answer": ("no number to change.*give its rollouts .group=, or --rollouts", None),
        "sibling": ("no rollout.*is correct", group_of(poor, "x")),
        "feedback": ("no rollout.*failed", group_of(poor, r"\boxed{GOLD}")),
    }
    for view, (message, group) in cases.items():
        with pytest.raises(ViewError, match=message) as caught:
            privileged_prompt(poor, view, group=group)
        assert "GOLD" not in str(caught.value)
    with pytest.raises(ViewError, match=r"too short for view 'prefix:0\.1'"):
        privileged_prompt(Problem("q", ("1",), solution="seventeen words"), "prefix:0.1")
    for view in NEEDS_GROUP:
        with pytest.raises(ViewError, match="was given the group of problem"):
            privileged_prompt(RICH, view, group=group_of(poor, "x"))


def test_a_truncated_success_is_no_sibling(group_of: GroupOf) -> None:
    """A rollout that was cut may stop in the middle of a sentence."""
    with pytest.raises(ViewError, match="no rollout"):
        privileged_prompt(RICH, "sibling", group=group_of(RICH, r"\boxed{42} a", finish="length"))


def test_own_views_can_be_added() -> None:
    """A plain function is a view, also in combinations."""
    VIEWS.add("length", lambda problem, group: (Piece("hint", f"{len(problem.gold)} digits"),))
    try:
        assert texts("length+answer") == [("hint", "2 digits"), ("answer", "42")]
        with pytest.raises(RegistryError, match="already registered"):
            VIEWS.add_with_argument("length", lambda argument: VIEWS["none"], default="")
    finally:
        del VIEWS._table["length"]
