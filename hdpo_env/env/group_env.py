"""Whole groups at once: prompts out, G completions for each back in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from hdpo_env.env.parts import (
    Judges,
    check_template,
    completion_of,
    find_problem,
    prompt_of,
    source_of,
)
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.source import ProblemSource
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout, Verdict
from hdpo_env.verifiers.protocol import Verifier
from hdpo_env.verifiers.rewards import reward_of

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class GroupState:
    """What decides how a `GroupEnv` goes on. Its repr shows ids only."""

    problems: tuple[Problem, ...]
    random_state: dict[str, Any]

    def __repr__(self) -> str:
        return f"GroupState(problems={[problem.id for problem in self.problems]})"


class GroupEnv:
    """Groups of rollouts: prompts out, G completions for each back in, verified groups returned.

    Args:
        problems: a source's name, a file, a folder or a data set (`open_source`), or the source
            itself.
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
        check_template(template)
        self.source = source_of(problems, settings)
        self.group_size = group_size
        self.template = template
        self.judges = Judges(verifier)
        self.problems: tuple[Problem, ...] = ()
        self._rng = np.random.default_rng(seed)

    def reset(self, num: int | None = None, *, ids: Sequence[str] | None = None) -> list[Prompt]:
        """Draw ``num`` problems, or take those with these ids, and return the student's prompts.

        No place of the source is drawn twice, unless ``num`` is more than it has.

        Raises:
            ConfigError: neither or both of ``num`` and ``ids`` are given, or ``num`` is below 1.
            DataError: no problem has one of the ids.
        """
        if (num is None) == (ids is None):
            raise ConfigError("give num=, how many problems to draw, or ids=, and not both")
        if ids is not None:
            self.problems = tuple(find_problem(self.source, i) for i in ids)
        else:
            drawn = self._drawn(num)
            self.problems = tuple(self.source[int(i)] for i in drawn)
        return [prompt_of(problem, self.template) for problem in self.problems]

    def step(self, completions: Sequence[Sequence[str | Completion]]) -> list[Group]:
        """Judge G completions for each prompt of the last ``reset``.

        Raises:
            DataError: not exactly G completions for each prompt, or one that is no text.
        """
        return self._judge(self.problems, completions)

    def astep(
        self, completions: Sequence[Sequence[str | Completion]]
    ) -> Coroutine[Any, Any, list[Group]]:
        """The same, to be awaited: judged in a worker thread while the event loop goes on.

        It judges the prompts of the last ``reset`` before this call, even if the environment is
        reset before it is awaited: several may wait together.
        """
        return asyncio.to_thread(self._judge, self.problems, completions)

    def get_state(self) -> GroupState:
        """The problems in play and the state of the random numbers."""
        return GroupState(self.problems, dict(self._rng.bit_generator.state))

    def set_state(self, state: GroupState) -> None:
        """Continue from a state that ``get_state`` of an environment of this kind returned."""
        self.problems = state.problems
        self._rng.bit_generator.state = state.random_state

    def fork(self) -> Self:
        """A second environment of this one's class that goes on from here, independently.

        Problems and verifiers are shared; what a subclass adds is copied as it is.
        """
        twin = copy(self)
        twin._rng = deepcopy(self._rng)
        return twin

    def _drawn(self, num: int | None) -> np.ndarray:
        if not isinstance(num, Integral) or num < 1:
            raise ConfigError(f"num is {num!r}: draw at least one problem, a whole number of them")
        places = len(self.source)
        return self._rng.choice(places, size=int(num), replace=num > places)

    def _judge(
        self, problems: Sequence[Problem], completions: Sequence[Sequence[str | Completion]]
    ) -> list[Group]:
        counts = [len(row) for row in completions]
        if counts != [self.group_size] * len(problems):
            raise DataError(
                f"got {counts[:8]} completions for {len(problems)} prompts: "
                f"give {self.group_size} for each prompt of the last reset"
            )
        rows = [[completion_of(c) for c in row] for row in completions]
        pairs = [(p, c) for p, row in zip(problems, rows, strict=True) for c in row]
        judged = zip(pairs, self.judges.verify_all(pairs), strict=True)
        return [
            Group(problem, tuple(self._rollout(*next(judged)) for _ in range(self.group_size)))
            for problem in problems
        ]

    def _rollout(self, pair: tuple[Problem, Completion], verdict: Verdict) -> Rollout:
        problem, completion = pair
        return Rollout(prompt_of(problem, self.template), completion, verdict, reward_of(verdict))
