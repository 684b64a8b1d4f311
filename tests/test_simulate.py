"""The simulated policy has the truth it was given."""

from __future__ import annotations

from functools import partial

import pytest

from hdpo_env.errors import ConfigError, DataError, RegistryError
from hdpo_env.filters import select_teachable
from hdpo_env.privileged import privileged_prompt
from hdpo_env.problems import ChainFamily, LinearFamily
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import Judge, judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.types import Outcome, Problem, Prompt
from hdpo_env.verifiers import ExactVerifier, MathVerifier, Verifier

LINEAR = list(LinearFamily(2).source("train", 0, 4))
BOXED = MathVerifier(policy="boxed_only")  # what training uses
CHAIN = list(ChainFamily("#").source("train", 0, 4))


def by(verifier: Verifier) -> Judge:
    """Judge everything with one verifier."""
    return partial(judge, verifier_of=lambda problem: verifier)


def share(policy: SimulatedPolicy, problem: Problem, view: str = "none", num: int = 4000) -> float:
    """The share of correct completions, as the verifier sees it."""
    [group] = sample_groups(
        policy,
        [problem],
        num=num,
        max_tokens=200,
        seed=1,
        prompt_of=lambda p: privileged_prompt(p, view, "hdpo"),
    )
    return group.correct.count(True) / num


@pytest.mark.parametrize("problems", [LINEAR, CHAIN], ids=["math", "exact"])
def test_pass_rates_are_the_given_ones(problems: list[Problem]) -> None:
    """0.3 with its binomial error (5 sigma of 4,000), 0 and 1 exactly."""
    rates = {p.id: rate for p, rate in zip(problems, (0.0, 0.3, 1.0, 0.5), strict=True)}
    policy = SimulatedPolicy(problems, rates)
    assert share(policy, problems[0]) == 0.0
    assert abs(share(policy, problems[1]) - 0.3) < 5 * (0.3 * 0.7 / 4000) ** 0.5
    assert share(policy, problems[2]) == 1.0


def test_views_lift_failures() -> None:
    """The rate is p + (1 - p) * lift, here 0.2 + 0.8 * 0.5 = 0.6; other views lift nothing."""
    policy = SimulatedPolicy(CHAIN, 0.2, view_lift={"solution": 0.5})
    prompt = privileged_prompt(CHAIN[0], "solution")
    assert policy.pass_rate(prompt) == pytest.approx(0.6, abs=1e-15)
    assert abs(share(policy, CHAIN[0], "solution") - 0.6) < 5 * (0.24 / 4000) ** 0.5
    assert policy.pass_rate(privileged_prompt(CHAIN[0], "answer")) == 0.2


def test_leaks_are_what_the_filter_finds() -> None:
    """The share of leaked privileged completions is the leak rate; the student never leaks."""
    policy = SimulatedPolicy(LINEAR, 1.0, leak_rate=0.25)
    groups = sample_groups(
        policy,
        LINEAR[:1],
        num=2000,
        max_tokens=200,
        seed=0,
        prompt_of=lambda p: privileged_prompt(p, "solution"),
    )
    dropped = select_teachable(groups, distinct=False).dropped
    assert abs(dropped["leaked"] / 2000 - 0.25) < 5 * (0.25 * 0.75 / 2000) ** 0.5
    assert set(dropped) == {"leaked"}
    student = sample_groups(policy, LINEAR[:1], num=50, max_tokens=200, seed=0)
    assert select_teachable(student, telltales=["reference", "given"], distinct=False).dropped == {}


VIEW_NAMES = [
    *("answer", "solution", "reference_only", "masked_solution", "prefix:0.5", "hints:2"),
    *("sibling", "feedback", "wrong_answer", "answer+feedback", "hints:1+prefix:0.25"),
]


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_every_view_lifts_and_leaks_by_its_own_rate(view: str) -> None:
    """0.1 + 0.9 * 0.4 = 0.46 under the view and 0.1 under another; a quarter of it leaks."""
    truth = {"view_lift": {view: 0.4}, "leak_rate": 0.25}
    policy = SimulatedPolicy(LINEAR, 0.1, **truth)  # type: ignore[arg-type]
    [attempts] = sample_groups(policy, LINEAR[:1], num=60, max_tokens=200, seed=3, judge=by(BOXED))
    assert set(attempts.correct) == {True, False}

    def privileged(problem: Problem) -> Prompt:
        return privileged_prompt(problem, view, group=attempts)

    num = 3000
    [group] = sample_groups(
        policy, LINEAR[:1], num=num, max_tokens=200, seed=1, prompt_of=privileged, judge=by(BOXED)
    )
    assert policy.pass_rate(group.rollouts[0].prompt) == pytest.approx(0.46, abs=1e-15)
    assert abs(group.correct.count(True) / num - 0.46) < 5 * (0.46 * 0.54 / num) ** 0.5
    correct = group.correct.count(True)
    leaked = select_teachable([group], distinct=False).dropped["leaked"]
    assert abs(leaked / correct - 0.25) < 5 * (0.25 * 0.75 / correct) ** 0.5
    other = privileged_prompt(LINEAR[0], "answer" if view != "answer" else "solution")
    assert policy.pass_rate(other) == 0.1


@pytest.mark.parametrize("template", ["hdpo", "sdpg", "opsd", "sdpo", "sdft"])
def test_leaks_are_found_under_every_template(template: str) -> None:
    """A policy that always leaks is always caught, in the words of each recipe."""
    policy = SimulatedPolicy(LINEAR, 1.0, leak_rate=1.0)
    groups = sample_groups(
        policy,
        LINEAR,
        num=5,
        max_tokens=200,
        seed=0,
        prompt_of=lambda p: privileged_prompt(p, "solution", template),
        judge=by(BOXED),
    )
    assert select_teachable(groups).dropped == {"leaked": 20}


@pytest.mark.parametrize("problems", [LINEAR, CHAIN], ids=["math", "exact"])
def test_causes_of_failure_have_their_rates(problems: list[Problem]) -> None:
    """Of 3,000 failures, 20 % truncated and 30 % without an answer (5 sigma)."""
    policy = SimulatedPolicy(problems, 0.0, truncation_rate=0.2, no_answer_rate=0.3)
    verifier = BOXED if problems is LINEAR else ExactVerifier()
    [group] = sample_groups(
        policy, problems[:1], num=3000, max_tokens=200, seed=0, judge=by(verifier)
    )
    outcomes = [r.verdict.outcome for r in group.rollouts]
    assert abs(outcomes.count(Outcome.TRUNCATED) / 3000 - 0.2) < 5 * (0.16 / 3000) ** 0.5
    assert abs(outcomes.count(Outcome.NO_ANSWER) / 3000 - 0.3) < 5 * (0.21 / 3000) ** 0.5
    assert set(outcomes) == {Outcome.TRUNCATED, Outcome.NO_ANSWER, Outcome.WRONG}


def test_the_token_limit_cuts() -> None:
    """No completion is longer than allowed, and a cut one says so."""
    policy = SimulatedPolicy(LINEAR, 1.0)
    [group] = sample_groups(policy, LINEAR[:1], num=3, max_tokens=5, seed=0, judge=by(BOXED))
    for rollout in group.rollouts:
        assert rollout.completion.num_tokens == 5
        assert rollout.completion.is_truncated
        assert rollout.verdict.outcome is Outcome.TRUNCATED


def test_a_completion_that_just_fits_is_whole() -> None:
    """A limit equal to the length cuts nothing; ids are bytes, with a log-probability of 0 each."""
    prompt = student_prompt(LINEAR[0])
    policy = SimulatedPolicy(LINEAR, 1.0)
    settings = {"num": 1, "temperature": 1.0, "seed": 0}
    [[whole]] = policy.sample([prompt], max_tokens=999, **settings)  # type: ignore[arg-type]
    [[fits]] = policy.sample([prompt], max_tokens=whole.num_tokens, **settings)  # type: ignore[arg-type]
    assert fits == whole
    assert not whole.is_truncated
    assert bytes(whole.token_ids).decode() == whole.text
    assert whole.logprobs == (0.0,) * whole.num_tokens


def test_failures_are_wrong_answers_unless_asked_otherwise() -> None:
    """By default nothing is truncated, left unanswered or leaked."""
    [group] = sample_groups(SimulatedPolicy(CHAIN, 0.0), CHAIN[:1], num=50, max_tokens=99, seed=0)
    assert {r.verdict.outcome for r in group.rollouts} == {Outcome.WRONG}


def test_greedy_follows_the_more_likely_outcome() -> None:
    """At least 1/2 succeeds, below fails, whatever the seed."""
    rates = {p.id: rate for p, rate in zip(CHAIN, (0.49, 0.5, 0.0, 1.0), strict=True)}
    policy = SimulatedPolicy(CHAIN, rates)
    for seed in range(5):
        groups = sample_groups(policy, CHAIN, num=1, max_tokens=99, seed=seed, greedy=True)
        assert [g.correct[0] for g in groups] == [False, True, False, True]


def test_impossible_truths_are_refused() -> None:
    """Errors name the rate or the problem."""
    with pytest.raises(ConfigError, match=r"view_lift\['answer'\] is 1\.5"):
        SimulatedPolicy(CHAIN, 0.5, view_lift={"answer": 1.5})
    with pytest.raises(RegistryError, match="unknown view 'solutoin'"):
        SimulatedPolicy(CHAIN, 0.5, view_lift={"solutoin": 0.5})
    with pytest.raises(ConfigError, match="no pass rate for problems"):
        SimulatedPolicy(CHAIN, {CHAIN[0].id: 0.5})
    with pytest.raises(ConfigError, match=r"no_answer_rate \+ truncation_rate is 1\.2"):
        SimulatedPolicy(CHAIN, 0.5, no_answer_rate=0.6, truncation_rate=0.6)
    with pytest.raises(ConfigError, match=r"leak_rate is 0\.1 but the exact verifier"):
        SimulatedPolicy(CHAIN, 0.5, leak_rate=0.1)
    stranger = student_prompt(Problem("q", ("1",)))
    with pytest.raises(DataError, match="not one this simulated policy knows"):
        SimulatedPolicy(CHAIN, 0.5).pass_rate(stranger)
    assert isinstance(stranger, Prompt)
