"""Whole groups at once: prompts out, G completions for each back in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdpo_env.env.parts import Judges, find_problem, prompt_of, source_of
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.source import ProblemSource
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout
from hdpo_env.verifiers.protocol import Verifier
from hdpo_env.verifiers.rewards import reward_of


class GroupEnv:
    """Groups of rollouts: prompts out, G completions for each back in, verified groups returned.

    Args:
        problems: a source's name or the source itself.
        group_size: G, completions per problem.
        template: the student's template; None takes ``boxed``, or ``plain`` for exact answers.
        verifier: judges all problems; None takes the one that each problem names.
        seed: of the order in which problems are drawn.
        settings: passed to a source given by its name.

    >>> env = GroupEnv("chain-add", group_size=2, length=1)
    >>> prompts = env.reset(num=1)
    >>> [group.correct for group in env.step([["", "no"]])]
    [(False, False)]
    """

    def __init__(
        self,
        problems: str | ProblemSource,
        *,
        group_size: int,
        template: str | None = None,
        verifier: Verifier | str | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if group_size < 1:
            raise ConfigError(f"group_size is {group_size}: a group has at least one rollout")
        self.source = source_of(problems, settings)
        self.group_size = group_size
        self.template = template
        self.judges = Judges(verifier)
        self.problems: tuple[Problem, ...] = ()
        self._rng = np.random.default_rng(seed)

    def reset(self, num: int | None = None, *, ids: Sequence[str] | None = None) -> list[Prompt]:
        """Draw ``num`` problems, or take those with these ids, and return the student's prompts.

        Raises:
            ConfigError: neither or both of ``num`` and ``ids`` are given.
            DataError: no problem has one of the ids.
        """
        if (num is None) == (ids is None):
            raise ConfigError("give num=, how many problems to draw, or ids=, and not both")
        if ids is not None:
            self.problems = tuple(find_problem(self.source, i) for i in ids)
        else:
            drawn = self._rng.integers(len(self.source), size=num)
            self.problems = tuple(self.source[int(i)] for i in drawn)
        return [prompt_of(problem, self.template) for problem in self.problems]

    def step(self, completions: Sequence[Sequence[str | Completion]]) -> list[Group]:
        """Judge G completions for each prompt of the last ``reset``.

        Raises:
            DataError: not exactly G completions for each prompt.
        """
        counts = [len(row) for row in completions]
        if counts != [self.group_size] * len(self.problems):
            raise DataError(
                f"got {counts[:8]} completions for {len(self.problems)} prompts: "
                f"give {self.group_size} for each prompt of the last reset"
            )
        return [
            self._group(problem, row)
            for problem, row in zip(self.problems, completions, strict=True)
        ]

    async def astep(self, completions: Sequence[Sequence[str | Completion]]) -> list[Group]:
        """The same in a worker thread, so that an event loop goes on meanwhile."""
        return await asyncio.to_thread(self.step, completions)

    def _group(self, problem: Problem, row: Sequence[str | Completion]) -> Group:
        prompt = prompt_of(problem, self.template)
        return Group(problem, tuple(self._rollout(problem, prompt, entry) for entry in row))

    def _rollout(self, problem: Problem, prompt: Prompt, entry: str | Completion) -> Rollout:
        completion = Completion((), entry) if isinstance(entry, str) else entry
        verdict = self.judges.verify(problem, completion)
        return Rollout(prompt, completion, verdict, reward_of(verdict))
