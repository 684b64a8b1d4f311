"""The oracle: every divergence in a few lines, on full ``[N, V]`` logits, in float64.

Nothing here is fast and nothing is chunked. The fused operators are tested against these lines, and
a tiny vocabulary can use them directly. All are differentiable in the student's logits by ordinary
autograd; the teacher is always detached. Natural logarithms: values are nats per row.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, cat, log_softmax, where

LN2 = 0.6931471805599453


def _log_dist(logits: Float[Tensor, "N V"]) -> Float[Tensor, "N V"]:
    return log_softmax(logits.double(), dim=-1)


def _minus(a: Tensor, b: Tensor) -> Tensor:
    """``a - b`` where ``a`` has mass, else 0: a term ``0 * log(0 / q)`` is 0."""
    return where(a > float("-inf"), a - b, 0.0)


def _jsd(log_p: Tensor, log_q: Tensor) -> Tensor:
    nowhere = (log_p == float("-inf")) & (log_q == float("-inf"))
    log_m = where(nowhere, 0.0, log_p).logaddexp(where(nowhere, 0.0, log_q)) - LN2
    p_part = (log_p.exp() * _minus(log_p, log_m)).sum(-1)
    return 0.5 * (p_part + (log_q.exp() * _minus(log_q, log_m)).sum(-1))


def kl_student_teacher(
    logits: Float[Tensor, "N V"], teacher_logits: Float[Tensor, "N V"]
) -> Float[Tensor, " N"]:
    """``KL(p || sg q) = sum_a p_a (log p_a - log q_a)``, p the student (SDPG's).

    >>> import torch
    >>> kl_student_teacher(torch.zeros(1, 2), torch.tensor([[0.0, 0.0]])).item()
    0.0
    """
    log_p, log_q = _log_dist(logits), _log_dist(teacher_logits.detach())
    return (log_p.exp() * _minus(log_p, log_q)).sum(-1)


def kl_teacher_student(
    logits: Float[Tensor, "N V"], teacher_logits: Float[Tensor, "N V"]
) -> Float[Tensor, " N"]:
    """``KL(sg q || p) = sum_a q_a (log q_a - log p_a)``, p the student (forward KL).

    >>> import torch
    >>> kl_teacher_student(torch.zeros(1, 2), torch.zeros(1, 2)).item()
    0.0
    """
    log_p, log_q = _log_dist(logits), _log_dist(teacher_logits.detach())
    return (log_q.exp() * _minus(log_q, log_p)).sum(-1)


def jsd(logits: Float[Tensor, "N V"], teacher_logits: Float[Tensor, "N V"]) -> Float[Tensor, " N"]:
    """``JSD(sg q, p) = KL(q || m)/2 + KL(p || m)/2`` with ``m = (p + q)/2``; between 0 and ln 2.

    >>> import torch
    >>> jsd(torch.zeros(1, 2), torch.zeros(1, 2)).item()
    0.0
    """
    return _jsd(_log_dist(teacher_logits.detach()), _log_dist(logits))


def topk_jsd(
    logits: Float[Tensor, "N V"],
    ids: Int[Tensor, "N k"],
    logprobs: Float[Tensor, "N k"],
    tail: str = "exact",
    log_tail: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, " N"]:
    """HDPO's JSD between the teacher's top k (renormalised) and the full student, by brute force.

    ``tail="exact"`` scatters the teacher over V and takes the definition of JSD; ``"paper"`` adds
    the ``Q(outside) ln 2 / 2`` that makes the printed coefficient 1 instead of 1/2; ``"bucket"``
    lumps what is outside K into one more outcome on both sides.

    >>> import torch
    >>> ids, log_p = torch.tensor([[0]]), torch.zeros(1, 1)
    >>> disjoint = torch.tensor([[float("-inf"), 0.0]])
    >>> round(topk_jsd(disjoint, ids, log_p).item(), 6)
    0.693147
    """
    log_q, index = _log_dist(logits), ids.long()
    if tail == "bucket":
        return _jsd(*_buckets(log_q, index, logprobs.detach().double(), log_tail))
    log_p = log_q.new_full(log_q.shape, float("-inf"))
    log_p = log_p.scatter(-1, index, _log_dist(logprobs.detach()))
    value = _jsd(log_p, log_q)
    if tail == "exact":
        return value
    return value + 0.5 * LN2 * (1.0 - log_q.gather(-1, index).exp().sum(-1))


def _buckets(
    log_q: Tensor, ids: Tensor, logprobs: Tensor, log_tail: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Both distributions over the k ids and one bucket for everything else."""
    outside = log_q.scatter(-1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    if log_tail is None:
        rest = (1.0 - logprobs.exp().sum(-1)).clamp(min=0.0).log()
    else:
        rest = log_tail.detach().double()
    teacher = log_softmax(cat([logprobs, rest.unsqueeze(-1)], -1), -1)
    return teacher, cat([log_q.gather(-1, ids), outside], -1)


def topk_kl_teacher_student(
    logits: Float[Tensor, "N V"], ids: Int[Tensor, "N k"], logprobs: Float[Tensor, "N k"]
) -> Float[Tensor, " N"]:
    """``sum_{a in K} P_a (log P_a - log p_a)``, P the teacher's top k renormalised.

    >>> import torch
    >>> topk_kl_teacher_student(
    ...     torch.zeros(1, 1), torch.tensor([[0]]), torch.tensor([[-3.0]])
    ... ).item()
    0.0
    """
    log_p = _log_dist(logprobs.detach())
    return (log_p.exp() * _minus(log_p, _log_dist(logits).gather(-1, ids.long()))).sum(-1)


def token_logprobs(logits: Float[Tensor, "N V"], targets: Int[Tensor, " N"]) -> Float[Tensor, " N"]:
    """``log p(y)`` of the sampled tokens.

    >>> import torch
    >>> round(token_logprobs(torch.zeros(1, 4), torch.tensor([2])).exp().item(), 6)
    0.25
    """
    return _log_dist(logits).gather(-1, targets.long().unsqueeze(-1)).squeeze(-1)


def entropy(logits: Float[Tensor, "N V"]) -> Float[Tensor, " N"]:
    """``H(p) = -sum_a p_a log p_a``.

    >>> import torch
    >>> round(entropy(torch.zeros(1, 4)).exp().item(), 6)
    4.0
    """
    log_p = _log_dist(logits)
    return -(log_p.exp() * _minus(log_p, log_p.new_zeros(()))).sum(-1)
