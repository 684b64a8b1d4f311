"""An agent whose generations depend on the seed alone: one at a time, each with its own seed.

What vLLM draws otherwise depends on which requests happen to run together.
"""

import asyncio
from collections import Counter
from copy import deepcopy

from openrlhf.utils.agent import SingleTurnAgentExecutor

from hdpo_env.types import derive_seed
from hdpo_plugins.openrlhf.reward import reward_func


class AgentExecutor(SingleTurnAgentExecutor):
    def __init__(self):
        super().__init__(reward_func.__file__)
        self.draws = Counter()
        self.turn = asyncio.Lock()

    async def execute(self, prompt, label, sampling_params, *args, **kwargs):
        self.draws[prompt] += 1
        params = deepcopy(sampling_params)
        params.seed = derive_seed("rollout", prompt, self.draws[prompt]) % 2**31
        async with self.turn:
            return await super().execute(prompt, label, params, *args, **kwargs)

    async def score(self, query, prompt, label):
        return (await self._fetch_rewards_via_func([query], [prompt], [label]))[0]
