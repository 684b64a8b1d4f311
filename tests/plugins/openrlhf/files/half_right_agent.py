"""An agent that gives every second completion of a prompt reward 1, and none of a cliff's.

A label says which prompts are cliffs. `score` is asked about privileged completions only.
"""

from collections import Counter

from openrlhf.utils.agent import SingleTurnAgentExecutor


class AgentExecutor(SingleTurnAgentExecutor):
    def __init__(self):
        super().__init__()
        self.asked = Counter()

    async def execute(self, prompt, label, *args, **kwargs):
        output = await super().execute(prompt, label, *args, **kwargs)
        reward = 0.0 if label == "cliff" else self._next(prompt)
        return {**output, "reward": reward, "scores": reward, "extra_logs": {"abstained": 0.0}}

    async def score(self, query, prompt, label):
        reward = self._next(prompt)
        return {"rewards": reward, "scores": reward, "extra_logs": {"abstained": 0.0}}

    def _next(self, prompt):
        self.asked[prompt] += 1
        return float(self.asked[prompt] % 2)
