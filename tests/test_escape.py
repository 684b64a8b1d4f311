"""The audit of views: known lifts are ranked rightly, and each kind of cheating is seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from hdpo_env import demo
from hdpo_env.commands.eval import Options, run
from hdpo_env.errors import DataError, RegistryError
from hdpo_env.evaluation import audit_views
from hdpo_env.evaluation.escape import copy_ratio, states_early
from hdpo_env.policies.tiny import tiny_policy
from hdpo_env.problems import PROBLEMS, ChainFamily
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.types import Completion, Group, Outcome, Problem, Prompt, Rollout, Verdict

CLIFFS = list(PROBLEMS["linear"](split="train", size=60, level=2))


class Scripted:
    """A policy that says what a function of the problem and the prompt says."""

    def __init__(self, say: Callable[[Problem, Prompt], str], problems: Sequence[Problem]) -> None:
        self.say, self.problems = say, {p.id: p for p in problems}

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        num: int,
        temperature: float,
        max_tokens: int,
        seed: int,
        greedy: bool = False,
    ) -> list[list[Completion]]:
        texts = [self.say(self.problems[p.problem_id], p) for p in prompts]
        return [[Completion(tuple(t.encode()), t)] * num for t in texts]


def cliffs_of(policy: object, problems: Sequence[Problem]) -> list[Group]:
    """The student's own groups."""
    return sample_groups(policy, problems, num=4, max_tokens=400, seed=0)  # type: ignore[arg-type]


def test_known_lifts_are_measured_and_ranked() -> None:
    """The solution lifts 0.8 of the failures, its half 0.5, the answer 0.3: in this order.

    Each measured rate lies within 4 sigma of its truth; the simulated policy states an answer
    without any derivation, so nothing of it may teach, and the audit says so.
    """
    lift = {"solution": 0.8, "prefix:0.5": 0.5, "answer": 0.3}
    policy = SimulatedPolicy(CLIFFS, 0.0, view_lift=lift, leak_rate=0.25)
    cliffs = cliffs_of(policy, CLIFFS)
    found = audit_views(policy, cliffs, list(lift), num=8, max_tokens=400, seed=1)
    by_name = {audit.view: audit for audit in found}
    for view, rate in lift.items():
        audit = by_name[view]
        sigma = (rate * (1 - rate) / (8 * len(CLIFFS))) ** 0.5
        assert audit.pass_rate is not None
        assert abs(audit.pass_rate.value - rate) < 4 * sigma
        assert audit.pass_rate.low < rate < audit.pass_rate.high
        assert abs(audit.telltale_rate - 0.25) < 4 * (0.25 * 0.75 / 480) ** 0.5
        assert audit.escape_rate == pytest.approx(1 - (1 - rate) ** 8, abs=0.15)
        # Without the view, half a derivation lifts 0.5 by this policy's own rule.
        assert audit.survival == pytest.approx(0.5, abs=0.15)
        assert audit.early_rate > 0.6  # a leaked one says more than eight words before
        assert audit.teachable_rate == 0.0
    assert [audit.view for audit in found] == list(lift)
    assert by_name["answer"].context_words < by_name["solution"].context_words
    json.dumps([audit.row() for audit in found])


def derivation(problem: Problem) -> str:
    """Long enough for a derivation, and in words of its own."""
    return (
        "First bring every unknown to one side, collect the numbers on the other, and divide by "
        rf"what is left in front. This yields \boxed{{{problem.gold}}}."
    )


def test_cheating_is_seen() -> None:
    """Copying, blurting and giving away each cost a view its rank; an honest one comes first."""

    def say(problem: Problem, prompt: Prompt) -> str:
        if prompt.view == "solution":  # copies
            return f"{problem.solution} So it is \\boxed{{{problem.gold}}}."
        if prompt.view == "answer":  # blurts it out, then talks
            return rf"It is \boxed{{{problem.gold}}}. " + "To see why, collect the terms. " * 3
        if prompt.view == "reference_only":  # gives it away
            return "According to the solution, " + derivation(problem)
        return derivation(problem) if prompt.view == "prefix:0.5" else "I cannot tell."

    policy = Scripted(say, CLIFFS)
    views = ["solution", "answer", "reference_only", "prefix:0.5"]
    found = audit_views(policy, cliffs_of(policy, CLIFFS[:12]), views, max_tokens=900, seed=0)
    assert found[0].view == "prefix:0.5"
    audits = {audit.view: audit for audit in found}
    assert audits["prefix:0.5"].teachable_rate == 1.0
    assert audits["solution"].copy_ratio > 0.5
    assert audits["answer"].early_rate == 1.0
    assert audits["reference_only"].telltale_rate == 1.0
    assert [audits[v].teachable_rate for v in views[:3]] == [0.0] * 3
    rates = [rate for v in views if (rate := audits[v].pass_rate)]
    assert [(rate.value, rate.high) for rate in rates] == [(1.0, 1.0)] * 4
    assert all(0 < rate.low < 1 for rate in rates)


def test_views_that_a_problem_cannot_show_are_left_out() -> None:
    """Without a solution only the answer can be shown; the audit says how many were left out."""
    bare = [replace(p, solution=None, hints=()) for p in CLIFFS[:5]]
    policy = SimulatedPolicy(bare, 0.0, view_lift={"answer": 1.0})
    found = audit_views(
        policy, cliffs_of(policy, bare), ["solution", "answer"], max_tokens=99, seed=0
    )
    audits = {audit.view: audit for audit in found}
    assert (audits["solution"].num_cliffs, audits["solution"].num_left_out) == (0, 5)
    assert audits["solution"].pass_rate is None
    assert f"problem {bare[0].id} has no solution" in (audits["solution"].left_out_why or "")
    assert audits["answer"].left_out_why is None
    assert (audits["answer"].num_cliffs, audits["answer"].escape_rate) == (5, 1.0)


def test_every_registered_view_can_be_audited() -> None:
    """By default all of them, on one real small model: whatever it says, the audit holds."""
    problems = list(ChainFamily("#", 4).source("train", 0, 3))
    policy = tiny_policy(seed=0)
    groups = sample_groups(
        policy,
        problems,
        num=2,
        max_tokens=6,
        seed=0,
        prompt_of=lambda p: student_prompt(p, "chain"),
    )
    found = audit_views(policy, groups, num=2, template="chain", max_tokens=6, seed=0)
    assert {"solution", "answer"} <= {audit.view for audit in found}
    assert "none" not in {audit.view for audit in found}
    shown = next(audit for audit in found if audit.view == "solution")
    assert shown.num_cliffs == 3
    assert 0 < shown.tokens <= 6
    assert shown.early_rate == 0  # the completion is the answer, and nothing else may be


def test_copying_by_hand() -> None:
    """Runs of five words count, whole texts of other words do not, order matters."""
    context = "move the two to the right and divide by three to get four"
    assert copy_ratio(context, context) == 1.0
    assert copy_ratio("to the right and", context) == 0.0  # shorter than a run
    assert copy_ratio("x " * 5 + "to the right and divide", context) == 0.5
    assert copy_ratio(" ".join(reversed(context.split())), context) == 0.0
    assert copy_ratio("", context) == 0.0


def test_answers_before_derivations() -> None:
    """Eight words make a derivation; no answer is no early answer."""

    def rollout(text: str, answer: str | None) -> Rollout:
        verdict = Verdict(Outcome.CORRECT if answer else Outcome.NO_ANSWER, answer)
        return Rollout(Prompt("p", ()), Completion((1,), text), verdict, None)

    assert states_early(rollout(r"\boxed{4} because two and two", "4"))
    assert not states_early(rollout("two and two are what we add here, so 4", "4"))
    assert not states_early(rollout("nothing", None))


@pytest.mark.parametrize(
    ("text", "is_early"),
    [
        (r"Each of the 12 boxes has two halves that we add, so the answer is \boxed{2}.", False),
        ("There are 2 trains and each of them runs for hours, so the answer is 2.", False),
        ("2.5 is what is left when all of this is added up, so it is 2", False),
        ("2,000 is what is left when all of this is added up; half is 2", False),
        ("2 trains meet where the road and the rails cross, and so many stay: it is 2.", False),
        (r"The answer is 2. To see it, count the halves of each box: \boxed{2}", True),
        ("Answer: $2$, for there are as many halves as boxes, which makes 2", True),
        (r"2. To see why, count the halves of each of the boxes: \boxed{2}", True),
        (r"It is \boxed{2}. Count the halves of each of the boxes, which makes 2.", True),
        ("x = 2, since there are as many halves as boxes, which makes it x = 2", True),
        ("2", True),
    ],
)
def test_an_early_answer_is_a_statement_of_it(text: str, is_early: bool) -> None:
    """Digits of the question or of another number are not the answer; blurted out, it is early."""
    verdict = Verdict(Outcome.CORRECT, "2")
    rollout = Rollout(Prompt("p", ()), Completion((1,), text), verdict, None)
    assert states_early(rollout) == is_early


def test_no_cliff_is_refused() -> None:
    """There is nothing to audit on."""
    with pytest.raises(DataError, match="no cliffs"):
        audit_views(SimulatedPolicy(CLIFFS, 0.0), [], max_tokens=9, seed=0)


def test_the_command_ranks_views(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped base model on its cliffs: the solution opens them, and that is printed."""
    options = Options(
        model=str(demo.base_model()),
        data="chain#6",
        limit=4,
        n=2,
        max_tokens=8,
        ks=(1,),
        views=("solution", "answer"),
        json=True,
    )
    assert run(options) == 0
    told = capsys.readouterr()
    first, last = json.loads(told.out)
    assert (first["view"], last["view"]) == ("solution", "answer")
    assert first["escape_rate"] == first["teachable_rate"] == 1.0
    assert last["pass_rate"] is None  # the chain has no words for it
    assert "of 4 problems are cliffs" in told.err
    assert last["left_out_why"].endswith("choose another view or template")
    assert run(replace(options, json=False)) == 0
    told = capsys.readouterr().out
    title, heads, *_ = filter(None, map(str.strip, told.splitlines()))
    assert title == "views on 4 cliffs of chain#6, --n 2"
    for column in heads.split()[1:]:
        assert f"{column}: " in told, f"column {column} is not explained"
    assert f"answer: left out, since {last['left_out_why']}" in told
    with pytest.raises(RegistryError, match="sollution"):
        run(replace(options, views=("sollution",)))
    with pytest.raises(DataError, match="is a cliff at 2 rollouts"):
        run(replace(options, data="chain+6"))
