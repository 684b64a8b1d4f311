"""Between the products: a chunk's logits to per-row numbers, then to the logits' gradient.

A chunk holds the student's logits ``S[c, V]`` and, for its first g rows, the teacher's part
``X[g, V]``: the difference of logits over one head, or the logits of another head. `read` turns S
into probabilities and X into slopes, in place; `write` turns both into the gradient, in place. The
work goes by blocks of rows that stay in the cache, so that temporaries are small and a pass costs
no memory traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hdpo_env.losses import _check
from hdpo_env.losses._divergence import FAR, LN2, pointwise
from hdpo_env.losses._merge import Whole

BLOCK = {"cpu": 1 << 18, "cuda": 1 << 24}  # logits handled at a time


@dataclass
class Stats:
    """What one chunk's rows tell. The first g rows of the chunk are the distilled ones."""

    lse: Tensor  # [c] log-normaliser of the student
    entropy: Tensor  # [c]
    logprobs: Tensor  # [c] of the targets
    lse_teacher: Tensor  # [g]
    value: Tensor  # [g] the divergence
    mean: Tensor  # [g] what centres the slopes
    sparse: Tensor | None = None  # [g, k] corrections at the teacher's ids, for weight 1


@dataclass(frozen=True)
class Plan:
    """What is asked of every chunk."""

    divergence: str
    tail: str
    shared_head: bool
    entropy: bool
    merge: Whole

    @property
    def direct(self) -> bool:
        """Whether KL can be read off the difference of the logits."""
        shared_kl = self.shared_head and self.divergence == "kl_student_teacher"
        return shared_kl and not self.merge.sharded


@dataclass(frozen=True)
class Part:
    """The rows of one chunk: targets of all, top-k teacher of the first g."""

    targets: Tensor | None  # [c] global token ids
    ids: Tensor | None = None  # [g, k] global token ids
    log_q: Tensor | None = None  # [g, k + 1] teacher's log-probabilities, the tail last


def read(S: Tensor, X: Tensor | None, g: int, part: Part, plan: Plan) -> Stats:
    """Per-row statistics; S becomes the student's probabilities and X the slopes."""
    c, nothing = S.shape[0], S.new_zeros(0)
    stats = Stats(S.new_zeros(c), S.new_zeros(c), S.new_zeros(c), nothing, nothing, nothing)
    if part.targets is not None:
        stats.logprobs = _gather(S, part.targets.unsqueeze(-1), plan.merge).squeeze(-1)
    at_ids = None if part.ids is None else _gather(S[:g], part.ids, plan.merge)
    if X is not None:
        stats.lse_teacher, stats.value, stats.mean = S.new_zeros(3, g).unbind()
    rest = S.new_zeros(g)
    for cut in _blocks(0, g, S, plan):
        if X is not None:
            stats.lse_teacher[cut], stats.value[cut], stats.mean[cut] = _dense(
                S[cut], X[cut], stats.lse[cut], stats.entropy[cut], plan
            )
            continue
        _student(S[cut], stats.lse[cut], stats.entropy[cut], plan)
        if part.ids is not None:  # here and not later: the block is still in the cache
            rest[cut] = _mass_outside(S[cut], part.ids[cut], plan.merge)
    for cut in _blocks(g, c, S, plan):
        _student(S[cut], stats.lse[cut], stats.entropy[cut], plan)
    if part.targets is not None:
        stats.logprobs -= stats.lse
    if at_ids is not None:
        fill_sparse(rest, at_ids - stats.lse[:g, None], part, stats, plan)
    stats.value = stats.value.clamp(min=0.0)  # below 0 there is only rounding
    return stats


def write(
    S: Tensor, X: Tensor | None, part: Part, stats: Stats, weight: Tensor,
    slope: Tensor, plan: Plan, dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    """S becomes the gradient in the logits of ``sum_n weight_n D_n + slope_n log p_n(y_n)``.

    ``p (w (X - mean) - slope) + slope 1_y``; KL(q || p) has ``p - X`` for ``p (X - mean)``, and a
    top-k teacher has no X but ``w sparse`` on its ids.
    """
    g, teacher_first = weight.shape[0], plan.divergence == "kl_teacher_student"
    scale, w = -slope.unsqueeze(-1), weight.unsqueeze(-1)
    scale[:g] -= w * stats.mean.unsqueeze(-1)
    dense = 0 if X is None else g
    for cut in _blocks(0, dense, S, plan):
        assert X is not None
        x = X[cut].to(S.dtype).mul_(w[cut])  # X has served: on the CPU this overwrites it
        if teacher_first:
            S[cut].mul_(scale[cut]).sub_(x)
        else:
            S[cut].mul_(x.add_(scale[cut]))
    for cut in _blocks(dense, S.shape[0], S, plan):
        S[cut].mul_(scale[cut])
    if stats.sparse is not None and part.ids is not None:
        _scatter_add_(S[:g], part.ids, w * stats.sparse, plan.merge)
    if part.targets is not None:
        _scatter_add_(S, part.targets.unsqueeze(-1), slope.unsqueeze(-1), plan.merge)
    return S.to(dtype)


def factor(
    S: Tensor, part: Part, stats: Stats, weight: Tensor, slope: Tensor, plan: Plan
) -> tuple[Tensor, Tensor]:
    """`write` without a teacher over the vocabulary, as ``scale_n G_n``: a pass over S is saved.

    S becomes ``p + (w sparse + slope 1_y) / scale`` with ``scale = -w mean - slope`` per row, which
    goes into the products' other factor. Where the scale is next to 0, so is all that p adds.
    """
    g = weight.shape[0]
    scale = -slope
    scale[:g] -= weight * stats.mean
    flat = scale.abs() < torch.finfo(S.dtype).tiny * 1e8
    scale = torch.where(flat, 1.0, scale)
    if bool(flat.any()):
        S[flat] = 0.0
    if stats.sparse is not None and part.ids is not None:
        _scatter_add_(S[:g], part.ids, (weight / scale[:g])[:, None] * stats.sparse, plan.merge)
    if part.targets is not None:
        _scatter_add_(S, part.targets.unsqueeze(-1), (slope / scale).unsqueeze(-1), plan.merge)
    return S, scale


def _blocks(start: int, stop: int, S: Tensor, plan: Plan) -> list[slice]:
    """Slices of rows; one slice if ranks must meet, whose vocabulary slices may differ in size."""
    size = max(1, BLOCK.get(S.device.type, 1 << 18) // S.shape[1])
    size = max(stop - start, 1) if plan.merge.sharded else size
    return [slice(i, min(i + size, stop)) for i in range(start, stop, size)]


def softmax_(x: Tensor) -> Tensor:
    """X becomes its softmax; the log-normaliser of each row comes back, -inf for an empty row."""
    top = x.amax(-1)
    torch.softmax(x, -1, out=x)
    return top - x.amax(-1).log()  # the largest probability is exp(top - lse)


def _merged_softmax_(x: Tensor, merge: Whole) -> Tensor:
    if not merge.sharded:
        return softmax_(x)
    empty = (x == float("-inf")).all(-1)
    here = torch.where(empty, float("-inf"), softmax_(x))
    whole = merge.logsumexp(here)
    x.mul_((here - whole).exp().unsqueeze(-1)).masked_fill_(empty.unsqueeze(-1), 0.0)
    return whole


def _student(s: Tensor, lse: Tensor, entropy: Tensor, plan: Plan) -> None:
    """S becomes p; the log-normaliser and, if asked for, ``H = lse - sum p s`` are filled in."""
    logits = s.clone() if plan.entropy else s
    lse.copy_(_merged_softmax_(s, plan.merge))
    if plan.entropy:
        cross = _dot(s, logits)
        if s.is_cuda or not bool(cross.isfinite().all()):  # 0 * -inf
            cross = torch.where(s > 0, s * logits, 0.0).sum(-1)
        entropy.copy_(lse - plan.merge.sum(cross))


def _dense(
    s: Tensor, x: Tensor, lse: Tensor, entropy: Tensor, plan: Plan
) -> tuple[Tensor, Tensor, Tensor]:
    """Teacher's log-normaliser, divergence, mean slope; s becomes p and x the slopes."""
    if plan.direct and s.device.type == "cpu" and bool(x.amax() - x.amin() < FAR):
        return _kl_from_difference(s, x, lse, entropy, plan)
    wide = x if x.dtype == s.dtype else x.to(s.dtype)
    q = s - wide if plan.shared_head else wide.clone()
    if not plan.shared_head:
        torch.sub(s, wide, out=wide)
    lse_teacher = _merged_softmax_(q, plan.merge)
    _student(s, lse, entropy, plan)
    terms, slopes = pointwise(plan.divergence, s, q, wide - (lse - lse_teacher).unsqueeze(-1))
    value = plan.merge.sum(terms.sum(-1))
    if plan.divergence == "kl_teacher_student":
        x.copy_(q)
        return lse_teacher, value, torch.full_like(value, -1.0)
    x.copy_(slopes)
    return lse_teacher, value, plan.merge.sum(_dot(s, slopes))


def _kl_from_difference(
    s: Tensor, x: Tensor, lse: Tensor, entropy: Tensor, plan: Plan
) -> tuple[Tensor, Tensor, Tensor]:
    """The same for KL(p || q) from the difference x alone, without the teacher's normaliser.

    With ``u = x - E_p x``: ``KL = log E_p exp(-u) = log1p(E_p[expm1(-u) + u])``, never negative.
    """
    _student(s, lse, entropy, plan)
    mean = _dot(s, x)
    minus = mean.unsqueeze(-1) - x
    value = _dot(s, torch.expm1(minus).sub_(minus)).log1p_()
    return lse + value - mean, value, mean


def fill_sparse(rest: Tensor, log_p: Tensor, part: Part, stats: Stats, plan: Plan) -> None:
    """The divergence over the k ids and one outcome for the rest, where q may give nothing.

    With slopes f over those outcomes the gradient is ``p_v (f_tail - mean)`` everywhere, and
    ``p_i (f_i - f_tail)`` more on the ids.
    """
    assert part.log_q is not None
    log_p = torch.cat([log_p, rest.log().unsqueeze(-1)], -1)
    on_ids, q = log_p.exp(), part.log_q.exp()
    terms, slopes = pointwise(plan.divergence, on_ids, q, log_p - part.log_q)
    pull = on_ids * slopes
    if plan.divergence == "kl_teacher_student":
        pull = -q  # p times -q / p, also where p underflows
    stats.value, stats.mean = terms.sum(-1), pull.sum(-1) - slopes[:, -1]
    stats.sparse = pull[:, :-1] - on_ids[:, :-1] * slopes[:, -1:]
    if plan.tail == "paper":
        stats.value = stats.value + 0.5 * LN2 * rest
        stats.mean = stats.mean - 0.5 * LN2 * (1.0 - rest)
        stats.sparse = stats.sparse - 0.5 * LN2 * on_ids[:, :-1]


def _mass_outside(p: Tensor, ids: Tensor, merge: Whole) -> Tensor:
    """``sum of p outside the ids``, added up there: ``1 - sum`` would lose a small tail.

    The ids' entries become exactly 0 and then exactly what they were.
    """
    index, inside = _local(ids, p.shape[1], merge)
    held = torch.where(inside, p.gather(-1, index), 0.0)
    p.scatter_add_(-1, index, -held)
    rest = p.sum(-1)
    p.scatter_add_(-1, index, held)
    return merge.sum(rest)


def top_(S: Tensor, k: int, merge: Whole) -> tuple[Tensor, Tensor, Tensor]:
    """The k best ids of each row of logits, their log-probs, the log of the rest; uses S up."""
    best, ids = S.topk(min(k, S.shape[1]), -1)
    ids = ids + merge.start
    if merge.sharded:
        best, where = merge.concat(best).topk(k, -1)
        ids = merge.concat(ids).gather(-1, where)
    lse = _merged_softmax_(S, merge)
    _check.finite_lse("teacher", lse)
    return ids, best - lse.unsqueeze(-1), _mass_outside(S, ids, merge).log()


def _local(ids: Tensor, size: int, merge: Whole) -> tuple[Tensor, Tensor]:
    """Columns of this rank's slice; an id elsewhere becomes column 0, to be given nothing."""
    index = ids.long() - merge.start
    inside = (index >= 0) & (index < size)
    return index.where(inside, torch.zeros_like(index)), inside


def _gather(S: Tensor, ids: Tensor, merge: Whole) -> Tensor:
    index, inside = _local(ids, S.shape[1], merge)
    return merge.sum(torch.where(inside, S.gather(-1, index), 0.0))


def _scatter_add_(S: Tensor, ids: Tensor, values: Tensor, merge: Whole) -> None:
    index, inside = _local(ids, S.shape[1], merge)
    S.scatter_add_(-1, index, torch.where(inside, values, 0.0))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a, b)
