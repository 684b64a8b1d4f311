"""Pairs: student and teacher line up token by token, and every span holds what it names."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.privileged import (
    PRIVILEGED_TEMPLATES,
    Pair,
    PrivilegedTemplate,
    build_pair,
    privileged_context,
    privileged_prompt,
)
from hdpo_env.problems import LinearFamily
from hdpo_env.prompts import TEMPLATES, Template
from hdpo_env.types import Problem

WORDED = [name for name in PRIVILEGED_TEMPLATES if name != "chain"]
LINEAR = list(LinearFamily(3).source("train", 0, 4))
CHAIN = Problem("3#7#2", ("02",), solution="02", verifier="exact")


def pair_of(tokenizer: Any, view: str = "solution", **options: Any) -> tuple[Problem, Pair]:
    """A pair of a problem that the tokenizer can spell."""
    is_chain = tokenizer.eos_token == "."
    problem, template = (CHAIN, "chain") if is_chain else (LINEAR[0], "hdpo")
    return problem, build_pair(tokenizer, problem, view, template, **options)


def test_ids_are_those_of_the_chat_template(tokenizer: Any) -> None:
    """Both prompts are exactly what a policy of this tokenizer would be given."""
    problem, pair = pair_of(tokenizer)
    template = "chain" if problem is CHAIN else "hdpo"
    policy = HFPolicy.__new__(HFPolicy)  # encoding needs the tokenizer and no model
    policy.tokenizer = tokenizer
    teacher = privileged_prompt(problem, "solution", template)
    student = privileged_prompt(problem, "none", template)
    assert pair.teacher.ids == policy.encode(teacher)
    assert pair.student.ids == policy.encode(student)


def test_spans_hold_question_and_context(tokenizer: Any) -> None:
    """Decoding a span gives the text it names, with no token to spare at either end."""
    problem, pair = pair_of(tokenizer)
    template = "chain" if problem is CHAIN else "hdpo"
    context = privileged_context(problem, "solution", template)
    for prompt in (pair.student, pair.teacher):
        text = tokenizer.decode(prompt.ids[slice(*prompt.question)])
        assert problem.question in text
        assert len(text) <= len(problem.question) + 12
        assert prompt.assistant.stop == prompt.completion_start == len(prompt.ids)
        start, stop = prompt.question
        assert problem.question not in tokenizer.decode(prompt.ids[start + 1 : stop])
        assert problem.question not in tokenizer.decode(prompt.ids[start : stop - 1])
    start, stop = pair.teacher.context
    assert context in tokenizer.decode(pair.teacher.ids[start:stop])
    assert context not in tokenizer.decode(pair.teacher.ids[start + 1 : stop])
    assert context not in tokenizer.decode(pair.teacher.ids[start : stop - 1])
    assert pair.student.context == (0, 0)
    assert not set(range(*pair.teacher.question)) & set(range(*pair.teacher.context))


def test_assistant_prefixes_are_the_same_tokens(tokenizer: Any) -> None:
    """The last tokens before the completion are equal, and there are some."""
    _, pair = pair_of(tokenizer)
    tails = [p.ids[slice(*p.assistant)] for p in (pair.student, pair.teacher)]
    assert tails[0] == tails[1]
    assert tails[0]


@pytest.mark.parametrize("thinks", [True, False])
@pytest.mark.parametrize("template", WORDED)
def test_chat_arguments_reach_both(chatml: Any, template: str, thinks: bool) -> None:
    """``enable_thinking`` changes the prefix of both prompts alike."""
    pair = build_pair(
        chatml, LINEAR[1], "answer", template, chat_kwargs={"enable_thinking": thinks}
    )
    tails = {chatml.decode(p.ids[slice(*p.assistant)]) for p in (pair.student, pair.teacher)}
    ending = "" if thinks else "<think>\n\n</think>\n\n"
    assert tails == {f"<|im_end|>\n<|im_start|>assistant\n{ending}"}


def test_a_beginning_of_text_is_kept_as_the_policy_keeps_it(tokenizer: Any) -> None:
    """Where the tokenizer puts a token before plain text, both prompts begin with it, once."""
    _, pair = pair_of(tokenizer)
    is_put = tokenizer.bos_token is not None and tokenizer.chat_template is None
    for prompt in (pair.student, pair.teacher):
        assert (prompt.ids[0] == tokenizer.bos_token_id) is is_put
        assert prompt.ids.count(tokenizer.bos_token_id) == is_put


def test_view_none_gives_the_student_twice(tokenizer: Any) -> None:
    """Without privileged context the two prompts are equal."""
    _, pair = pair_of(tokenizer, "none")
    assert pair.student == pair.teacher


def test_a_question_that_comes_twice_is_found_in_the_prompt(chatml: Any) -> None:
    """A solution that repeats the question does not draw the span to itself."""
    problem = Problem("Add 2 and 3.", ("5",), solution="Add 2 and 3. That is 5.")
    late = PrivilegedTemplate(
        "late", 1, TEMPLATES["boxed"], "{context}\n\n{prompt}", {"solution": "{text}"}
    )
    for template in ("hdpo", late):
        pair = build_pair(chatml, problem, "reference_only", template)
        between = pair.teacher.ids[slice(*pair.teacher.question)]
        assert "Add 2 and 3." in chatml.decode(between)
        follows = chatml.decode(pair.teacher.ids[pair.teacher.question.stop :])
        assert "Reason step by step" in follows[:40]


def test_system_messages_are_shared(chatml: Any) -> None:
    """The student's system message stands in both prompts."""
    own = Template("own", 1, system="You are terse.", user="  Please: {question}  ")
    pair = build_pair(chatml, LINEAR[0], "answer", "sdft", student=own)
    for prompt in (pair.student, pair.teacher):
        text = chatml.decode(prompt.ids)
        assert text.startswith("<|im_start|>system\nYou are terse.<|im_end|>\n")
        asked = chatml.decode(prompt.ids[slice(*prompt.question)])
        assert LINEAR[0].question in asked


@given(st.integers(0, 400))
def test_a_budget_is_kept_and_never_costs_the_question(chatml: Any, budget: int) -> None:
    """Within the budget or refused; question and answer stay whole; the solution is a prefix."""
    problem = LINEAR[2]
    whole = build_pair(chatml, problem, "solution", "sdpg")
    if budget < len(build_pair(chatml, problem, "answer", "sdpg").teacher.ids):
        with pytest.raises(ViewError, match=f"budget of {budget} tokens"):
            build_pair(chatml, problem, "solution", "sdpg", max_teacher_tokens=budget)
        return
    pair = build_pair(chatml, problem, "solution", "sdpg", max_teacher_tokens=budget)
    assert len(pair.teacher.ids) <= budget
    assert pair.num_cut == len(whole.teacher.ids) - len(pair.teacher.ids)
    assert pair.is_cut is (budget < len(whole.teacher.ids))
    assert pair.student == whole.student
    text = chatml.decode(pair.teacher.ids)
    assert problem.question in chatml.decode(pair.teacher.ids[slice(*pair.teacher.question)])
    context = chatml.decode(pair.teacher.ids[slice(*pair.teacher.context)])
    assert f"The correct answer is: {problem.gold}" in context
    assert text.endswith("<|im_start|>assistant\n")
    if pair.is_cut and "A common way" in context:
        kept = context.partition("is:\n")[2].partition(" [...]")[0]
        assert kept
        assert (problem.solution or "").startswith(kept)


def test_the_budget_is_used(chatml: Any) -> None:
    """Of all places where the solution may be cut, the last one that fits, by trying them all."""
    problem = LINEAR[2]
    solution = problem.solution or ""

    def size_of(text: str | None, budget: int | None = None) -> int:
        given = replace(problem, solution=text)
        view = "answer" if text is None else "solution"
        return len(build_pair(chatml, given, view, "sdpg", max_teacher_tokens=budget).teacher.ids)

    ends = [m.start() for m in re.finditer(r"\s+", solution)]
    sizes = [size_of(None), *(size_of(solution[:end] + " [...]") for end in ends)]
    whole = size_of(solution)
    for budget in range(sizes[0], whole):
        assert size_of(solution, budget) == max(size for size in sizes if size <= budget)
    assert size_of(solution, whole) == whole
    assert len(set(sizes)) > 10


def test_a_text_without_blanks_is_cut_between_characters(chatml: Any) -> None:
    """Chinese or a chain of digits has no blanks to cut at."""
    problem = Problem("q", ("1",), solution="一二三四五六七八九十" * 5)
    whole = build_pair(chatml, problem, "reference_only")
    budget = len(whole.teacher.ids) - 20
    pair = build_pair(chatml, problem, "reference_only", max_teacher_tokens=budget)
    assert budget - 10 < len(pair.teacher.ids) <= budget


def test_what_cannot_line_up_is_refused(chatml: Any) -> None:
    """A template that changes messages or looks into them, and arguments that nothing reads."""
    chatml = deepcopy(chatml)
    chatml.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(ConfigError, match="alters the user's message"):
        build_pair(chatml, LINEAR[0])
    chatml.chat_template = (
        "{{ messages[0]['content'] }}<|im_end|>"
        "{% if 'reference' in messages[0]['content'] %}A{% else %}B{% endif %}"
    )
    with pytest.raises(ConfigError, match="ends the student's and the teacher's prompts"):
        build_pair(chatml, LINEAR[0])
    chatml.chat_template = None
    with pytest.raises(ConfigError, match=r"chat_kwargs \['enable_thinking'\] need a chat"):
        build_pair(chatml, LINEAR[0], chat_kwargs={"enable_thinking": False})
    context_free = PrivilegedTemplate("x", 1, TEMPLATES["plain"], "{prompt}", {"answer": "{text}"})
    with pytest.raises(ConfigError, match=r"has no \{context\}"):
        privileged_prompt(LINEAR[0], "answer", context_free)


def test_reprs_show_no_tokens(chatml: Any) -> None:
    """Ids could be decoded, so they stay out of reprs."""
    pair = build_pair(chatml, LINEAR[0])
    assert pair.teacher.ids
    assert repr(pair).count("PromptTokens(question=Span(start=") == 2
    assert "ids" not in repr(pair)
