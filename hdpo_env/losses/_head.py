"""The one pass over the head: chunks of rows, products, row work, gradients in the forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from hdpo_env.losses import _check, _project, _rows
from hdpo_env.losses._merge import Whole


@dataclass(frozen=True)
class Job:
    """Everything that is not differentiated. Weights are wide and 0 without a teacher."""

    weight: Tensor  # [N]
    mask: Tensor  # [N] rows that token_loss sees
    targets: Tensor | None
    token_loss: Callable[[Tensor, Tensor], Tensor] | None
    old_logprobs: Tensor | None
    teacher_h: Tensor | None
    teacher_W: Tensor | None  # None: the student's head
    teacher_bias: Tensor | None
    ids: Tensor | None
    log_q: Callable[[Tensor], Tensor] | None  # rows -> [g, k + 1]
    inverse_temp: float
    chunk: int
    grad: bool
    plan: _rows.Plan

    @property
    def merge(self) -> Whole:
        """How this rank's slice of the vocabulary becomes the whole."""
        return self.plan.merge


class HeadFunction(torch.autograd.Function):
    """``(loss, logprobs, divergence, entropy)``; the backward pass only scales what is there."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, W: Tensor, bias: Tensor | None, job: Job) -> Any:
        needs = tuple(ctx.needs_input_grad[:3]) if job.grad else (False, False, False)
        with torch.autocast(h.device.type, enabled=False):
            run = _Run(h, W, bias, job, _project.Gradients(h, W, needs, job.inverse_temp))
            run.all_chunks()
        grads = run.grads.finish(job.merge.sum if job.merge.sharded else None)
        ctx.save_for_backward(*grads)
        outputs = (run.logprobs, run.value, run.entropy)
        ctx.mark_non_differentiable(*outputs)
        return (run.token_losses.sum() + run.distill_losses.sum(), *outputs)

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:
        grad = outputs[0]
        whole = bool(grad == 1)  # the usual case needs no copy of the head's gradient
        scaled = (x if x is None or whole else x * grad.to(x.dtype) for x in ctx.saved_tensors)
        return (*scaled, None)


def _kernels(S: Tensor, plan: _rows.Plan, dense: bool) -> ModuleType | None:
    """The GPU's kernels where there is a GPU, Triton, and a case they know."""
    if not (S.is_cuda and S.dtype == torch.float32 and find_spec("triton")):
        return None
    from hdpo_env.losses import _triton

    return _triton if _triton.serves(plan, dense) else None


class _Run:
    """The state of one forward pass."""

    def __init__(
        self, h: Tensor, W: Tensor, bias: Tensor | None, job: Job, grads: _project.Gradients
    ) -> None:
        self.h, self.W, self.bias, self.job, self.grads = h, W, bias, job, grads
        self.wide = _project.wide_dtype(h, W)
        per_row = h.new_zeros((7, h.shape[0]), dtype=self.wide).unbind()
        self.logprobs, self.value, self.entropy, self.lse, self.lse_teacher = per_row[:5]
        self.token_losses, self.distill_losses = per_row[5:]
        self.order, self.distilled, self.unseen = self._sorted_rows()

    def _sorted_rows(self) -> tuple[Tensor, int, int]:
        """Active rows: distilled only, both, token loss only; each kind is a slice of a chunk."""
        gate, mask = self.job.weight != 0, self.job.mask
        kinds = [(k).nonzero().squeeze(-1) for k in (gate & ~mask, gate & mask, mask & ~gate)]
        return torch.cat(kinds), len(kinds[0]) + len(kinds[1]), len(kinds[0])

    def all_chunks(self) -> None:
        """Fill every output and gradient."""
        n = len(self.order)
        if n == 0:
            return
        size = -(-n // -(-n // self.job.chunk))  # chunks of nearly one size
        buffers = self._buffers(size, min(size, self.distilled))
        for start in range(0, n, size):
            rows = self.order[start : start + size]
            g = min(max(self.distilled - start, 0), len(rows))
            unseen = min(max(self.unseen - start, 0), len(rows))
            self._chunk(rows, g, unseen, *self._logits(rows, g, *buffers))
        _check.finite_lse("student", self.lse)
        _check.finite_lse("teacher", self.lse_teacher)

    def _buffers(self, size: int, distilled: int) -> tuple[Tensor, Tensor | None]:
        """Room for a chunk's logits, the teacher's counterpart behind them or in low precision."""
        V, dense = self.W.shape[0], distilled if self.job.teacher_h is not None else 0
        if dense and self.job.teacher_W is None and _project.native_wide_output(self.h, self.W):
            # The difference of two nearby logits keeps its digits in bf16, at half the traffic.
            narrow = self.h.new_empty((dense, V))
            return self.h.new_empty((size, V), dtype=self.wide), narrow
        return self.h.new_empty((size + dense, V), dtype=self.wide), None

    def _logits(
        self, rows: Tensor, g: int, wide: Tensor, narrow: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The chunk's student logits, and the teacher's or the difference for its first g rows."""
        W, job, h, c = self.W, self.job, self.h[rows], len(rows)
        if job.teacher_h is None or g == 0:
            return _project.logits(h, W, self.bias, job.inverse_temp, wide[:c]), None
        there = job.teacher_h[rows[:g]]
        if job.teacher_W is not None:
            S = _project.logits(h, W, self.bias, job.inverse_temp, wide[:c])
            return S, _project.logits(
                there, job.teacher_W, job.teacher_bias, job.inverse_temp, wide[c : c + g]
            )
        # One product of the difference: nothing is lost to the rounding of two large logits.
        apart = h[:g].to(self.wide) - there.to(self.wide)
        if narrow is not None:
            S = _project.logits(h, W, self.bias, job.inverse_temp, wide[:c])
            X = _project.logits(apart.to(h.dtype), W, None, job.inverse_temp, narrow[:g])
            return S, X
        both = torch.cat([h.to(self.wide), apart])  # one product reads the head once
        S, X = _project.logits(both, W, None, job.inverse_temp, wide[: c + g]).split([c, g])
        return S if self.bias is None else S.add_(self.bias * job.inverse_temp), X

    def _chunk(self, rows: Tensor, g: int, unseen: int, S: Tensor, X: Tensor | None) -> None:
        job = self.job
        part, kernels = self._part(rows, g), _kernels(S, job.plan, X is not None)
        stats = (kernels or _rows).read(S, X, g, part, job.plan)
        weight = job.weight[rows[:g]]
        if job.old_logprobs is not None:
            weight = weight * (stats.logprobs[:g] - job.old_logprobs[rows[:g]]).exp()
        slope = self._token_loss(rows, unseen, stats.logprobs)
        self._record(rows, g, stats, weight)
        if self.grads.wanted:
            live = slope != 0
            live[:g] |= weight != 0
            low = _project.native_wide_output(self.h, self.W)
            dtype = self.W.dtype if low and kernels else self.wide
            if X is None and kernels is None and not S.is_cuda:
                G, scale = _rows.factor(S, part, stats, weight, slope, job.plan)
            else:
                write, scale = (kernels or _rows).write, None
                G = write(S, X, part, stats, weight, slope, job.plan, dtype)
            self._differentiate(rows, G, live, scale)

    def _part(self, rows: Tensor, g: int) -> _rows.Part:
        job = self.job
        targets = None if job.targets is None else job.targets[rows]
        if job.ids is None or job.log_q is None or g == 0:
            return _rows.Part(targets)
        return _rows.Part(targets, job.ids[rows[:g]], job.log_q(rows[:g]).to(self.wide))

    def _token_loss(self, rows: Tensor, unseen: int, logprobs: Tensor) -> Tensor:
        """The token loss of the rows that have one, and its slope in each log-probability."""
        slope = torch.zeros_like(logprobs)
        if self.job.token_loss is None or unseen == len(rows):
            return slope
        seen = rows[unseen:]
        with torch.enable_grad():
            leaf = logprobs[unseen:].clone().requires_grad_()
            losses = self.job.token_loss(leaf, seen)
            if losses.shape != leaf.shape:
                raise ValueError(
                    f"token_loss returned shape {list(losses.shape)} for {len(seen)} rows: it must "
                    f"return one weighted loss a row"
                )
            if losses.requires_grad:
                grad = torch.autograd.grad(losses.sum(), leaf, allow_unused=True)[0]
                slope[unseen:] = 0.0 if grad is None else grad
        self.token_losses[seen] = losses.detach().to(self.wide)
        return slope

    def _record(self, rows: Tensor, g: int, stats: _rows.Stats, weight: Tensor) -> None:
        self.lse[rows], self.entropy[rows] = stats.lse, stats.entropy
        self.logprobs[rows] = stats.logprobs
        if g:
            self.value[rows[:g]] = stats.value
            self.distill_losses[rows[:g]] = weight * stats.value
        if len(stats.lse_teacher):
            self.lse_teacher[rows[:g]] = stats.lse_teacher

    def _differentiate(self, rows: Tensor, G: Tensor, live: Tensor, scale: Tensor | None) -> None:
        """Rows without gradient (A = 0, clipped) cost no product once half of a chunk is such."""
        count = int(live.sum())
        if count > len(rows) // 2:
            self.grads.add(rows, G, scale)
        elif count:
            self.grads.add(rows[live], G[live], None if scale is None else scale[live])
