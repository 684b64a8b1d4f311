"""SkyRL-gym: register our environment, make one from a dataset row, and take a step.

python examples/skyrl/episode.py
"""

from __future__ import annotations

import skyrl_gym

from hdpo_env import PROBLEMS
from hdpo_plugins.skyrl.environment import register, row_of


def main() -> float:
    """One correct completion of one problem."""
    problem = PROBLEMS["linear"](level=2)[0]
    row = row_of(problem)
    env = skyrl_gym.make(register(), env_config={}, extras=row)
    env.init(row["prompt"])
    found = env.step(rf"The answer is \boxed{{{problem.gold}}}.")
    print(found)
    return found["reward"]


if __name__ == "__main__":
    main()
