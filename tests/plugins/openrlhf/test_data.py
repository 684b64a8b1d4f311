"""From OpenRLHF's labels and rollouts to verdicts, groups, problems and the teacher's prompt."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import ConfigError
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.types import GroupKind, Problem
from hdpo_plugins.openrlhf.groups import GroupRecord, grouped, rollout_of, verdict_of
from hdpo_plugins.openrlhf.labels import read_label
from hdpo_plugins.openrlhf.source import ProblemSource


@given(st.text(min_size=1).filter(lambda t: t.strip() and not t.lstrip().startswith("{")))
def test_a_plain_label_is_its_own_answer(text):
    """Text that is no JSON object is the gold answer, character for character."""
    assert read_label(text) == ((text,), None)


def test_labels_that_look_like_json_and_are_not():
    """Braces belong to mathematics too; only an object with an answer is taken apart."""
    assert read_label("{1, 2}").answers == ("{1, 2}",)
    assert read_label('{"a": 1}').answers == ('{"a": 1}',)
    assert read_label({"answer": 72, "solution": "s"}) == (("72",), "s")
    assert read_label(["1/2", "0.5"]).answers == ("1/2", "0.5")
    assert read_label("").answers == ()


def test_a_fault_of_the_verifier_is_no_wrong_answer():
    """No score, NaN and an abstention leave the verdict open; 1 is right, less is wrong."""
    right, wrong = torch.tensor([1.0]), torch.tensor([[0.9]])
    assert [verdict_of(x, {}).correct for x in (right, wrong, 2.0, [0.0])] == [
        True, False, True, False,
    ]  # fmt: skip
    open_ones = [(None, {}), (float("nan"), {}), (0.0, {"abstained": torch.tensor([1.0])})]
    assert [verdict_of(*pair).correct for pair in open_ones] == [None] * 3


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=6))
def test_a_cliff_stays_one_however_its_abstentions_are_judged(correct):
    """A group counts as a cliff only if no judgement of its open rollouts could change that."""
    kind = GroupRecord("p", "l", (1,), tuple(correct)).kind()
    open_ones = [i for i, c in enumerate(correct) if c is None]
    worlds = []
    for judged in product([True, False], repeat=len(open_ones)):
        world = list(correct)
        for i, value in zip(open_ones, judged, strict=True):
            world[i] = value
        worlds.append(not any(world))
    assert (kind is GroupKind.CLIFF) == all(worlds)


def test_the_raw_score_decides_and_the_prompt_ends_at_the_first_action():
    """The score wins over a shaped reward; prompt ids are what stands before the first action."""

    def one(rewards, scores, info):
        return rollout_of(
            SimpleNamespace(
                sequences=torch.tensor([[5, 6, 7, 8, 9]]),
                action_mask=torch.tensor([[0, 0, 1, 1]]),
                rewards=rewards,
                scores=scores,
                prompts=["ask"],
                labels=["1"],
                info=info,
            )
        )

    shaped = one(torch.tensor([-0.5]), torch.tensor([1.0]), {})
    bare = one(torch.tensor([0.0]), None, {})
    fault = one(torch.tensor([0.0]), torch.tensor([0.0]), {"abstained": torch.tensor([1.0])})
    group = grouped([shaped, bare, fault])
    assert group == ("ask", "1", (5, 6, 7), (True, False, None))


def source_of(rows, labels=None, **settings):
    """Prompts as OpenRLHF would render them: a chat template, then the generation prompt."""

    def render(chat, in_template=True):
        messages = [{"role": "user", "content": chat}] if isinstance(chat, str) else chat
        text = "".join(f"<{m['role'][0]}>{m['content']}" for m in messages)
        return f"[{text}]" if in_template else text

    prompts = [render(row["input"]) for row in rows]
    defaults = {"input_key": "input", "solution_key": "solution"}
    labels = ["2"] * len(rows) if labels is None else labels
    return ProblemSource(rows, prompts, labels, render=render, **{**defaults, **settings}), prompts


def test_the_teacher_reads_the_students_prompt_with_the_solution_inside():
    """The last user message is replaced by our template's words; the chat around it stays."""
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1+1?"},
    ]
    source, [prompt] = source_of([{"input": chat, "solution": "One and one is two."}])
    found = source.teacher_prompt(prompt, "2", "solution", "hdpo")
    text = found.messages[0].content
    assert text.startswith("[<s>Be brief.<u>What is 1+1?\n\n")
    assert "Final answer: 2" in text
    assert "One and one is two." in text
    assert "two" not in repr(found)
    assert chat[1]["content"] == "What is 1+1?"
    assert source.teacher_prompt("never seen", "2", "solution", "hdpo") is None


def test_problems_keep_their_ids_whatever_template_the_data_was_made_with():
    """The question inside a known student's template is recovered, and with it the id."""
    problem = Problem("3+7", ("02",), solution="3+7=02")
    asked = student_prompt(problem, "chain").messages[0].content
    rows = [{"input": asked, "solution": problem.solution}]
    source, [prompt] = source_of(rows, ["02"])
    assert source.problem_id(prompt, "02", "chain") == problem.id
    assert source.problem_id(prompt, "02", "hdpo") != problem.id  # there the Q is of the question
    found = source.teacher_prompt(prompt, "02", "solution", "chain").messages[0].content
    ours = privileged_prompt(problem, "solution", "chain").messages[0].content
    assert found == f"<u>{ours}"  # no input template around words that replace the prompt


def test_literal_templates_and_labels_that_carry_the_solution():
    """``{context}`` makes a template of any words; a JSON label needs no column."""
    label = '{"answer": "2", "solution": "count"}'
    source, [prompt] = source_of([{"input": "1+1?"}], [label], solution_key=None)
    text = source.teacher_prompt(prompt, label, "solution", "{context}: {prompt}")
    assert text.messages[0].content == "[<u>2\n\ncount: 1+1?]"
    only = source.teacher_prompt(prompt, label, "answer", "ANS{context};{prompt}")
    assert only.messages[0].content == "[<u>ANS2;1+1?]"
    source.check("solution", "hdpo", "hdpo")


def test_a_start_without_any_privileged_context_is_refused_with_the_flags_to_set():
    """No solutions and no answers are noticed before a model is loaded."""
    source, _ = source_of([{"input": "1+1?", "solution": None}])
    with pytest.raises(ConfigError, match=r"--data\.solution_key .* --hdpo\.view answer"):
        source.check("solution", "hdpo", "hdpo")
    source.check("answer", "hdpo", "hdpo")
    with pytest.raises(ConfigError, match=r"--data\.solution_key steps: .* columns input"):
        source_of([{"input": "1+1?"}], solution_key="steps")
    with pytest.raises(ConfigError, match="2 rows and OpenRLHF made 1 prompts"):
        ProblemSource([{}, {}], ["a"], ["1"], input_key="i", solution_key=None, render=str)


def test_one_question_with_two_answers_keeps_each_with_its_own_solution():
    """Data sets repeat questions; the label says which row a rollout came from."""
    rows = [{"input": "x?", "solution": text} for text in ("first", "second", "again")]
    source, prompts = source_of(rows, ["1", "2", "1"])
    texts = [
        source.teacher_prompt(prompts[0], label, "solution", "{context}/{prompt}").messages[0]
        for label in ("1", "2")
    ]
    assert [t.content for t in texts] == ["[<u>1\n\nfirst/x?]", "[<u>2\n\nsecond/x?]"]
    assert source.problem(prompts[0], "3", "hdpo") is None
