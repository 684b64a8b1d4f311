"""Sample groups of verified rollouts from anything that can complete prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout, Verdict
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier
from hdpo_env.verifiers.rewards import reward_of


class Policy(Protocol):
    """Anything that completes prompts. The same arguments and state give the same completions."""

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
        """``num`` completions for each prompt, in the order of the prompts."""
        ...


Judge = Callable[[Sequence[tuple[Problem, Completion]]], "list[Verdict]"]


@cache
def _shipped(name: str) -> Verifier:
    return VERIFIERS[name]()


def verifier_named(problem: Problem) -> Verifier:
    """The verifier that the problem asks for by name; one object per name and process.

    Raises:
        RegistryError: no verifier has this name.
    """
    return _shipped(problem.verifier)


def judge(
    pairs: Sequence[tuple[Problem, Completion]],
    *,
    verifier_of: Callable[[Problem], Verifier] = verifier_named,
) -> list[Verdict]:
    """Verdicts in order; a text that occurs several times for the same golds is judged once.

    >>> from hdpo_env.types import Problem
    >>> problem = Problem("3+7+2", ("02",), verifier="exact")
    >>> [v.correct for v in judge([(problem, Completion((0, 2), "02"))] * 2)]
    [True, True]
    """
    known: dict[tuple[object, ...], Verdict] = {}
    verdicts = []
    for problem, completion in pairs:
        verifier = verifier_of(problem)
        key = (verifier.name, problem.answers, completion.text, completion.finish_reason)
        if key not in known:
            known[key] = verifier.verify(
                completion.text, problem.answers, finish_reason=completion.finish_reason
            )
        verdicts.append(known[key])
    return verdicts


def sample_groups(
    policy: Policy,
    problems: Sequence[Problem],
    *,
    num: int,
    temperature: float = 1.0,
    max_tokens: int,
    seed: int,
    greedy: bool = False,
    prompt_of: Callable[[Problem], Prompt] = student_prompt,
    judge: Judge = judge,
) -> list[Group]:
    """One group of ``num`` verified rollouts for each problem, in the order of the problems.

    Privileged rollouts are sampled by the same function with another ``prompt_of``. The reward is
    the verdict's: 1.0, 0.0, or None for an abstention.

    ``greedy`` takes the most probable token at each step; ``max_tokens`` cuts longer completions
    and marks them truncated; ``prompt_of`` makes the prompts, ``judge`` the verdicts.

    Raises:
        ConfigError: ``num`` is below 1.
        DataError: the policy or the judge returned the wrong number of results.
    """
    if num < 1:
        raise ConfigError(f"num is {num}: sample at least one completion per problem")
    if not problems:
        return []
    prompts = [prompt_of(problem) for problem in problems]
    sampled = policy.sample(
        prompts, num=num, temperature=temperature, max_tokens=max_tokens, seed=seed, greedy=greedy
    )
    _check_counts(sampled, len(problems), num)
    pairs = [(p, c) for p, group in zip(problems, sampled, strict=True) for c in group]
    verdicts = judge(pairs)
    if len(verdicts) != len(pairs):
        raise DataError(f"the judge gave {len(verdicts)} verdicts for {len(pairs)} completions")
    rows = iter(zip(pairs, verdicts, strict=True))
    return [
        Group(problem, tuple(_rollout(prompt, *next(rows)) for _ in range(num)))
        for problem, prompt in zip(problems, prompts, strict=True)
    ]


def _rollout(prompt: Prompt, pair: tuple[Problem, Completion], verdict: Verdict) -> Rollout:
    return Rollout(prompt, pair[1], verdict, reward_of(verdict))


def _check_counts(sampled: Sequence[Sequence[Completion]], num_problems: int, num: int) -> None:
    counts = [len(group) for group in sampled]
    if counts != [num] * num_problems:
        raise DataError(
            f"the policy gave {counts[:8]} completions for {num_problems} prompts; "
            f"it must give {num} for each"
        )
