"""The losses: functions of tensors that return NamedTuples; torch only, nothing of ours imported.

`fused` is the arithmetic heart: exact divergences over a language-model head, chunked, with the
gradient computed in the forward pass. `reference` holds the same functions in ten lines each.
"""

from hdpo_env.losses import reference, schedules
from hdpo_env.losses._prepare import Hidden, TopK, VocabShard
from hdpo_env.losses.fused import (
    HeadLoss,
    RowLoss,
    TokenLogprobs,
    head_loss,
    reverse_kl,
    teacher_topk,
    token_logprobs,
    topk_jsd,
)
from hdpo_env.losses.hdpo import hdpo_loss
from hdpo_env.losses.policy import PolicyLoss, group_advantages, importance_ratio, policy_loss
from hdpo_env.losses.reduce import count, masked_mean, masked_sum, token_weights
from hdpo_env.losses.regularizer import ReferenceKL, reference_kl
from hdpo_env.losses.rlsd import rlsd_advantages
from hdpo_env.losses.sdpg import sdpg_loss

__all__ = [
    # over the head, from hidden states
    "head_loss",
    "reverse_kl",
    "topk_jsd",
    "teacher_topk",
    "token_logprobs",
    "Hidden",
    "TopK",
    "VocabShard",
    "HeadLoss",
    "RowLoss",
    "TokenLogprobs",
    # per token
    "group_advantages",
    "policy_loss",
    "PolicyLoss",
    "rlsd_advantages",
    "reference_kl",
    "ReferenceKL",
    "importance_ratio",
    # sums
    "count",
    "token_weights",
    "masked_sum",
    "masked_mean",
    # the methods
    "hdpo_loss",
    "sdpg_loss",
    # rooms
    "reference",
    "schedules",
]
