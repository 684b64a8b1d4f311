"""The public arguments, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from hdpo_env.losses import _check, _project, _rows
from hdpo_env.losses._head import Job
from hdpo_env.losses._merge import Shards, Whole

Divergence = Literal["kl_student_teacher", "kl_teacher_student", "jsd"]
Tail = Literal["exact", "paper", "bucket"]
TokenLoss = Callable[[Tensor, Tensor], Tensor]

LOGITS_AT_ONCE = 1 << 25  # on the CPU: 128 MB of float32
ROWS_AT_ONCE = 2048  # on a GPU, where every chunk reads and writes the head's gradient once


class Hidden(NamedTuple):
    """A teacher given by its hidden states, over the student's head unless it has its own."""

    h: Tensor  # [N, d_teacher], row n is the teacher of row n
    W: Tensor | None = None  # [V, d_teacher]; None: the student's W and bias
    bias: Tensor | None = None  # [V], only beside W


class TopK(NamedTuple):
    """A teacher given by its k most probable tokens."""

    ids: Tensor  # [N, k] integers in [0, V), distinct within a row
    logprobs: Tensor  # [N, k]; renormalised over k where the divergence asks for it
    log_tail: Tensor | None = None  # [N] log of the mass outside, for tail="bucket"


class VocabShard(NamedTuple):
    """This rank of `group` holds the vocabulary's slice ``[start, start + W.shape[0])``."""

    group: torch.distributed.ProcessGroup
    start: int


class Head(NamedTuple):
    """The student's head and how to read it."""

    W: Tensor
    bias: Tensor | None
    temperature: float
    softcap: float | None
    chunk: int | None
    shard: VocabShard | None

    def merge(self) -> Whole:
        """Across ranks if there is a shard."""
        if self.shard is None:
            return Whole(self.W.shape[0])
        return Shards(self.shard.group, self.shard.start, self.W)

    def check(self, h: Tensor) -> None:
        """Refuse what cannot be read."""
        _check.head(h, self.W, self.bias)
        _check.scalars(self.temperature, self.softcap, self.chunk)

    def rows_at_once(self, h: Tensor, size: int) -> int:
        """Rows of a chunk; the same on every rank, which may hold slices of different sizes."""
        if self.chunk is not None:
            return self.chunk
        return ROWS_AT_ONCE if h.is_cuda else max(64, LOGITS_AT_ONCE // size)


class Terms(NamedTuple):
    """What is to be summed over the rows."""

    targets: Tensor | None
    token_loss: TokenLoss | None
    mask: Tensor | None
    teacher: Hidden | TopK | None
    divergence: str
    tail: str
    weight: Tensor | None
    old_logprobs: Tensor | None


def job(h: Tensor, head: Head, terms: Terms) -> Job:
    """Everything `HeadFunction` needs beside the three tensors it differentiates."""
    head.check(h)
    _check_terms(terms, h.shape[0])
    merge = head.merge()
    weight, mask = _weight(terms, h, head.W), _mask(terms, h)
    if terms.targets is not None:
        _check.indices("targets", terms.targets[mask | (weight != 0)], merge.size)
    hidden = _checked_hidden(terms.teacher, h, head.W)
    top = _checked_topk(terms, weight, merge.size)
    return Job(
        weight=weight,
        mask=mask,
        targets=terms.targets,
        token_loss=terms.token_loss,
        old_logprobs=_detached(terms.old_logprobs),
        teacher_h=None if hidden is None else hidden.h.detach(),
        teacher_W=None if hidden is None else _detached(hidden.W),
        teacher_bias=None if hidden is None else _detached(hidden.bias),
        ids=None if top is None else top.ids,
        log_q=None if top is None else partial(log_teacher, top, terms.tail),
        inverse_temp=1.0 / head.temperature,
        chunk=head.rows_at_once(h, merge.size),
        grad=torch.is_grad_enabled(),
        plan=_rows.Plan(
            divergence=terms.divergence,
            tail=terms.tail,
            shared_head=hidden is not None and hidden.W is None,
            entropy=terms.token_loss is not None,
            merge=merge,
        ),
    )


def log_teacher(top: TopK, tail: str, rows: Tensor) -> Tensor:
    """The teacher's log-probabilities on its k tokens and, last, on everything else."""
    logprobs = top.logprobs[rows].detach()
    logprobs = logprobs.to(_project.wide_dtype(logprobs))
    if tail != "bucket":
        rest = logprobs.new_full((len(rows),), float("-inf"))
    elif top.log_tail is not None:
        rest = top.log_tail[rows].detach().to(logprobs.dtype)
    else:
        rest = (1.0 - logprobs.exp().sum(-1)).clamp(min=0.0).log()
    return torch.log_softmax(torch.cat([logprobs, rest.unsqueeze(-1)], -1), -1)


def _detached(x: Tensor | None) -> Tensor | None:
    return None if x is None else x.detach()


def _check_terms(terms: Terms, n: int) -> None:
    _check.choice("divergence", terms.divergence, _check.DIVERGENCES)
    _check.choice("tail", terms.tail, _check.TAILS)
    for name in ("targets", "mask", "weight", "old_logprobs"):
        _check.rows(name, getattr(terms, name), n)
    if terms.mask is not None and terms.mask.dtype != torch.bool:
        raise ValueError(f"mask is {terms.mask.dtype}: it must be boolean, as in mask > 0")
    if terms.targets is None and (terms.token_loss or terms.old_logprobs is not None):
        raise ValueError("targets is None: token_loss and old_logprobs need the sampled tokens")


def _weight(terms: Terms, h: Tensor, W: Tensor) -> Tensor:
    wide, n = _project.wide_dtype(h, W), h.shape[0]
    if terms.teacher is None:
        return h.new_zeros(n, dtype=wide)
    if terms.weight is None:
        return h.new_ones(n, dtype=wide)
    _check.weights(terms.weight)
    return terms.weight.detach().to(wide)


def _mask(terms: Terms, h: Tensor) -> Tensor:
    if terms.token_loss is None:
        return h.new_zeros(h.shape[0], dtype=torch.bool)
    return h.new_ones(h.shape[0], dtype=torch.bool) if terms.mask is None else terms.mask


def _checked_hidden(teacher: Hidden | TopK | None, h: Tensor, W: Tensor) -> Hidden | None:
    if not isinstance(teacher, Hidden):
        return None
    own = W if teacher.W is None else teacher.W
    _check.head(teacher.h, own, teacher.bias, "_teacher")
    _check.rows("h_teacher", teacher.h, h.shape[0])
    if own.shape[0] != W.shape[0]:
        raise ValueError(
            f"W_teacher has {own.shape[0]} rows and W {W.shape[0]}: both need one vocabulary; "
            f"pad the smaller head and set the bias of the padding to -inf"
        )
    if teacher.W is None and teacher.bias is not None:
        raise ValueError("bias_teacher without W_teacher: over the student's head its bias is used")
    return teacher


def _checked_topk(terms: Terms, weight: Tensor, size: int) -> TopK | None:
    top = terms.teacher
    if not isinstance(top, TopK):
        return None
    _check.rows("ids", top.ids, weight.shape[0])
    _check.rows("log_tail", top.log_tail, weight.shape[0])
    used = weight != 0
    _check.top(top.ids[used], top.logprobs[used], size)
    if terms.divergence == "kl_student_teacher" and terms.tail != "bucket":
        raise ValueError(
            f"divergence = 'kl_student_teacher' with tail = {terms.tail!r}: it is infinite against "
            f"a teacher without mass outside its top k; use tail='bucket', 'jsd' or Hidden"
        )
    return top
