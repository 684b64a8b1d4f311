"""Divergences and per-token losses over a language-model head, from hidden states on flat rows.

Rows are tokens: the student's hidden states ``h[N, d]`` predict ``targets[N]`` through the head
``W[V, d]`` (and ``bias[V]``): logits ``(h W' + bias) / temperature``. Values are nats per row and
come back detached; the scalar ``loss = sum_n weight_n value_n (+ sum token_loss)`` is
differentiable in h, W and bias. Weights carry the mask, the coefficient and the global denominator:
the loss is always a plain sum, so that micro-batches add up. No gradient ever reaches the teacher.

Every function reads the head in the same way:

- ``h`` may be of low precision: logits and sums are float32 then;
- ``W`` is ``torch.nn.Linear.weight``; frozen if it requires no gradient; may be tied;
- ``bias`` is the head's; ``-inf`` removes a token;
- ``temperature`` divides the logits of student and teacher alike;
- ``softcap`` is the model's ``final_logit_softcapping``; it must be None;
- ``chunk`` rows are projected at once; None: 2048 on a GPU, 128 MB of logits on the CPU;
- with a ``shard``, W and bias (and the teacher's) are this rank's slice of the vocabulary, all else
  is the same on every rank, ids are global; the result is that of the whole vocabulary, the
  gradient in h too.

Widths that differ, integer logits, NaN or +inf logits, a soft cap and a temperature that is not
positive are ValueErrors.

Cost, in products of the head: 1 forward and 2 backward for a row in use (1 backward if the head is
frozen), 1 more for a `Hidden` teacher where ``weight > 0``, none for a row of weight 0 outside
`mask`. Memory: one or two buffers of ``chunk x V``, whatever N is. Gradients are computed in the
forward pass, so there is no second derivative.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hdpo_env.losses import _project, _rows
from hdpo_env.losses._head import HeadFunction
from hdpo_env.losses._prepare import (
    Divergence,
    Head,
    Hidden,
    Tail,
    Terms,
    TokenLoss,
    TopK,
    VocabShard,
    job,
)


class RowLoss(NamedTuple):
    """``loss``: scalar, differentiable. ``value``: the divergence of each row, [N], detached."""

    loss: Tensor
    value: Tensor


class HeadLoss(NamedTuple):
    """``loss``: scalar, differentiable. The others are [N], detached, 0 on rows never projected.

    ``divergence`` is that of each row, without its weight; ``logprobs`` are 0 without targets,
    ``entropy`` without a token loss.
    """

    loss: Tensor
    logprobs: Tensor
    divergence: Tensor
    entropy: Tensor


class TokenLogprobs(NamedTuple):
    """``logprobs`` of the targets and ``entropy`` of the distribution, [N] each, no gradient."""

    logprobs: Tensor
    entropy: Tensor


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
    """``sum_n token_loss(log p_n(y_n), n) + sum_n weight_n rho_n D_n``: one pass over the logits.

    ``token_loss(logprobs[c], rows[c])`` is called under autograd for each chunk of the rows where
    `mask` is True (default: all) and returns c losses, already weighted; it is differentiated in
    the `targets`' log-probs only. D is, with p the student and q the teacher, or P its top k alone:

    - ``kl_student_teacher``: ``KL(p || sg q)``, SDPG's (a `TopK` needs ``tail="bucket"``);
    - ``kl_teacher_student``: ``KL(sg q || p)``, or ``KL(sg P || p)``, P renormalised;
    - ``jsd``: ``KL(sg q || m)/2 + KL(p || m)/2``, ``m = (p + q)/2``; a `TopK` as in `topk_jsd`.

    ``weight >= 0`` is coefficient x mask / global denominator; None: 1; 0: the teacher is not read.
    ``rho_n``: 1, or ``sg[exp(log p(y) - old)]`` of the behaviour's `old_logprobs` (SDPG, A.3).

    Raises:
        ValueError: the head's (top of this module); ids outside the vocabulary or twice in a row,
            k > V, an empty teacher, a negative weight, no `targets` where they are needed.

    >>> import torch
    >>> h, W = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.eye(2)
    >>> out = head_loss(h, W, torch.tensor([0]), lambda logprobs, rows: -logprobs)
    >>> out.loss.backward()
    >>> round(out.loss.item(), 4), [round(x, 4) for x in h.grad[0].tolist()]
    (0.3133, [-0.2689, 0.2689])
    """
    head = Head(W, bias, temperature, softcap, chunk, shard)
    terms = Terms(targets, token_loss, mask, teacher, divergence, tail, weight, old_logprobs)
    return HeadLoss(*HeadFunction.apply(h, W, bias, job(h, head, terms)))


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
    """``loss = sum_n weight_n KL(p_n || sg q_n)``, exact over the full vocabulary, nats per row.

    p is the student, q the teacher: its hidden states over the same head (then the logits'
    difference is one product, which keeps the gradient accurate at any KL), or over its own.
    0 where both agree, never negative; infinite where the teacher's bias forbids a token that
    the student can say, and then without a usable gradient. The gradient in the logits is
    ``p (log p - log q - KL)``.

    Arguments and errors as in `head_loss`; weight 0 skips a row, None is 1.

    Source: SDPG arXiv 2606.04036 proposition 3.1.

    >>> import torch
    >>> h, W = torch.tensor([[0.0, 0.0]], requires_grad=True), torch.eye(2)
    >>> loss, kl = reverse_kl(h, W, torch.tensor([[1.0, 0.0]]))
    >>> round(loss.item(), 4), kl.requires_grad
    (0.1201, False)
    """
    out = head_loss(
        h, W, teacher=Hidden(h_teacher, W_teacher, bias_teacher), weight=weight,
        bias=bias, temperature=temperature, softcap=softcap, chunk=chunk, shard=shard,
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
    """``loss = sum_n weight_n JSD(P_K || Q)_n`` against the teacher's top k, nats per row.

    P is the teacher on its k tokens, Q the full student, M their mean, r the mass of Q outside K:

        JSD = 1/2 sum_K P ln(P/M) + 1/2 sum_K Q ln(Q/M) + 1/2 r ln 2

    - ``tail="exact"`` (HDPO): P is renormalised on K; this is the JSD, it lies in [0, ln 2].
    - ``tail="paper"``: the coefficient of ``r ln 2`` is 1, as HDPO prints it: up to 3/2 ln 2.
    - ``tail="bucket"``: P and Q both keep their mass outside K as one more outcome; 0 when student
      and teacher agree, never above the JSD over the whole vocabulary. Give `log_tail`
      (`teacher_topk` does): without it the tail is ``1 - sum P``, in float32 only to 1e-7.

    With ``exact`` a student equal to its teacher still pays about ``r/2 ln 2``: it is pulled into
    K. One product forward, two backward, one buffer of ``chunk x V``; no teacher product. Arguments
    and errors as in `head_loss`.

    Source: HDPO arXiv 2603.23871; the coefficient 1/2 is ours, see ``tail``.

    >>> import torch
    >>> h, W = torch.tensor([[0.0, 100.0]], requires_grad=True), torch.eye(2)
    >>> loss, jsd = topk_jsd(h, W, torch.tensor([[0]]), torch.tensor([[0.0]]))
    >>> round(loss.item(), 6)  # disjoint: ln 2
    0.693147
    """
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
    shard: VocabShard | None = None,
) -> TopK:
    """The teacher's k most probable tokens, most probable first: ids, log-probs, log of the rest.

    ``logprobs`` are not renormalised: ``sum exp(logprobs) + exp(log_tail) = 1``, the tail added up
    over the complement, so that one of 1e-7 keeps its digits; ``-inf`` for k = V. ids are int32,
    the others float32 (float64 for float64 inputs). No gradient.

    Raises:
        ValueError: k outside [1, V], and what `head_loss` refuses about h, W, bias and temperature.

    >>> import torch
    >>> ids, logprobs, log_tail = teacher_topk(torch.zeros(1, 1), torch.zeros(4, 1), k=3)
    >>> round(logprobs.exp().sum().item(), 6), round(log_tail.exp().item(), 6)
    (0.75, 0.25)
    """
    head = Head(W, bias, temperature, softcap, chunk, shard)
    head.check(h)
    merge, wide = head.merge(), _project.wide_dtype(h, W)
    if not 0 < k <= merge.size:
        raise ValueError(f"k = {k}: the teacher needs 1 <= k <= V = {merge.size} tokens a row")
    parts = []
    for rows in h.split(head.rows_at_once(h, merge.size)):
        S = h.new_empty((len(rows), W.shape[0]), dtype=wide)
        _project.logits(rows, W, bias, 1.0 / temperature, S)
        parts.append(_rows.top_(S, k, merge))
    ids, logprobs, log_tail = (torch.cat(x) for x in zip(*parts, strict=True))
    return TopK(ids.int(), logprobs, log_tail)


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
    """``log p_n(y_n)`` and the entropy of p_n, for old, reference and teacher log-probabilities.

    One product of the head, no gradient, in chunks. Arguments and errors as in `head_loss`.

    >>> import torch
    >>> logprobs, entropy = token_logprobs(torch.zeros(1, 1), torch.zeros(4, 1), torch.tensor([2]))
    >>> round(logprobs.exp().item(), 6), round(entropy.exp().item(), 6)
    (0.25, 4.0)
    """
    out = head_loss(
        h, W, targets, lambda logprobs, rows: torch.zeros_like(logprobs),
        bias=bias, temperature=temperature, softcap=softcap, chunk=chunk, shard=shard,
    )  # fmt: skip
    return TokenLogprobs(out.logprobs, out.entropy)
