"""tinker-cookbook's single-turn environment: question, verdict, format.

``environment_class()`` adds the host's base; make one with ``(problem, renderer)``, and
``format_coef=0.0`` for rewards that are verdicts alone. tinker's rewards are floats: an abstention
of the verifier is 0.0, logged and counted. The reference answer that tinker logs is the problem's
id; ``show_gold=True`` makes it the gold.
"""

from __future__ import annotations

from typing import Any

from hdpo_env.env.parts import prompt_of
from hdpo_env.hosting import judged, number_of, require
from hdpo_env.types import Problem


class MathProblem:
    """tinker's four questions about one problem."""

    def __init__(
        self, problem: Problem, *host: Any, show_gold: bool = False, **settings: Any
    ) -> None:
        super().__init__(*host, **settings)
        self.problem = problem
        self.show_gold = show_gold

    def get_question(self) -> str:
        """The student's prompt."""
        return prompt_of(self.problem, None).messages[-1].content

    def check_answer(self, sample_str: str) -> float:
        """1.0 if the final answer is right, else 0.0."""
        return number_of(self._judge(sample_str), "tinker-cookbook")

    def check_format(self, sample_str: str) -> bool:
        """Whether a final answer is stated."""
        return self._judge(sample_str).extracted is not None

    def get_reference_answer(self) -> str:
        """What tinker writes into its logs."""
        return self.problem.gold if self.show_gold else f"problem {self.problem.id}"

    def _judge(self, text: str) -> Any:
        return judged(text, self.problem.answers, verifier=self.problem.verifier)


def environment_class() -> type:
    """The class with tinker-cookbook's ``ProblemEnv`` as its base.

    Raises:
        MissingDependencyError: tinker-cookbook is not installed.
    """
    base = require("tinker_cookbook.rl.problem_env", "tinker-cookbook").ProblemEnv
    return type("HdpoProblemEnv", (MathProblem, base), {})
