"""What the fused operators refuse. Every message: the argument, its value, the rule, the remedy."""

from __future__ import annotations

import torch
from torch import Tensor

DIVERGENCES = ("kl_student_teacher", "kl_teacher_student", "jsd")
TAILS = ("exact", "paper", "bucket")


def head(h: Tensor, W: Tensor, bias: Tensor | None, who: str = "") -> None:
    """Two floating matrices of one width, and a bias of one number a token."""
    for name, x in ((f"h{who}", h), (f"W{who}", W)):
        if x.ndim != 2 or not x.is_floating_point():
            kind = f"{x.dtype}{list(x.shape)}"
            raise ValueError(f"{name} is {kind}: it must be a floating matrix [rows, width]")
    if h.shape[1] != W.shape[1]:
        raise ValueError(
            f"h{who} is {h.shape[1]} wide and W{who} {W.shape[1]}: both need the hidden width; "
            f"W is [vocabulary, width], as in torch.nn.Linear.weight"
        )
    if W.shape[0] == 0:
        raise ValueError(f"W{who} has 0 rows: the vocabulary must not be empty")
    if bias is not None and bias.shape != W.shape[:1]:
        raise ValueError(f"bias{who} has shape {list(bias.shape)}: it must be [V] = [{W.shape[0]}]")


def scalars(temperature: float, softcap: float | None, chunk: int | None) -> None:
    """A positive temperature, no soft cap, a positive chunk."""
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature = {temperature}: it must be positive and finite")
    if softcap is not None:
        raise ValueError(
            f"softcap = {softcap}: logits behind cap * tanh(z / cap) are not supported, the "
            f"gradient would be wrong; use a model without final_logit_softcapping"
        )
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk = {chunk}: it must be at least 1 row, or None to choose")


def rows(name: str, x: Tensor | None, n: int) -> None:
    """A vector with one entry a row."""
    if x is not None and x.shape[:1] != (n,):
        raise ValueError(f"{name} has shape {list(x.shape)}: it needs N = {n} rows, as h has")


def weights(weight: Tensor) -> None:
    """Finite and not negative."""
    if not bool(((weight >= 0) & weight.isfinite()).all()):
        bad = weight[~((weight >= 0) & weight.isfinite())][0].item()
        raise ValueError(f"weight holds {bad}: weights must be finite and >= 0 (0 skips a row)")


def indices(name: str, ids: Tensor, size: int) -> None:
    """Integers in [0, size)."""
    if ids.dtype == torch.bool or ids.is_floating_point():
        raise ValueError(f"{name} is {ids.dtype}: it must hold integers")
    if ids.numel() == 0:
        return
    low, high = (int(x) for x in torch.aminmax(ids))
    if low < 0 or high >= size:
        bad = low if low < 0 else high
        raise ValueError(
            f"{name} holds {bad}: ids must lie in [0, V = {size}) on every row that counts"
        )


def choice(name: str, value: str, options: tuple[str, ...]) -> None:
    """One of a few names."""
    if value not in options:
        raise ValueError(f"{name} = {value!r}: use one of {', '.join(options)}")


def top(ids: Tensor, logprobs: Tensor, size: int) -> None:
    """The teacher's top k of the rows that count: distinct ids in range, some mass, no NaN."""
    k = ids.shape[-1]
    if ids.shape != logprobs.shape or ids.ndim != 2:
        raise ValueError(
            f"ids {list(ids.shape)} and logprobs {list(logprobs.shape)}: both must be [N, k]"
        )
    if not 0 < k <= size:
        raise ValueError(f"k = {k}: the teacher needs 1 <= k <= V = {size} tokens a row")
    indices("ids", ids, size)
    repeated = ids.sort(-1).values.diff(dim=-1) == 0
    if bool(repeated.any()):
        row = int(repeated.any(-1).nonzero()[0])
        raise ValueError(f"ids {ids[row].tolist()}: the k tokens of a row must be distinct")
    mass = logprobs.exp().sum(-1)
    if not bool(((mass > 0) & mass.isfinite()).all()):
        raise ValueError(
            "logprobs hold a row that is NaN or without any mass: an empty teacher teaches "
            "nothing; give its rows weight 0"
        )


def finite_lse(name: str, lse: Tensor) -> None:
    """The log-normaliser of every projected row is a number: else a logit was NaN or +inf."""
    if not bool(lse.isfinite().all()):
        row = int((~lse.isfinite()).nonzero()[0])
        raise ValueError(
            f"{name} logits give log-normaliser {lse[row].item()} (projected row {row}): logits "
            f"must not be NaN or +inf, nor -inf in every column; look at h, W and bias"
        )
