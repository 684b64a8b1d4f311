"""prime-rl's advantage function for one group, with the settings of a preset.

    [orchestrator.algo]
    type = "custom"
    import_path = "hdpo_plugins.prime_rl.advantages.group_advantage"
    kwargs = { method = "hdpo" }

The hook is that of commit 2cfca89; later states of prime-rl have no ``custom`` algorithm, and there
our tasksets (`hdpo_plugins.verifiers.v1`) are what can be used. A rollout with an error (our
taskset's abstentions among them) enters no mean and gets 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hdpo_env.advantages import group_advantages
from hdpo_env.config import preset


def group_advantage(group: Sequence[Any], method: str = "hdpo", **kwargs: Any) -> list[float]:
    """One advantage a rollout, which prime-rl spreads over its completion tokens.

    ``group`` holds traces of verifiers 0.4: ``reward``, and ``has_error`` where judging failed.
    """
    setting = preset(method).algo.policy
    rewards = [None if rollout.has_error else rollout.reward for rollout in group]
    return group_advantages(rewards, baseline=setting.baseline, scale=setting.scale)
