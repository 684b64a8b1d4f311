"""The row work on a GPU: one program a row, no temporary of the size of the vocabulary.

The counterpart of `_rows` for the two cases that matter most there: KL(student || teacher) from
hidden states, and no dense teacher at all (policy term, top-k). Logits stay logits: the statistics
read them once or twice, the gradient once, and it is written in the head's precision, ready for its
two products. `_rows` is the fallback and the oracle of the tests, which run these kernels in
Triton's interpreter. Their speed on a GPU is unmeasured.
"""
# ruff: noqa: ANN001, ANN202  (a kernel's arguments are pointers and numbers, typed when compiled)

from __future__ import annotations

from typing import Any, no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from hdpo_env.losses import _rows

BLOCK, WARPS = 4096, 8

# `no_type_check` keeps jaxtyping's hook, which runs in the tests, from wrapping a kernel: Triton
# looks names up where the function says it was defined.


@triton.jit
@no_type_check
def _teacher_logits(X, row, x_stride, at, V, s, SHARED: tl.constexpr):
    """What a block of X holds, and the teacher's logits: s - X over a shared head, else X."""
    x = tl.load(X + row * x_stride + at, mask=at < V, other=-float("inf")).to(s.dtype)
    return x, (tl.where(at < V, s - x, -float("inf")) if SHARED else x)


@triton.jit
@no_type_check
def _kl_terms(p, q, y):
    """A block's terms of KL(p || q), none negative, where ``y = log q - log p``, 0 where p is."""
    # p (expm1(y) - y), or q - p - p y where the ratio would overflow
    small = 0.5 * y * y * (
        1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6 * (1 + y / 7 * (1 + y / 8)))))
    )  # fmt: skip
    near = tl.where(tl.abs(y) < 0.5, small, tl.exp(tl.minimum(y, 30.0)) - 1 - y)
    far = q - p - p * tl.minimum(y, 1e4)
    return tl.where((y < 30.0) & (p > 0), p * near, far)


@triton.jit
@no_type_check
def _stats_kernel(
    S, X, out, V, s_stride, x_stride, n,
    TEACHER: tl.constexpr, SHARED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Row of ``out[5, n]``: lse, E_p s, teacher's lse, KL, E_p (s - t)."""
    row = tl.program_id(0).to(tl.int64)
    s_top, t_top = -float("inf"), -float("inf")
    s_sum, t_sum, cross = 0.0, 0.0, 0.0
    for start in range(0, V, BLOCK):
        at = start + tl.arange(0, BLOCK)
        s = tl.load(S + row * s_stride + at, mask=at < V, other=-float("inf"))
        top = tl.maximum(s_top, tl.max(s, 0))
        anchor = tl.where(top > -float("inf"), top, 0.0)
        e, shrink = tl.exp(s - anchor), tl.exp(s_top - anchor)
        cross = cross * shrink + tl.sum(tl.where(e > 0, e * s, 0.0), 0)
        s_sum = s_sum * shrink + tl.sum(e, 0)
        s_top = top
        if TEACHER:
            _, t = _teacher_logits(X, row, x_stride, at, V, s, SHARED)
            top = tl.maximum(t_top, tl.max(t, 0))
            anchor = tl.where(top > -float("inf"), top, 0.0)
            t_sum = t_sum * tl.exp(t_top - anchor) + tl.sum(tl.exp(t - anchor), 0)
            t_top = top
    lse = s_top + tl.log(s_sum)
    tl.store(out + row, lse)
    tl.store(out + n + row, cross / s_sum)
    if TEACHER:
        t_lse = t_top + tl.log(t_sum)
        gap, value, mean = lse - t_lse, 0.0, 0.0
        for start in range(0, V, BLOCK):
            at = start + tl.arange(0, BLOCK)
            s = tl.load(S + row * s_stride + at, mask=at < V, other=-float("inf"))
            x, t = _teacher_logits(X, row, x_stride, at, V, s, SHARED)
            p, q = tl.exp(s - lse), tl.exp(t - t_lse)
            apart = tl.where(p > 0, x if SHARED else s - t, 0.0)
            value += tl.sum(_kl_terms(p, q, tl.where(p > 0, gap - apart, 0.0)), 0)
            mean += tl.sum(p * apart, 0)
        tl.store(out + 2 * n + row, t_lse)
        tl.store(out + 3 * n + row, value)
        tl.store(out + 4 * n + row, mean)


@triton.jit
@no_type_check
def _gradient_kernel(
    S, X, G, lse, mean, weight, slope, target, V, s_stride, x_stride, g_stride,
    TEACHER: tl.constexpr, SHARED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``G = p (w (s - t - mean) - slope) + slope 1_target``; without teacher ``w mean`` for -a."""
    row = tl.program_id(0).to(tl.int64)
    w, c, level = tl.load(weight + row), tl.load(slope + row), tl.load(lse + row)
    scale = -c - w * tl.load(mean + row)
    hit = tl.load(target + row)
    for start in range(0, V, BLOCK):
        at = start + tl.arange(0, BLOCK)
        s = tl.load(S + row * s_stride + at, mask=at < V, other=-float("inf"))
        p = tl.exp(s - level)
        factor = p * 0.0 + scale
        if TEACHER:
            x = tl.load(X + row * x_stride + at, mask=at < V, other=0.0).to(s.dtype)
            factor += w * tl.where(p > 0, x if SHARED else s - x, 0.0)
        gradient = p * factor + tl.where(at == hit, c, 0.0)
        tl.store(G + row * g_stride + at, gradient.to(G.dtype.element_ty), mask=at < V)


def serves(plan: _rows.Plan, dense: bool) -> bool:
    """Whether these kernels know the case: one process, and KL if there is a dense teacher."""
    return not plan.merge.sharded and (not dense or plan.divergence == "kl_student_teacher")


def _stats(S: Tensor, X: Tensor | None, shared: bool) -> Tensor:
    n, V = S.shape
    out = S.new_zeros((5, n))
    if n:
        x, stride = (S, 0) if X is None else (X, X.stride(0))
        _launch(
            _stats_kernel, n, S, x, out, V, S.stride(0), stride, n,
            TEACHER=X is not None, SHARED=shared,
        )  # fmt: skip
    return out


def _launch(kernel: Any, rows: int, *args: Any, **constants: bool) -> None:
    kernel[(rows,)](*args, BLOCK=BLOCK, num_warps=WARPS, **constants)


def read(S: Tensor, X: Tensor | None, g: int, part: _rows.Part, plan: _rows.Plan) -> _rows.Stats:
    """As `_rows.read`, but S and X stay as they are."""
    dense = g if X is not None else 0
    found = torch.cat(
        [_stats(S[:dense], X, plan.shared_head), _stats(S[dense:], None, False)], dim=1
    )
    lse, cross, lse_teacher, value, mean = found.unbind()
    stats = _rows.Stats(
        lse=lse,
        entropy=lse - cross,
        logprobs=torch.zeros_like(lse),
        lse_teacher=lse_teacher[:dense],
        value=value[:dense],
        mean=mean[:dense],
    )
    if part.targets is not None:
        stats.logprobs = S.gather(-1, part.targets.long().unsqueeze(-1)).squeeze(-1) - lse
    if part.ids is not None:
        ids = part.ids.long()
        held = S[:g].gather(-1, ids)
        S[:g].scatter_(-1, ids, float("-inf"))
        rest = (_stats(S[:g], None, False)[0] - lse[:g]).exp()
        S[:g].scatter_(-1, ids, held)
        _rows.fill_sparse(rest, held - lse[:g, None], part, stats, plan)
    return stats


def write(
    S: Tensor, X: Tensor | None, part: _rows.Part, stats: _rows.Stats, weight: Tensor,
    slope: Tensor, plan: _rows.Plan, dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    """As `_rows.write`; the gradient comes back in `dtype`, over S where that is S's own."""
    (n, V), g = S.shape, len(weight)
    G = S if dtype == S.dtype else S.new_empty((n, V), dtype=dtype)
    w, mean = torch.zeros_like(slope), torch.zeros_like(slope)
    w[:g], mean[:g] = weight, stats.mean
    targets = torch.full((n,), -1, device=S.device)
    if part.targets is not None:
        targets = part.targets
    dense = g if X is not None else 0
    for cut, teacher in ((slice(0, dense), X), (slice(dense, n), None)):
        if cut.stop == cut.start:
            continue
        x, stride = (S, 0) if teacher is None else (teacher, teacher.stride(0))
        rows = (v[cut].contiguous() for v in (stats.lse, mean, w, slope, targets))
        _launch(
            _gradient_kernel, cut.stop - cut.start, S[cut], x, G[cut], *rows, V,
            S.stride(0), stride, G.stride(0),
            TEACHER=teacher is not None, SHARED=plan.shared_head,
        )  # fmt: skip
    if stats.sparse is not None and part.ids is not None:
        G[:g].scatter_add_(-1, part.ids.long(), (weight[:, None] * stats.sparse).to(dtype))
    return G
