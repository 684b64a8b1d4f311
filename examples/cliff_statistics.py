"""How many cliffs stay cliffs? Known pass rates, eight rollouts each, and the posterior.

python examples/cliff_statistics.py
"""

from __future__ import annotations

import random

from hdpo_env import PROBLEMS, GroupKind, SimulatedPolicy, classify, sample_groups
from hdpo_env.cliffs import fit_prior


def main(num_problems: int = 400, group_size: int = 8, seed: int = 0) -> dict[str, float]:
    """Sample groups, fit the prior from their counts alone, and compare with the truth."""
    problems = list(PROBLEMS["arithmetic"](size=num_problems, level=2))
    rng = random.Random(seed)
    truth = {problem.id: rng.betavariate(0.4, 1.2) for problem in problems}
    policy = SimulatedPolicy(problems, truth, seed=seed)
    groups = sample_groups(policy, problems, num=group_size, max_tokens=64, seed=seed)

    cliffs = [group for group in groups if classify(group) is GroupKind.CLIFF]
    counts = [(group.correct.count(True), group.correct.count(False)) for group in groups]
    prior = fit_prior(counts).prior
    after = prior.updated(0, group_size)  # what eight failures leave to believe
    again = [1 - (1 - truth[group.problem.id]) ** group_size for group in cliffs]
    found = {
        "cliff_rate": len(cliffs) / len(groups),
        "p_not_cliff_next_time": after.p_not_cliff(group_size),
        "true_p_not_cliff_next_time": sum(again) / len(again),
    }
    print(f"{found['cliff_rate']:.0%} of the groups are cliffs. Sampled again,")
    print(f"{found['p_not_cliff_next_time']:.0%} of them would not be (posterior),")
    print(f"{found['true_p_not_cliff_next_time']:.0%} in truth.")
    return found


if __name__ == "__main__":
    main()
