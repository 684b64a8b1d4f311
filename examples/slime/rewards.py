"""slime: rows, rewards and the kind of a group, without slime; and the options that use them.

python examples/slime/rewards.py
"""

from __future__ import annotations

import asyncio

from hdpo_env import PROBLEMS
from hdpo_env.exports import to_slime
from hdpo_plugins.slime.contract import Sample
from hdpo_plugins.slime.rewards import group_reward_func, kind_of

OPTIONS = """--prompt-data rows.jsonl --input-key prompt --label-key label --metadata-key metadata
--custom-rm-path hdpo_plugins.slime.rewards.reward_func
--dynamic-sampling-filter-path hdpo_plugins.slime.rewards.dynamic_filter"""


def main() -> str:
    """Judge one group of three."""
    problem = PROBLEMS["linear"](level=2)[0]
    (row,) = to_slime([problem], view="none")
    said = (rf"\boxed{{{problem.gold}}}", r"\boxed{-10^9}", "I do not know.")
    samples = [Sample(text, row["label"], dict(row["metadata"])) for text in said]
    print("rewards:", asyncio.run(group_reward_func(None, samples)))
    print(OPTIONS)
    return kind_of(samples).value


if __name__ == "__main__":
    print("the group is", main())
