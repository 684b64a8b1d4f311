"""prime-rl's advantage function for one group, with the settings of a preset.

    [orchestrator.algo]
    type = "custom"
    import_path = "hdpo_plugins.prime_rl.advantages.group_advantage"
    kwargs = { method = "hdpo" }

A rollout with an error (our taskset's abstentions among them) enters no mean and gets 0.
"""

from __future__ import annotations

from typing import Any

from hdpo_env.advantages import group_advantages
from hdpo_env.config import preset


def group_advantage(inputs: Any, method: str = "hdpo", **kwargs: Any) -> list[list[float]]:
    """Per-token advantages: the group's, spread over each rollout's completion tokens.

    ``inputs`` has ``rollouts`` (mappings with ``reward`` and maybe ``error``) and ``broadcast``.
    """
    setting = preset(method).algo.policy
    rewards = [None if r.get("error") else r["reward"] for r in inputs.rollouts]
    found = group_advantages(rewards, baseline=setting.baseline, scale=setting.scale)
    return inputs.broadcast(found)
