"""Pre-training of the demo's base model: it can use what it is given, and it believes wrong tables.

A share of the rows is in privileged format (``P<question>|<solution>=`` followed by the solution);
the rest is the student's (``Q<question>=``) with a *misconception*: a step of a table operator is
right only with a small probability and otherwise follows the wrong table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor

from hdpo_env.batching import token_batch
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.policies.tiny import tiny_policy
from hdpo_env.privileged import privileged_prompt
from hdpo_env.problems import ChainFamily
from hdpo_env.prompts import student_prompt
from hdpo_env.types import derive_seed


@dataclass(frozen=True)
class PretrainConfig:
    """How the base model comes to its beliefs.

    ``p_right`` is the strength of each operator's right answer per step: 0.3 leaves support for the
    truth, 0.01 next to none. ``shares`` are the operators' shares of the rows.
    """

    steps: int = 3000
    rows: int = 64
    lr: float = 2e-3
    heads: int = 4  # of attention; vLLM's CPU build wants 3, which makes them 32 wide
    length: int = 6
    privileged_share: float = 0.25
    p_right: Mapping[str, float] = field(
        default_factory=lambda: {"+": 0.93, "#": 0.3, "*": 0.01, "@": 0.3}
    )
    shares: Mapping[str, int] = field(default_factory=lambda: {"+": 2, "#": 2, "*": 1, "@": 2})


def pretrain(
    config: PretrainConfig,
    *,
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> HFPolicy:
    """A base policy trained from scratch by next-token prediction; the seed decides everything."""
    policy = tiny_policy(seed=derive_seed("base", seed), heads=config.heads)
    rng = Random(derive_seed("pretrain", seed))
    optimizer = torch.optim.AdamW(
        policy.module.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=0.01
    )
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * _schedule(step, config.steps)
        loss = _loss(policy, config, rng)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.module.parameters(), 1.0)
        optimizer.step()
        on_step(step, loss.item())
    return policy


def _schedule(step: int, steps: int) -> float:
    """Up over 100 steps, flat, down over the last 30 %."""
    return min(1.0, (step + 1) / 100, (steps - step) / (0.3 * steps))


def _loss(policy: HFPolicy, config: PretrainConfig, rng: Random) -> Tensor:
    rows = [_row(policy, config, rng) for _ in range(config.rows)]
    prompts, completions = [p for p, _ in rows], [c for _, c in rows]
    batch = token_batch(prompts, completions, pad_id=policy.pad_id)
    hidden = batch.gather(policy.hidden(batch.input_ids, batch.attention_mask))
    logits = torch.nn.functional.linear(hidden, policy.head().weight)
    return torch.nn.functional.cross_entropy(logits, batch.target)


def _row(
    policy: HFPolicy, config: PretrainConfig, rng: Random
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    operator = rng.choices(list(config.shares), weights=list(config.shares.values()))[0]
    family = ChainFamily(operator, config.length)
    problem = family.draw(rng)
    if rng.random() < config.privileged_share:
        prompt, text = privileged_prompt(problem, "solution", "chain"), problem.gold
    else:
        prompt = student_prompt(problem, "chain")
        text = family.noisy_answer(problem.question, rng, config.p_right[operator])
    return policy.encode(prompt), policy.encode_completion(text)
