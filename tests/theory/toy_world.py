"""One problem on an enumerable policy: the student's prompt, the teacher's, and exact laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import torch
from torch import Tensor

from hdpo_env.batching import token_batch
from hdpo_env.losses import Hidden, head_loss
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Problem, Prompt

Ids = tuple[int, ...]


@dataclass
class World:
    """A table with random logits for both prompts; completions in a fixed order."""

    policy: TabularPolicy
    problem: Problem
    student: Prompt
    teacher: Prompt

    @property
    def completions(self) -> list[Ids]:
        return [ids for ids, _ in self.policy.enumerate(self.student)]

    def law(self, prompt: Prompt) -> list[float]:
        """The probability of every completion."""
        return [exp(logp.item()) for _, logp in self.policy.enumerate(prompt)]

    def prefixes(self) -> list[Ids]:
        """Every context in which a token is chosen."""
        return sorted({ids[:t] for ids in self.completions for t in range(len(ids))})

    def logits(self, prompt: Prompt, prefix: Ids) -> Tensor:
        return self.policy.module.logits[self.policy.row(prompt, prefix)]

    def set_logits(self, prompt: Prompt, prefix: Ids, values: Tensor) -> None:
        with torch.no_grad():
            self.logits(prompt, prefix).copy_(values)

    def logit_shift(self) -> float:
        """D: the largest change of a logit between the two prompts, over all prefixes."""
        return max(
            (self.logits(self.teacher, c) - self.logits(self.student, c)).abs().max().item()
            for c in self.prefixes()
        )

    def token_divergences(self, kind: str) -> list[list[float]]:
        """The library's divergence at every token of every completion, teacher first."""
        hidden = []
        for prompt in (self.student, self.teacher):
            ids = self.completions
            batch = token_batch([self.policy.encode(prompt)] * len(ids), ids, pad_id=0)
            states = self.policy.hidden(batch.input_ids, batch.attention_mask)
            hidden.append(batch.gather(states).detach())
        W, _ = self.policy.head()
        values = head_loss(hidden[0], W, teacher=Hidden(hidden[1]), divergence=kind).divergence
        found = iter(values.tolist())
        return [[next(found) for _ in ids] for ids in self.completions]


def make_world(seed: int, *, max_tokens: int = 3, alphabet: str = "ab.", gold: str = "a") -> World:
    problem = Problem("which letter?", (gold,), solution=f"it is {gold}", verifier="exact")
    student = student_prompt(problem, "plain")
    teacher = privileged_prompt(problem, "solution", "hdpo", student="plain")
    policy = TabularPolicy(
        [student, teacher], alphabet, max_tokens=max_tokens, scale=1.0, seed=seed
    )
    return World(policy, problem, student, teacher)


def random_verifier(world: World, seed: int) -> Callable[[Ids], bool]:
    """A random set of correct completions, neither empty nor full."""
    rng = torch.Generator().manual_seed(seed)
    ids = world.completions
    order = torch.randperm(len(ids), generator=rng).tolist()
    size = 1 + int(torch.randint(len(ids) - 1, (1,), generator=rng))
    accepted = {ids[i] for i in order[:size]}
    return lambda completion: completion in accepted
