"""Problems as environments: one problem at a time (Gymnasium), or whole groups at once.

Importing this module registers ``hdpo/<name>-v0`` with Gymnasium for every named problem source.
Observations, infos and renderings hold no gold answer, solution or hint, and never repeat what the
verifier extracted or said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.source import PROBLEMS, ProblemSource
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Completion, Group, Outcome, Problem, Prompt, Rollout, Verdict
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier
from hdpo_env.verifiers.rewards import reward_of

FEEDBACK: Final = {
    Outcome.CORRECT: "That is correct.",
    Outcome.WRONG: "That is not correct. Try again.",
    Outcome.NO_ANSWER: "No final answer was found. State it, and try again.",
    Outcome.AMBIGUOUS: "Several different final answers were found. State one, and try again.",
    Outcome.TRUNCATED: "The answer was cut off. Be briefer, and try again.",
}
_ABSTAINED: Final = "The answer could not be judged."


class UnicodeText(gymnasium.Space[str]):
    """Any string of at most ``max_length`` characters, the empty one included.

    Gymnasium's own ``Text`` needs an explicit alphabet, which mathematics does not have.

    >>> "∫₀¹ x² dx" in UnicodeText(100), "too long" in UnicodeText(3)
    (True, False)
    """

    def __init__(self, max_length: int = 1 << 20, seed: int | None = None) -> None:
        super().__init__(dtype=None, seed=seed)
        self.max_length = max_length

    @property
    def is_np_flattenable(self) -> bool:
        """Text has no fixed number of elements."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short random string of letters, signs and blanks from several scripts."""
        alphabet = "abcxyz 0123456789+-*/=\\{}$\n∫√πλ界"
        length = int(self.np_random.integers(0, min(40, self.max_length) + 1))
        return "".join(alphabet[i] for i in self.np_random.integers(len(alphabet), size=length))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and other.max_length == self.max_length

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # spaces carry a random state


class Judges:
    """The verifier of each problem: the given one for all, or the one that the problem names."""

    def __init__(self, verifier: Verifier | str | None = None) -> None:
        self._fixed = VERIFIERS[verifier]() if isinstance(verifier, str) else verifier
        self._named: dict[str, Verifier] = {}

    def verify(self, problem: Problem, completion: Completion) -> Verdict:
        """The verdict on one completion."""
        return self.of(problem).verify(
            completion.text, problem.answers, finish_reason=completion.finish_reason
        )

    def of(self, problem: Problem) -> Verifier:
        """The verifier that judges this problem."""
        if self._fixed is not None:
            return self._fixed
        if problem.verifier not in self._named:
            self._named[problem.verifier] = VERIFIERS[problem.verifier]()
        return self._named[problem.verifier]


def _source(problems: str | ProblemSource, settings: dict[str, Any]) -> ProblemSource:
    if isinstance(problems, str):
        return PROBLEMS[problems](**settings)
    if settings:
        raise ConfigError(f"settings {sorted(settings)} only apply to a source given by its name")
    if not len(problems):
        raise DataError("the problem source is empty: give at least one problem")
    return problems


def _prompt(problem: Problem, template: str | None) -> Prompt:
    # The exact verifier accepts no words around the answer, so it is asked for without them.
    return student_prompt(
        problem, template or ("plain" if problem.verifier == "exact" else "boxed")
    )


@dataclass(frozen=True)
class EnvState:
    """Everything that decides how an episode goes on. Its repr shows neither problem nor text."""

    problem: Problem | None
    turn: int
    is_over: bool
    transcript: tuple[tuple[str, str], ...]
    random_state: dict[str, Any]

    def __repr__(self) -> str:
        name = self.problem.id if self.problem else None
        return f"EnvState(problem={name}, turn={self.turn}, is_over={self.is_over})"


class MathEnv(gymnasium.Env[str, str]):
    """One problem an episode; an action is a completion, the reward is 1.0 if it is correct.

    With ``max_turns`` above 1 a failed attempt is answered with feedback in words (whether it was
    wrong, cut off or without an answer; never how) and may be retried. Episodes end by themselves:
    ``truncated`` is always False. When the verifier abstains the episode ends with reward 0 and
    ``info["abstained"]`` True, so that it can be left out instead of counted as a failure.

    Args:
        problems: a source's name or the source itself.
        max_turns: attempts per problem.
        template: the student's template; None takes ``boxed``, or ``plain`` for exact answers.
        verifier: judges all problems; None takes the one that each problem names.
        render_mode: ``ansi`` renders the transcript as text.
        settings: passed to a source given by its name, such as ``split``, ``seed``, ``level``.

    Raises:
        ConfigError: ``max_turns`` is below 1, or settings without a named source.

    >>> env = MathEnv("chain-add", length=2)
    >>> question, info = env.reset(seed=1)
    >>> _, reward, terminated, _, info = env.step("not an answer")
    >>> reward, terminated, info["outcome"]
    (0.0, True, 'wrong')
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 (Gymnasium's declaration)

    def __init__(
        self,
        problems: str | ProblemSource,
        *,
        max_turns: int = 1,
        template: str | None = None,
        verifier: Verifier | str | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if max_turns < 1:
            raise ConfigError(f"max_turns is {max_turns}: allow at least one attempt")
        self.source = _source(problems, settings)
        self.max_turns = max_turns
        self.template = template
        self.render_mode = render_mode
        self.observation_space = UnicodeText()
        self.action_space = UnicodeText()
        self.judges = Judges(verifier)
        self.problem: Problem | None = None
        self._turn = 0
        self._is_over = True
        self._transcript: list[tuple[str, str]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode with a random problem, or with ``options`` index, id or problem.

        Raises:
            ConfigError: an unknown option, or more than one.
            DataError: no problem has this id.
        """
        super().reset(seed=seed)
        self.problem = self._choose(options or {})
        self._turn, self._is_over = 0, False
        observation = _prompt(self.problem, self.template).messages[-1].content
        self._transcript = [("problem", observation)]
        return observation, self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge one completion.

        Raises:
            gymnasium.error.ResetNeeded: the episode has ended or not begun.
        """
        if self._is_over or self.problem is None:
            raise ResetNeeded("the episode is over: call reset() before step()")
        verdict = self.judges.verify(self.problem, Completion((), action, finish_reason=""))
        self._turn += 1
        failed = verdict.correct is False
        self._is_over = not failed or self._turn >= self.max_turns
        observation = _ABSTAINED if verdict.is_abstention else FEEDBACK[verdict.outcome]
        self._transcript += [("completion", action), ("feedback", observation)]
        info = {
            **self._info(),
            "outcome": verdict.outcome.value,
            "abstained": verdict.is_abstention,
        }
        return observation, reward_of(verdict) or 0.0, self._is_over, False, info

    def render(self) -> str | None:
        """The transcript so far, if ``render_mode`` is ansi."""
        if self.render_mode != "ansi":
            return None
        return "\n".join(f"[{role}] {text}" for role, text in self._transcript)

    def get_state(self) -> EnvState:
        """The state of the episode and of the random numbers."""
        random_state = dict(self.np_random.bit_generator.state)
        transcript = tuple(self._transcript)
        return EnvState(self.problem, self._turn, self._is_over, transcript, random_state)

    def set_state(self, state: EnvState) -> None:
        """Continue from a state that ``get_state`` of an environment of this kind returned."""
        self.problem, self._turn, self._is_over = state.problem, state.turn, state.is_over
        self._transcript = list(state.transcript)
        self.np_random.bit_generator.state = state.random_state

    def fork(self) -> MathEnv:
        """A second environment that goes on from here, independently."""
        twin = MathEnv(
            self.source,
            max_turns=self.max_turns,
            template=self.template,
            render_mode=self.render_mode,
        )
        twin.judges = self.judges
        twin.set_state(self.get_state())
        return twin

    def _choose(self, options: dict[str, Any]) -> Problem:
        if len(options) > 1 or set(options) - {"index", "id", "problem"}:
            raise ConfigError(f"reset options {sorted(options)}: give one of index, id, problem")
        if "problem" in options:
            return options["problem"]
        if "id" in options:
            return find_problem(self.source, options["id"])
        index = options.get("index")
        return self.source[
            int(self.np_random.integers(len(self.source))) if index is None else index
        ]

    def _info(self) -> dict[str, Any]:
        return {"problem_id": self.problem.id if self.problem else "", "turn": self._turn}


def find_problem(source: ProblemSource, problem_id: str) -> Problem:
    """The problem with this id.

    Raises:
        DataError: there is none.
    """
    for problem in source:
        if problem.id == problem_id:
            return problem
    raise DataError(f"no problem of this source has id {problem_id!r}: check the split and seed")


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
        self.source = _source(problems, settings)
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
        return [_prompt(problem, self.template) for problem in self.problems]

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
        prompt = _prompt(problem, self.template)
        return Group(problem, tuple(self._rollout(problem, prompt, entry) for entry in row))

    def _rollout(self, problem: Problem, prompt: Prompt, entry: str | Completion) -> Rollout:
        completion = Completion((), entry) if isinstance(entry, str) else entry
        verdict = self.judges.verify(problem, completion)
        return Rollout(prompt, completion, verdict, reward_of(verdict))


def register_all() -> list[str]:
    """Register ``hdpo/<name>-v0`` for every named problem source; ids that exist are left alone."""
    ids = {f"hdpo/{name}-v0": name for name in PROBLEMS}
    for env_id, name in ids.items():
        if env_id not in gymnasium.registry:
            # A string entry point keeps the spec JSON-able.
            gymnasium.register(
                env_id, entry_point="hdpo_env.env:MathEnv", kwargs={"problems": name}
            )
    return list(ids)


register_all()
