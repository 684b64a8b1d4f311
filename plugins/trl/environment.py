"""A problem as one of TRL's tool environments: the model submits answers and hears the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hdpo_env.env.math_env import MathEnv
from hdpo_env.errors import DataError
from hdpo_env.types import Problem, by_id
from hdpo_env.verifiers.protocol import Verifier


class MathTask:
    """One rollout of TRL's ``environment_factory``: every public method but two is a tool.

    The gold is reachable by no tool, observation or repr.
    """

    def __init__(self, env: MathEnv, problems: dict[str, Problem]) -> None:
        self._env, self._problems = env, problems
        self._reward: float | None = 0.0
        self._is_over = True

    def reset(self, problem_id: str = "", **_: Any) -> None:
        """Begin with the row's problem; the row's prompt already asks it.

        Raises:
            DataError: the dataset's row names no problem, or one that the factory was not given.
        """
        if problem_id not in self._problems:
            raise DataError(
                f"problem_id {problem_id!r} is none of the {len(self._problems)} problems of this "
                "environment_factory: build it and the dataset (to_dataset) from the same problems"
            )
        self._env.reset(options={"problem": self._problems[problem_id]})
        self._reward, self._is_over = 0.0, False

    def get_reward(self) -> float | None:
        """1.0 if a submitted answer was right, None if the verifier abstained, else 0.0."""
        return self._reward

    def submit(self, answer: str) -> str:
        """Submit a final answer and hear whether it is right.

        Args:
            answer: The final answer alone, for example 42 or x = 3.

        Returns:
            What the verifier says.
        """
        if self._is_over:
            return "The problem is closed."
        observation, reward, self._is_over, _, info = self._env.step(str(answer))
        self._reward = None if info["abstained"] else reward
        return observation


def environment_factory(
    problems: Iterable[Problem],
    *,
    max_attempts: int = 1,
    verifier: Verifier | str | None = None,
) -> Callable[[], MathTask]:
    """What TRL's ``environment_factory`` wants: called once for every concurrent rollout.

    The dataset names each row's problem in ``problem_id`` (`to_dataset` does). The chat template
    must render tool calls. A `VerifierPool` as ``verifier`` keeps judging killable; by default each
    problem's own verifier judges in TRL's process.

    >>> problem = Problem("1+1=?", ("2",))
    >>> task = environment_factory([problem], max_attempts=2)()
    >>> task.reset(problem_id=problem.id)
    >>> task.submit("3"), task.submit("2"), task.get_reward()
    ('That is not correct. Try again.', 'That is correct.', 1.0)
    """
    known = by_id(problems)

    def make() -> MathTask:
        env = MathEnv(list(known.values()), max_turns=max_attempts, verifier=verifier)
        return MathTask(env, known)

    return make
