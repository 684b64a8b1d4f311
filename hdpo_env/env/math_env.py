"""One problem at a time, as a Gymnasium environment with retries."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium.error import ResetNeeded

from hdpo_env.env.parts import (
    Judges,
    check_template,
    completion_of,
    find_problem,
    problem_at,
    prompt_of,
    source_of,
)
from hdpo_env.env.text import UnicodeText
from hdpo_env.errors import ConfigError
from hdpo_env.feedback import ABSTAINED, FEEDBACK, LAST_FEEDBACK
from hdpo_env.problems.source import ProblemSource
from hdpo_env.types import Completion, Problem
from hdpo_env.verifiers.protocol import Verifier
from hdpo_env.verifiers.rewards import reward_of

if TYPE_CHECKING:
    from typing_extensions import Self


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
    wrong, cut off or without an answer; never how) and may be retried; after the last one it says
    that the attempts are used up. Episodes end by themselves: ``truncated`` is always False. When
    the verifier abstains the episode ends with reward 0 and ``info["abstained"]`` True, so that it
    can be left out instead of counted as a failure.

    Text has no fixed size to share, so several in processes of their own are made with
    ``gymnasium.make_vec(id, num, "async", vector_kwargs={"shared_memory": False})``.

    Args:
        problems: a source's name, a file, a folder or a data set (`open_source`), or the source
            itself.
        max_turns: attempts per problem.
        template: the student's template; None takes ``boxed``, or ``plain`` for exact answers.
        verifier: judges all problems; None takes the one that each problem names.
        render_mode: ``ansi`` renders the transcript as text.
        settings: passed to a source given by its name, such as ``split``, ``seed``, ``level``.

    Raises:
        ConfigError: ``max_turns`` is below 1, or settings without a named source.
        RegistryError: no template, verifier or source has this name.

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
        check_template(template)
        self.source = source_of(problems, settings)
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
            ConfigError: an unknown option, more than one, or one of a wrong kind.
            DataError: no problem has this id or place.
        """
        super().reset(seed=seed)
        self.problem = self._choose(options or {})
        self._turn, self._is_over = 0, False
        observation = prompt_of(self.problem, self.template).messages[-1].content
        self._transcript = [("problem", observation)]
        return observation, self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge one completion.

        Raises:
            gymnasium.error.ResetNeeded: the episode has ended or not begun.
            DataError: the action is no text; the episode goes on.
        """
        if self._is_over or self.problem is None:
            raise ResetNeeded("the episode is over: call reset() before step()")
        text = completion_of(action).text
        verdict = self.judges.verify(self.problem, Completion((), text, finish_reason=""))
        self._turn += 1
        is_last = self._turn >= self.max_turns
        self._is_over = verdict.correct is not False or is_last
        told = LAST_FEEDBACK if is_last else FEEDBACK
        observation = ABSTAINED if verdict.is_abstention else told[verdict.outcome]
        self._transcript += [("completion", text), ("feedback", observation)]
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

    def fork(self) -> Self:
        """A second environment of this one's class that goes on from here, independently.

        Problems and verifiers are shared; what a subclass adds is copied as it is.
        """
        twin = copy(self)
        twin.observation_space = deepcopy(self.observation_space)
        twin.action_space = deepcopy(self.action_space)
        twin.np_random = deepcopy(self.np_random)
        twin._transcript = list(self._transcript)
        return twin

    def _choose(self, options: dict[str, Any]) -> Problem:
        if len(options) > 1 or set(options) - {"index", "id", "problem"}:
            raise ConfigError(f"reset options {sorted(options)}: give one of index, id, problem")
        if "problem" in options:
            if not isinstance(problem := options["problem"], Problem):
                raise ConfigError(
                    f"problem is a {type(problem).__name__}: give a Problem, or an id"
                )
            return problem
        if "id" in options:
            return find_problem(self.source, options["id"])
        if options.get("index") is not None:
            return problem_at(self.source, options["index"])
        return self.source[int(self.np_random.integers(len(self.source)))]

    def _info(self) -> dict[str, Any]:
        return {"problem_id": self.problem.id if self.problem else "", "turn": self._turn}
