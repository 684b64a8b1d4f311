"""Divergences and per-token losses over a language-model head, from hidden states on flat rows.

Rows are tokens: the student's hidden states ``h[N, d]`` predict ``targets[N]`` through the head
``W[V, d]`` (and ``bias[V]``): logits ``(h W' + bias) / temperature``. Values are nats per row and
come back detached; the scalar ``loss = sum_n weight_n value_n (+ sum token_loss)`` is
differentiable in h, W and bias. Weights carry the mask, the coefficient and the global denominator:
the loss is always a plain sum, so that micro-batches add up. No gradient ever reaches the teacher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hdpo_env.losses import reference

Divergence = Literal["kl_student_teacher", "kl_teacher_student", "jsd"]
Tail = Literal["exact", "paper", "bucket"]
TokenLoss = Callable[[Tensor, Tensor], Tensor]


class Hidden(NamedTuple):
    """A teacher given by its hidden states, over the student's head unless it has its own."""

    h: Tensor  # [N, d_teacher], row n is the teacher of row n
    W: Tensor | None = None  # [V, d_teacher]; None: the student's W and bias
    bias: Tensor | None = None  # [V], only beside W


class TopK(NamedTuple):
    """A teacher given by its k most probable tokens."""

    ids: Tensor  # [N, k] integers in [0, V)
    logprobs: Tensor  # [N, k]; renormalised over k where the divergence asks for it
    log_tail: Tensor | None = None  # [N] log of the mass outside, for tail="bucket"


class RowLoss(NamedTuple):
    """``loss``: scalar, differentiable. ``value``: the divergence of each row, [N], detached."""

    loss: Tensor
    value: Tensor


class HeadLoss(NamedTuple):
    """``loss``: scalar, differentiable. The others are [N], detached, 0 on rows never projected."""

    loss: Tensor
    logprobs: Tensor
    divergence: Tensor
    entropy: Tensor


class TokenLogprobs(NamedTuple):
    """``logprobs`` of the targets and ``entropy`` of the distribution, [N] each, no gradient."""

    logprobs: Tensor
    entropy: Tensor


class VocabShard(NamedTuple):
    """This rank of `group` holds the vocabulary's slice ``[start, start + W.shape[0])``."""

    group: torch.distributed.ProcessGroup
    start: int


def head_loss(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    targets: Int[Tensor, " N"] | None = None,
    token_loss: TokenLoss | None = None,
    *,
    mask: Bool[Tensor, " N"] | None = None,
    teacher: Hidden | TopK | None = None,
    divergence: Divergence = "kl_student_teacher",
    tail: Tail = "exact",
    weight: Float[Tensor, " N"] | None = None,
    old_logprobs: Float[Tensor, " N"] | None = None,
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
    shard: VocabShard | None = None,
) -> HeadLoss:
    """``sum_n token_loss(log p_n(y_n))_n + sum_n weight_n D_n`` from one pass over the logits."""
    n, wide = h.shape[0], torch.float64 if h.dtype == torch.float64 else torch.float32
    on = torch.ones(n, dtype=torch.bool, device=h.device) if mask is None else mask
    on = on if token_loss is not None else torch.zeros_like(on)
    w = torch.zeros_like(h[:, 0], dtype=torch.float32) if teacher is None else weight
    w = torch.ones(n, device=h.device) if w is None else w
    logits = _logits(h, W, bias, temperature)
    loss = h.sum() * 0.0
    logprobs, value = logits.new_zeros(n), logits.new_zeros(n)
    if targets is not None:
        logprobs = reference.token_logprobs(logits, targets).to(logits.dtype)
    if token_loss is not None:
        rows = on.nonzero().squeeze(-1)
        loss = loss + token_loss(logprobs[rows], rows).sum()
    gate = (w != 0).nonzero().squeeze(-1)
    if teacher is not None and len(gate):
        d = _divergence(logits[gate], teacher, gate, W, bias, temperature, divergence, tail)
        rho = 1.0 if old_logprobs is None else (logprobs - old_logprobs)[gate].detach().exp()
        loss = loss + (w[gate] * rho * d).sum()
        value = value.index_put((gate,), d.detach().to(value.dtype))
    entropy = reference.entropy(logits.detach())
    rest = (logprobs * on, value, entropy * (on | (w != 0)))
    return HeadLoss(loss.to(wide), *(x.detach().to(wide) for x in rest))


def _logits(h: Tensor, W: Tensor, bias: Tensor | None, temperature: float) -> Tensor:
    out = h.double() @ W.double().T
    out = out if bias is None else out + bias
    return out / temperature


def _divergence(
    logits: Tensor,
    teacher: Hidden | TopK,
    gate: Tensor,
    W: Tensor,
    bias: Tensor | None,
    temperature: float,
    divergence: str,
    tail: str,
) -> Tensor:
    if isinstance(teacher, TopK):
        ids, logprobs = teacher.ids[gate], teacher.logprobs[gate]
        if divergence == "jsd":
            log_tail = None if teacher.log_tail is None else teacher.log_tail[gate]
            return reference.topk_jsd(logits, ids, logprobs, tail, log_tail)
        return reference.topk_kl_teacher_student(logits, ids, logprobs)
    head = (W, bias) if teacher.W is None else (teacher.W, teacher.bias)
    with torch.no_grad():
        there = _logits(teacher.h[gate], *head, temperature)
    return getattr(reference, divergence)(logits, there)


def reverse_kl(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    h_teacher: Float[Tensor, "N e"],
    W_teacher: Float[Tensor, "V e"] | None = None,
    *,
    weight: Float[Tensor, " N"] | None = None,
    bias: Float[Tensor, " V"] | None = None,
    bias_teacher: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
    shard: VocabShard | None = None,
) -> RowLoss:
    """``loss = sum_n weight_n KL(p_n || sg q_n)``, exact over the full vocabulary."""
    teacher = Hidden(h_teacher, W_teacher, bias_teacher)
    out = head_loss(
        h, W, teacher=teacher, weight=weight, bias=bias, temperature=temperature,
        softcap=softcap, chunk=chunk, shard=shard,
    )  # fmt: skip
    return RowLoss(out.loss, out.divergence)


def topk_jsd(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    ids: Int[Tensor, "N k"],
    logprobs: Float[Tensor, "N k"],
    *,
    weight: Float[Tensor, " N"] | None = None,
    tail: Tail = "exact",
    log_tail: Float[Tensor, " N"] | None = None,
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
    shard: VocabShard | None = None,
) -> RowLoss:
    """``loss = sum_n weight_n JSD(P_K || Q)_n``: HDPO's divergence on the teacher's top k."""
    out = head_loss(
        h, W, teacher=TopK(ids, logprobs, log_tail), divergence="jsd", tail=tail, weight=weight,
        bias=bias, temperature=temperature, softcap=softcap, chunk=chunk, shard=shard,
    )  # fmt: skip
    return RowLoss(out.loss, out.divergence)


@torch.no_grad()
def teacher_topk(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    k: int = 64,
    *,
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
) -> TopK:
    """The teacher's k most probable tokens, their log-probabilities and the log of the rest."""
    log_q = torch.log_softmax(_logits(h, W, bias, temperature), -1)
    logprobs, ids = log_q.topk(k, -1)
    log_tail = log_q.scatter(-1, ids, float("-inf")).logsumexp(-1)
    return TopK(ids.int(), logprobs.float(), log_tail.float())


@torch.no_grad()
def token_logprobs(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    targets: Int[Tensor, " N"],
    *,
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    chunk: int | None = None,
    shard: VocabShard | None = None,
) -> TokenLogprobs:
    """``log p_n(y_n)`` and the entropy, for old, reference and teacher log-probabilities."""
    logits = _logits(h, W, bias, temperature)
    return TokenLogprobs(
        reference.token_logprobs(logits, targets).float(), reference.entropy(logits).float()
    )
