"""Student prompts: literal, versioned, and blind to everything privileged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, RegistryError
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import TEMPLATES, Template, fill, student_prompt
from hdpo_env.types import Message, Problem

words = st.text(alphabet="ab{} \\$\n", max_size=20)


def test_shipped_templates_by_hand() -> None:
    """The exact texts, so that a change of wording without a new version is noticed."""
    problem = Problem("What is 1+1?", ("2",))
    assert student_prompt(problem, "plain").messages == (Message("user", "What is 1+1?"),)
    assert student_prompt(problem, "chain").messages == (Message("user", "QWhat is 1+1?"),)
    assert student_prompt(problem).messages == (
        Message(
            "user",
            "What is 1+1?\n\nReason step by step, and put your final answer in \\boxed{}.",
        ),
    )
    labels = {name: TEMPLATES[name].label for name in ("plain", "chain", "boxed")}
    assert labels == {"plain": "plain@1", "chain": "chain@1", "boxed": "boxed@1"}


@given(words.filter(str.strip))
def test_questions_go_in_unchanged(question: str) -> None:
    """Braces and backslashes of a question are text, whatever the template says."""
    problem = Problem(question, ("2",))
    for name in ("plain", "boxed", "chain"):
        assert question in student_prompt(problem, name).messages[-1].content


@given(words, words)
def test_fill_replaces_once_and_literally(before: str, value: str) -> None:
    """A value that itself contains a placeholder is not filled again."""
    pattern = before.replace("{", "") + "{a}|{b}"
    assert fill(pattern, a=value + "{b}", b="B") == before.replace("{", "") + value + "{b}|B"


def test_system_messages_come_first() -> None:
    """A template with a system text makes two messages."""
    template = Template("t", 3, system="Be brief.", user="{question}")
    prompt = student_prompt(Problem("q", ("1",)), template)
    assert [m.role for m in prompt.messages] == ["system", "user"]
    assert (prompt.template, prompt.view, prompt.is_privileged) == ("t@3", "none", False)


def test_prompts_do_not_depend_on_what_the_teacher_knows() -> None:
    """Changing answers, solution and hints changes nothing the student sees."""
    poor = Problem("q", ("1",), id="same")
    rich = Problem("q", ("2",), solution="s", hints=("h",), id="same")
    for name in TEMPLATES:
        assert student_prompt(poor, name) == student_prompt(rich, name)


def test_unknown_templates_list_the_choices() -> None:
    """The error names the templates there are."""
    with pytest.raises(RegistryError, match="choose one of: boxed, chain, plain"):
        student_prompt(Problem("q", ("1",)), "boxd")


def test_the_exact_verifier_is_never_asked_through_a_box() -> None:
    """By default its prompt is plain, the teacher's begins with that, and a box is refused.

    A boxed right answer would be WRONG by the exact verifier: every such prompt a false cliff.
    """
    problem = Problem("3+7?", ("10",), verifier="exact")
    asked = student_prompt(problem)
    assert asked.template == "plain@1"
    for name in ("hdpo", "sdpg"):
        assert privileged_prompt(problem, "none", name) == asked
    with pytest.raises(ConfigError, match="give template 'plain'"):
        student_prompt(problem, "boxed")
    math = Problem("3+7?", ("10",))
    assert student_prompt(math).template == "boxed@1"
