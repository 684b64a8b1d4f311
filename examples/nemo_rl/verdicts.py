"""NeMo-RL: the verdicts behind our environment's step, without NeMo-RL.

    python examples/nemo_rl/verdicts.py

With it: ``ray.remote(hdpo_plugins.nemo_rl.environment.environment_class())``.
"""

from __future__ import annotations

from hdpo_env import PROBLEMS
from hdpo_plugins.nemo_rl.environment import judge_batch


def main() -> list[bool | None]:
    """Two conversations about one problem."""
    problem = PROBLEMS["linear"](level=2)[0]
    logs = [
        [
            {"role": "user", "content": problem.question},
            {"role": "assistant", "content": rf"So it is \boxed{{{answer}}}."},
        ]
        for answer in (problem.gold, "-10^9")
    ]
    verdicts = judge_batch(logs, [{"ground_truth": problem.gold}] * 2)
    print(*verdicts, sep="\n")
    return [verdict.correct for verdict in verdicts]


if __name__ == "__main__":
    main()
