"""GEM: our environments by their ids, two side by side.

python examples/gem/vectors.py
"""

from __future__ import annotations

import gem

from hdpo_plugins.gem.environment import register_all


def main() -> list[float]:
    """One step of a vector environment."""
    print(register_all())
    env = gem.make_vec(["hdpo:linear", "hdpo:arithmetic"], seed=0)
    questions, _ = env.reset(seed=1)
    print(*questions, sep="\n\n")
    _, rewards, *_ = env.step([r"\boxed{0}"] * 2)
    return rewards.tolist()


if __name__ == "__main__":
    main()
