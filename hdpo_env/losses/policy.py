"""Rewards to advantages, and advantages to the policy term's per-token loss."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

Baseline = Literal["mean", "leave_one_out"]
Scale = Literal["population_std", "sample_std", "none"]
BASELINES = ("mean", "leave_one_out")
SCALES = ("population_std", "sample_std", "none")


class PolicyLoss(NamedTuple):
    """``loss``: per token, to be weighted and summed. ``clipped``: tokens whose gradient is cut."""

    loss: Tensor
    clipped: Tensor


def group_advantages(
    rewards: Float[Tensor, " B"],
    group_index: Int[Tensor, " B"],
    *,
    baseline: Baseline = "mean",
    scale: Scale = "population_std",
    eps_std: float = 1e-6,
) -> Float[Tensor, " B"]:
    """``A_i = (r_i - b_i) / (sigma + eps_std)`` within each group of rollouts of one prompt.

    ``b_i`` is the group's mean, or the mean of the other members (leave-one-out, which makes the
    numerator ``G/(G-1)`` times as large); sigma is the population or sample standard deviation;
    with ``scale="none"`` nothing is divided. HDPO's text gives both baselines in successive lines:
    its preset takes leave-one-out over the population std. SDPG takes mean and std.

    Exactly 0 for every member of a group whose rewards are equal (max == min), whatever the
    reward. A NaN reward is an abstention: it enters no statistic and its advantage is 0.

    Raises:
        ValueError: an unknown baseline or scale, eps_std < 0, an infinite reward, a negative index.

    Source: GRPO arXiv 2402.03300 eq. (3); HDPO arXiv 2603.23871; SDPG arXiv 2606.04036.

    >>> import torch
    >>> rewards, groups = torch.tensor([3.0, 1.0, 0.3, 0.3]), torch.tensor([0, 0, 7, 7])
    >>> group_advantages(rewards, groups, baseline="leave_one_out", scale="none").tolist()
    [2.0, -2.0, 0.0, 0.0]
    """
    _check_advantages(rewards, group_index, baseline, scale, eps_std)
    if rewards.numel() == 0:
        return rewards.clone()
    group = torch.unique(group_index, return_inverse=True)[1]
    valid = ~rewards.isnan()
    r = torch.where(valid, rewards, 0.0).double()
    size = int(group.max()) + 1
    advantage = _standardised(r, valid, group, size, baseline, scale, eps_std)
    flat_group = _extreme(r, valid, group, size, "amax") == _extreme(r, valid, group, size, "amin")
    return torch.where(flat_group[group], 0.0, advantage).to(rewards.dtype)


def _standardised(
    r: Tensor, valid: Tensor, group: Tensor, size: int, baseline: str, scale: str, eps_std: float
) -> Tensor:
    """``(r_i - b_i) / (sigma + eps_std)`` over the valid rewards of each of `size` groups."""

    def total(values: Tensor) -> Tensor:
        return values.new_zeros(size).index_add_(0, group, values)

    n = total(valid.double())
    mean = total(r) / n.clamp(min=1)
    centred = torch.where(valid, r - mean[group], 0.0)
    advantage = centred
    if baseline == "leave_one_out":
        advantage = centred * (n / (n - 1).clamp(min=1))[group]
    if scale != "none":
        free = n - 1 if scale == "sample_std" else n
        std = (total(centred**2) / free.clamp(min=1)).sqrt()
        advantage = advantage / (std + eps_std)[group]
    return advantage


def _extreme(r: Tensor, valid: Tensor, group: Tensor, size: int, how: str) -> Tensor:
    """Each group's largest or smallest valid reward; groups of abstentions only count as flat."""
    out = r.new_zeros(size)
    return out.scatter_reduce_(0, group[valid], r[valid], how, include_self=False)


def _check_advantages(
    rewards: Tensor, group_index: Tensor, baseline: str, scale: str, eps_std: float
) -> None:
    if baseline not in BASELINES:
        raise ValueError(f"baseline = {baseline!r}: use one of {', '.join(BASELINES)}")
    if scale not in SCALES:
        raise ValueError(f"scale = {scale!r}: use one of {', '.join(SCALES)}")
    if not eps_std >= 0:
        raise ValueError(f"eps_std = {eps_std}: it must be 0 or more")
    if rewards.isinf().any():
        raise ValueError("rewards hold an infinity: rewards must be finite, or NaN for abstentions")
    if group_index.numel() and int(group_index.min()) < 0:
        raise ValueError(f"group_index holds {int(group_index.min())}: indices start at 0")


def policy_loss(
    logprobs: Float[Tensor, "*N"],
    old_logprobs: Float[Tensor, "*N"] | None,
    advantages: Float[Tensor, "*N"],
    *,
    kind: Literal["reinforce", "clip"] = "clip",
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
) -> PolicyLoss:
    """The policy term per sampled token: ``-A log pi`` or the clipped surrogate.

    ``clip``: ``-min(rho A, clip(rho, 1 - clip_low, 1 + clip_high) A)``, ``rho = exp(logp - old)``;
    with ``dual_clip = c`` also ``min(., -c A)`` where ``A < 0``. ``reinforce``: ``-A logp``, for
    fully on-policy rollouts; ``old_logprobs`` is ignored and may be None. Only `logprobs` gets a
    gradient; clipped tokens and tokens with A = 0 get exactly 0, also where rho overflows.

    Raises:
        ValueError: an unknown kind, ``clip`` without old log-probs, clip bounds outside
            ``0 <= clip_low < 1, clip_high >= 0``, or ``dual_clip <= 1``.

    Source: GRPO eq. (3); asymmetric bounds DAPO arXiv 2503.14476; dual clip arXiv 1912.09729.

    >>> import torch
    >>> logp, old = torch.tensor([0.0, 0.0]), torch.tensor([-1.0, 0.0])
    >>> loss, clipped = policy_loss(logp, old, torch.tensor([1.0, 1.0]))
    >>> loss.tolist(), clipped.tolist()
    ([-1.2000000476837158, -1.0], [True, False])
    """
    a = advantages.detach()
    if kind == "reinforce":
        return PolicyLoss(-a * logprobs, torch.zeros_like(a, dtype=torch.bool))
    _check_clip(kind, old_logprobs, clip_low, clip_high, dual_clip)
    assert old_logprobs is not None
    log_ratio = logprobs - old_logprobs.detach()
    ratio = log_ratio.detach().exp()
    bounded = ratio.clamp(1 - clip_low, 1 + clip_high)
    above = (a > 0) & (ratio > bounded)
    clipped = above | ((a < 0) & (ratio < bounded))
    limit = bounded
    if dual_clip is not None:
        cut = (a < 0) & (ratio > dual_clip)
        clipped, limit = clipped | cut, torch.where(cut, dual_clip, bounded)
    live = torch.where(clipped | (a == 0), 0.0, log_ratio).exp()  # exp(large) * 0 would be NaN
    return PolicyLoss(-torch.where(clipped, limit, live) * a, clipped)


def _check_clip(kind: str, old: Tensor | None, low: float, high: float, dual: float | None) -> None:
    if kind != "clip":
        raise ValueError(f"kind = {kind!r}: use one of reinforce, clip")
    if old is None:
        raise ValueError("old_logprobs is None: kind 'clip' needs the behaviour policy's log-probs")
    if not 0 <= low < 1:
        raise ValueError(f"clip_low = {low}: it must lie in [0, 1)")
    if not high >= 0:
        raise ValueError(f"clip_high = {high}: it must be 0 or more")
    if dual is not None and not dual > 1:
        raise ValueError(f"dual_clip = {dual}: it must exceed 1, or be None for no dual clip")


def importance_ratio(
    logprobs: Float[Tensor, "*N"], old_logprobs: Float[Tensor, "*N"]
) -> Float[Tensor, "*N"]:
    """``sg[rho] = sg[exp(logp - old)]``: the detached weight of SDPG's appendix A.3.

    >>> import torch
    >>> importance_ratio(torch.tensor([0.0]), torch.tensor([0.0])).item()
    1.0
    """
    return (logprobs - old_logprobs).detach().exp()
