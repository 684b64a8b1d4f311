"""Teacher prompts: the student's prompt plus exactly the pieces of one view."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import RegistryError, ViewError
from hdpo_env.privileged import PRIVILEGED_TEMPLATES, VIEWS, privileged_prompt
from hdpo_env.prompts import TEMPLATES, Template, student_prompt
from hdpo_env.types import Problem

RICH = Problem("What is 6*7?", ("GOLD", "OTHER"), solution="DERIVATION", hints=("NUDGE",))
POOR = Problem("What is 6*7?", ("GOLD",))
WORDED = ("hdpo", "sdpg", "opsd", "sdpo", "sdft")


def content(problem: Problem, view: str, template: str) -> str:
    """The teacher's user message."""
    return privileged_prompt(problem, view, template).messages[-1].content


@pytest.mark.parametrize("template", ["hdpo", "sdpg", "chain"])
def test_view_none_is_the_students_prompt(template: str) -> None:
    """Without privileged context teacher and student see the same thing."""
    chosen = PRIVILEGED_TEMPLATES[template]
    prompt = privileged_prompt(RICH, "none", template)
    assert prompt == student_prompt(RICH, chosen.student)
    assert not prompt.is_privileged


@pytest.mark.parametrize("template", WORDED)
def test_views_show_exactly_their_pieces(template: str) -> None:
    """View answer shows the gold only; view solution the gold and the derivation; no hints."""
    assert "GOLD" in content(RICH, "answer", template)
    assert "DERIVATION" not in content(RICH, "answer", template)
    assert "GOLD" in content(RICH, "solution", template)
    assert "DERIVATION" in content(RICH, "solution", template)
    for view in ("answer", "solution"):
        assert "NUDGE" not in content(RICH, view, template)
        assert "OTHER" not in content(RICH, view, template)


@pytest.mark.parametrize("template", WORDED)
def test_the_students_prompt_comes_first_and_whole(template: str) -> None:
    """The teacher reads the question in the student's own words before anything else."""
    student = student_prompt(RICH, "boxed").messages[-1].content
    assert content(RICH, "solution", template).startswith(student)


@pytest.mark.parametrize("template", WORDED)
def test_every_kind_of_piece_has_words(template: str) -> None:
    """Each recipe can be run with each view of the problem, and the words differ by recipe."""
    for view, shown in {
        "solution": "DERIVATION",
        "prefix:0.5": "DERIV",
        "hints": "NUDGE",
        "reference_only": "DERIVATION",
    }.items():
        assert shown in content(RICH, view, template)
    assert len({content(RICH, "solution", name) for name in WORDED}) == len(WORDED)
    assert PRIVILEGED_TEMPLATES[template].telltales
    kinds = {"answer", "solution", "prefix", "hint", "feedback"}
    assert set(PRIVILEGED_TEMPLATES[template].words) == kinds


@pytest.mark.parametrize("template", ["hdpo", "sdpg"])
def test_the_teacher_is_told_not_to_admit_it(template: str) -> None:
    """Both papers forbid mentioning the reference; the telltales are what the filter looks for."""
    text = content(RICH, "solution", template).lower()
    assert "never say" in text or "do not mention" in text
    assert PRIVILEGED_TEMPLATES[template].telltales


def test_the_chain_teacher_reads_question_bar_solution() -> None:
    """`P<question>|<solution>` is the format that the tiny models are pre-trained on."""
    problem = Problem("3#7#2", ("02",), solution="02", verifier="exact")
    prompt = privileged_prompt(problem, "solution", "chain")
    assert prompt.messages[-1].content == "P3#7#2|02"
    assert (prompt.template, prompt.view, prompt.is_privileged) == ("chain@1", "solution", True)


@pytest.mark.parametrize("template", WORDED)
def test_another_student_template_can_be_named(template: str) -> None:
    """The teacher's prompt is built on the student's template that is in use, system text too."""
    own = Template("own", 1, system="SYSTEM", user="Please: {question}")
    prompt = privileged_prompt(RICH, "answer", template, student=own)
    assert prompt.messages[0].content == "SYSTEM"
    assert prompt.messages[1].content.startswith("Please: What is 6*7?\n")
    assert "boxed" not in prompt.messages[1].content


@given(st.text(alphabet="a{}\\$ ", min_size=1).filter(str.strip))
def test_latex_goes_in_unchanged(text: str) -> None:
    """Braces in gold and solution are text."""
    problem = Problem("q {question}", (text,), solution="s" + text)
    for template in WORDED:
        assert "s" + text in content(problem, "solution", template)
        assert "q {question}" in content(problem, "solution", template)


@pytest.mark.parametrize("solution", [None, "", "  \n"])
def test_a_view_without_its_piece_is_refused(solution: str | None) -> None:
    """The error names the problem, the view and what to do, and holds no gold."""
    problem = Problem("q", ("GOLD",), solution=solution)
    with pytest.raises(ViewError, match=f"{problem.id} has no solution.*view='answer'") as caught:
        privileged_prompt(problem, "solution")
    assert "GOLD" not in str(caught.value)


def test_a_template_without_words_for_a_view_is_refused() -> None:
    """The chain models know one privileged format only."""
    with pytest.raises(ViewError, match="'chain' has no words for view 'answer'"):
        privileged_prompt(POOR, "answer", "chain")


def test_unknown_views_and_templates_list_the_choices() -> None:
    """Misspelt names are answered with the table."""
    with pytest.raises(RegistryError, match="unknown view 'soluton'; choose one of: answer"):
        privileged_prompt(RICH, "soluton")
    with pytest.raises(RegistryError, match="unknown privileged template 'x'"):
        privileged_prompt(RICH, "answer", "x")
    assert {"none", "answer", "solution"} <= set(VIEWS)
    assert set(TEMPLATES) >= {t.student.name for t in map(PRIVILEGED_TEMPLATES.__getitem__, WORDED)}
