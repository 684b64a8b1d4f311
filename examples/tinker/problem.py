"""tinker-cookbook: what our environment answers to tinker's four questions, without tinker.

    python examples/tinker/problem.py

With it: ``hdpo_plugins.tinker.environment.environment_class()(problem, renderer)``.
"""

from __future__ import annotations

from hdpo_env import PROBLEMS
from hdpo_plugins.tinker.environment import MathProblem


def main() -> list[float]:
    """One right and one wrong completion."""
    problem = PROBLEMS["linear"](level=2)[0]
    asked = MathProblem(problem)
    print(asked.get_question())
    print("tinker logs:", asked.get_reference_answer())
    return [asked.check_answer(rf"\boxed{{{a}}}") for a in (problem.gold, "-10^9")]


if __name__ == "__main__":
    print("rewards:", main())
