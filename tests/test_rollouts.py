"""Groups come back complete, in order, judged once per distinct text, abstentions kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hdpo_env.errors import ConfigError, DataError, RegistryError
from hdpo_env.privileged import privileged_prompt
from hdpo_env.problems import ChainFamily
from hdpo_env.prompts import student_prompt
from hdpo_env.rollouts import judge, sample_groups
from hdpo_env.simulate import SimulatedPolicy
from hdpo_env.types import Completion, Outcome, Problem, Prompt, Verdict
from hdpo_env.verifiers import VERIFIERS

PROBLEMS = list(ChainFamily("#", 3).source("train", 0, 6))


class Scripted:
    """A policy that answers prompt i with the texts it was given for it."""

    def __init__(self, *texts: Sequence[str]) -> None:
        self.texts = texts
        self.asked: list[tuple[Prompt, ...]] = []
        self.settings: list[tuple[int, float, int, int, bool]] = []

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
        self.asked.append(tuple(prompts))
        self.settings.append((num, temperature, max_tokens, seed, greedy))
        return [[Completion(tuple(t.encode()), t) for t in texts] for texts in self.texts]


class Counting:
    """The exact verifier, which counts what it is asked."""

    name, version = "counting", "1"

    def __init__(self, fault_on: str = "") -> None:
        self.calls: list[str] = []
        self.fault_on = fault_on

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        self.calls.append(completion)
        if completion == self.fault_on:
            return Verdict(Outcome.TIMEOUT)
        return VERIFIERS["exact"]().verify(completion, gold, finish_reason=finish_reason)


def test_rollouts_stay_with_their_problem() -> None:
    """Row i of group j is completion i of prompt j, with its own verdict and reward."""
    a, b = PROBLEMS[:2]
    policy = Scripted([a.gold, "x", a.gold], [b.gold + "0", b.gold, ""])
    first, second = sample_groups(policy, [a, b], num=3, max_tokens=9, seed=0)
    assert first.correct == (True, False, True)
    assert second.correct == (False, True, False)
    assert [r.reward for r in first.rollouts] == [1.0, 0.0, 1.0]
    assert [r.completion.text for r in second.rollouts] == [b.gold + "0", b.gold, ""]
    assert second.rollouts[2].verdict.outcome is Outcome.NO_ANSWER
    assert policy.asked == [(student_prompt(a), student_prompt(b))]


def test_privileged_rollouts_use_another_prompt() -> None:
    """`prompt_of` decides what is asked; verdicts are against the same gold."""
    policy = Scripted([PROBLEMS[0].gold])
    [group] = sample_groups(
        policy,
        PROBLEMS[:1],
        num=1,
        max_tokens=9,
        seed=0,
        prompt_of=lambda p: privileged_prompt(p, "solution", "chain"),
    )
    assert group.rollouts[0].prompt.view == "solution"
    assert policy.asked[0][0].messages[0].content.startswith("P")
    assert group.correct == (True,)


def test_sampling_settings_reach_the_policy() -> None:
    """Number, temperature, limit, seed and greediness arrive as they were given; temperature 1."""
    policy = Scripted(["1", "2"])
    sample_groups(policy, PROBLEMS[:1], num=2, max_tokens=9, seed=5)
    sample_groups(policy, PROBLEMS[:1], num=2, temperature=0.6, max_tokens=8, seed=6, greedy=True)
    assert policy.settings == [(2, 1.0, 9, 5, False), (2, 0.6, 8, 6, True)]


def test_each_distinct_text_is_judged_once() -> None:
    """Repeats for the same golds cost nothing; another problem's repeat is judged anew."""
    a, b = PROBLEMS[:2]
    counting = Counting()
    pairs = [(p, Completion((), t)) for p in (a, b) for t in ("1", a.gold, "1", a.gold)]
    verdicts = judge(pairs, verifier_of=lambda problem: counting)
    assert counting.calls == ["1", a.gold] * 2
    assert [v.correct for v in verdicts[:4]] == [False, True, False, True]


def test_truncation_is_part_of_what_is_judged() -> None:
    """The same text with and without a cut are two questions to the verifier."""
    problem = PROBLEMS[0]
    cut = Completion((1,), "1", finish_reason="length")
    verdicts = judge([(problem, cut), (problem, Completion((1,), "1"))])
    assert [v.outcome for v in verdicts] == [Outcome.TRUNCATED, Outcome.WRONG]


def test_an_abstention_has_no_reward() -> None:
    """A timeout is neither 0 nor 1."""
    problem = PROBLEMS[0]
    counting = Counting(fault_on="boom")
    [group] = sample_groups(
        Scripted(["boom", "1"]),
        [problem],
        num=2,
        max_tokens=9,
        seed=0,
        judge=lambda pairs: judge(pairs, verifier_of=lambda p: counting),
    )
    assert [r.reward for r in group.rollouts] == [None, 0.0]
    assert group.correct == (None, False)


def test_the_problem_names_its_verifier() -> None:
    """`exact` and `math` problems in one batch are judged by their own rules."""
    exact = Problem("q", ("1/2",), verifier="exact")
    math = Problem("q", ("1/2",), verifier="math")
    completion = Completion((), r"\boxed{0.5}")
    assert [v.correct for v in judge([(exact, completion), (math, completion)])] == [False, True]
    with pytest.raises(RegistryError, match="unknown verifier 'oracle'"):
        judge([(Problem("q", ("1",), verifier="oracle"), completion)])


def test_the_same_seed_gives_the_same_groups() -> None:
    """Sampling is a function of policy, problems and seed."""
    policy = SimulatedPolicy(PROBLEMS, 0.5)

    def draw(seed: int) -> list:
        return sample_groups(policy, PROBLEMS, num=8, max_tokens=64, seed=seed)

    assert [g.correct for g in draw(1)] == [g.correct for g in draw(1)]
    assert [g.correct for g in draw(1)] != [g.correct for g in draw(2)]


def test_wrong_counts_are_refused() -> None:
    """A policy or judge that loses rows would shift verdicts between problems."""
    with pytest.raises(
        DataError, match=r"gave \[1, 2\] completions for 2 prompts.*give 2 for each"
    ):
        sample_groups(Scripted(["1"], ["1", "2"]), PROBLEMS[:2], num=2, max_tokens=9, seed=0)
    with pytest.raises(DataError, match="0 verdicts for 1 completions"):
        sample_groups(
            Scripted(["1"]), PROBLEMS[:1], num=1, max_tokens=9, seed=0, judge=lambda pairs: []
        )
    with pytest.raises(ConfigError, match="num is 0"):
        sample_groups(Scripted(), PROBLEMS[:1], num=0, max_tokens=9, seed=0)
    assert sample_groups(Scripted(), [], num=2, max_tokens=9, seed=0) == []
