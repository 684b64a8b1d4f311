"""The file that OpenRLHF's ``--reward.remote_url`` takes: rewards from our verifier's workers.

    --reward.remote_url "$(python -c 'import hdpo_plugins.openrlhf.reward.reward_func as f; \
        print(f.__file__)')"

Settings come from the environment: see `hdpo_plugins.openrlhf.reward.judging.Settings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hdpo_plugins.openrlhf.reward.judging import scored, shared_judge


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any
) -> dict[str, Any]:
    """OpenRLHF's reward call: a tensor [n] for ``rewards``, ``scores`` and each extra log.

    ``queries[i]`` is the decoded prompt and completion, special tokens included.
    """
    import torch

    result = scored(shared_judge()(queries, prompts, labels))
    logs = {name: torch.tensor(values) for name, values in result["extra_logs"].items()}
    return {
        "rewards": torch.tensor(result["rewards"]),
        "scores": torch.tensor(result["scores"]),
        "extra_logs": logs,
    }
