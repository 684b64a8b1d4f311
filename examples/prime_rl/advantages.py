"""prime-rl: our advantage function on one group, without prime-rl; and the lines that choose it.

python examples/prime_rl/advantages.py
"""

from __future__ import annotations

from hdpo_plugins.prime_rl.advantages import group_advantage
from hdpo_plugins.prime_rl.contract import Rollout

CONFIG = """[orchestrator.algo]
type = "custom"
import_path = "hdpo_plugins.prime_rl.advantages.group_advantage"
kwargs = { method = "hdpo" }"""


def main() -> list[float]:
    """One success in four, one of which could not be judged."""
    found = group_advantage([Rollout(1.0), Rollout(0.0), Rollout(0.0), Rollout(0.0, True)])
    print(found)
    print(CONFIG)
    return found


if __name__ == "__main__":
    main()
