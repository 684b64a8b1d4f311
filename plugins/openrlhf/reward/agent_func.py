"""The file that OpenRLHF's ``--train.agent_func_path`` takes: one turn, judged by our verifier.

OpenRLHF lets an agent write until ``--data.max_len`` is full: ``--rollout.max_new_tokens`` only
bounds how long a prompt may be.
"""

from __future__ import annotations

from typing import Any

from hdpo_env.hosting import require
from hdpo_plugins.openrlhf.reward.judging import scored, shared_judge

_agent = require("openrlhf.utils.agent", "openrlhf>=0.11,<0.12")


class Question(_agent.AgentInstanceBase):
    """A question that is answered once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    async def step(self, state_dict: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The reward of ``state_dict["action_text"]``; the conversation ends."""
        result = await _score(state_dict["action_text"], "", state_dict["label"])
        return {
            **result,
            "environment_feedback": "",
            "done": True,
            "sampling_params": state_dict["sampling_params"],
        }


class AgentExecutor(_agent.MultiTurnAgentExecutor):
    """What OpenRLHF looks for in an agent file; ``score`` serves HDPO's privileged rollouts."""

    def __init__(self) -> None:
        super().__init__(Question)

    async def score(self, query: str, prompt: str, label: Any) -> dict[str, Any]:
        """Rewards, scores and extra logs of one completion, scored against its own prompt."""
        return await _score(query, prompt, label)


async def _score(query: str, prompt: str, label: Any) -> dict[str, Any]:
    import torch

    result = scored(await shared_judge().acall([query], [prompt], [label]))
    logs = {name: torch.tensor(values) for name, values in result["extra_logs"].items()}
    rewards = torch.tensor(result["rewards"])
    return {"rewards": rewards, "scores": rewards.clone(), "extra_logs": logs}
