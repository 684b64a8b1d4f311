"""What we promise to OpenRLHF: its own executor calls our reward file.

The plugins of its trainer are run whole, with Ray, DeepSpeed and vLLM, by ``make test-openrlhf``.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hdpo_env.conformance import Host
from hdpo_plugins.openrlhf.reward.judging import Judge, Settings, scored

_PROMPT = "What is 1/2 + 1/4?"


def rewards() -> None:
    """Right, wrong, and an abstention where the query does not begin with its prompt."""
    judge = Judge(Settings(workers=0))
    queries = [_PROMPT + r"\boxed{0.75}</s>", _PROMPT + r"\boxed{3}", "?"]
    found = scored(judge(queries, [_PROMPT] * 3, ["3/4"] * 3))
    assert found["rewards"] == found["scores"] == [1.0, 0.0, 0.0], found
    assert found["extra_logs"]["abstained"] == [0.0, 0.0, 1.0], found


def reward_file() -> None:
    """``SingleTurnAgentExecutor`` loads the file by path and fetches from a worker thread."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    from hdpo_plugins.openrlhf.reward import reward_func

    executor: Any = SingleTurnAgentExecutor(reward_func.__file__)
    queries = [_PROMPT + r"\boxed{0.75}", _PROMPT + r"\boxed{3}"]
    replies = asyncio.run(
        executor._fetch_rewards_via_func(queries, [_PROMPT] * 2, ["3/4", '{"answer": ["3/4"]}'])
    )
    for reply, expected in zip(replies, (1.0, 0.0), strict=True):
        assert float(reply["rewards"]) == float(reply["scores"]) == expected, replies


HOSTS = (
    Host(
        "openrlhf",
        distribution="openrlhf",
        tested=("0.11.2",),
        abstention="0.0, logged and counted; `extra_logs[abstained]` = 1",
        exercises={"the reward file in SingleTurnAgentExecutor": reward_file},
        offline={"rewards and scores": rewards},
    ),
)
