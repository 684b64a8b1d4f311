"""verl's registries: advantage estimators and policy losses by the names ``hdpo`` and ``sdpg``.

    VERL_USE_EXTERNAL_MODULES=hdpo_plugins.verl.algorithms
    algorithm.adv_estimator=hdpo  actor_rollout_ref.actor.policy_loss.loss_mode=hdpo

These are the policy terms of both methods with the presets' settings. The distillation term needs
the teacher's hidden states, which verl does not hand to a loss: it is not part of this adapter.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hdpo_env.config import preset
from hdpo_env.errors import ConfigError
from hdpo_env.losses import group_advantages, policy_loss
from hdpo_plugins.verl.compat import core_algos

core = core_algos()


def _advantages(
    method: str, token_level_rewards: Tensor, response_mask: Tensor, index: Any
) -> tuple[Tensor, Tensor]:
    """Group-relative advantages of sequence rewards, spread over tokens. NaN is an abstention.

    Raises:
        ConfigError: every group has one member, so that all advantages are 0.
    """
    setting = preset(method).algo.policy
    names = {name: i for i, name in enumerate(dict.fromkeys(index))}
    if len(names) == len(index) > 0:
        raise ConfigError(
            f"all {len(index)} groups have one rollout, so every advantage is 0 and nothing is "
            "learnt: set actor_rollout_ref.rollout.n to at least 2"
        )
    groups = torch.tensor([names[name] for name in index], device=token_level_rewards.device)
    rewards = token_level_rewards.sum(-1)
    per_row = group_advantages(rewards, groups, baseline=setting.baseline, scale=setting.scale)
    advantages = per_row[:, None] * response_mask
    return advantages, advantages


@core.register_adv_est("hdpo")
def hdpo_advantages(
    token_level_rewards: Tensor, response_mask: Tensor, index: Any, config: Any = None, **_: Any
) -> tuple[Tensor, Tensor]:
    """Leave-one-out baseline over the population std (HDPO); exactly 0 in zero-variance groups."""
    return _advantages("hdpo", token_level_rewards, response_mask, index)


@core.register_adv_est("sdpg")
def sdpg_advantages(
    token_level_rewards: Tensor, response_mask: Tensor, index: Any, config: Any = None, **_: Any
) -> tuple[Tensor, Tensor]:
    """Mean baseline over the population std (SDPG); exactly 0 in zero-variance groups."""
    return _advantages("sdpg", token_level_rewards, response_mask, index)


def _aggregate(
    term: Any, mask: Tensor, mode: str, config: Any, weights: Tensor | None
) -> tuple[Tensor, dict[str, float]]:
    loss = term.loss if weights is None else term.loss * weights
    total = core.agg_loss(loss, mask, mode, **config.global_batch_info)
    clipped = (term.clipped * mask).sum() / mask.sum().clamp(min=1)
    return total, {"actor/pg_clipfrac": float(clipped)}


@core.register_policy_loss("hdpo")
def hdpo_policy_loss(
    old_log_prob: Tensor,
    log_prob: Tensor,
    advantages: Tensor,
    response_mask: Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The clipped surrogate with the actor's clip bounds and without dual clip."""
    term = policy_loss(
        log_prob,
        old_log_prob,
        advantages,
        clip_low=config.clip_ratio_low,
        clip_high=config.clip_ratio_high,
    )
    return _aggregate(term, response_mask, loss_agg_mode, config, rollout_is_weights)


@core.register_policy_loss("sdpg")
def sdpg_policy_loss(
    old_log_prob: Tensor,
    log_prob: Tensor,
    advantages: Tensor,
    response_mask: Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The plain policy gradient ``-A log pi``: for one update per batch of rollouts."""
    term = policy_loss(log_prob, None, advantages, kind="reinforce")
    return _aggregate(term, response_mask, loss_agg_mode, config, rollout_is_weights)
