"""Sums over masked tokens with a normaliser that comes from outside.

A mean over a step is a sum divided by a count over *all* micro-batches and ranks: the caller adds
the counts up (`count`), all-reduces them, and passes the total in. A mean of micro-batch means is
another number, which changes with the micro-batch size; no function here can produce one.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, where

Level = Literal["token", "sequence", "dr_grpo"]
LEVELS = ("token", "sequence", "dr_grpo")


def masked_sum(values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """``sum over mask of values``: 0 with zero gradient when the mask is empty.

    What is outside the mask is never read as a number: NaN or inf in padding changes neither the
    sum nor the gradient.

    >>> import torch
    >>> masked_sum(torch.tensor([1.0, float("nan")]), torch.tensor([True, False])).item()
    1.0
    """
    return where(mask, values, values.new_zeros(())).sum()


def masked_mean(
    values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"], denominator: float | int | Tensor
) -> Float[Tensor, ""]:
    """``masked_sum(values, mask) / denominator``, the denominator being the *global* count.

    0 with zero gradient when the mask is empty, also if the denominator is 0 then.

    Raises:
        ValueError: a negative denominator, or 0 with a mask that is not empty.

    >>> import torch
    >>> masked_mean(torch.tensor([1.0, 3.0]), torch.tensor([True, True]), 4).item()
    1.0
    """
    return masked_sum(values, mask) / checked_denominator(denominator, bool(mask.any()))


def checked_denominator(denominator: float | int | Tensor, in_use: bool) -> float:
    """The denominator as a positive float; 1 where it is 0 and nothing will be divided by it."""
    number = float(denominator)
    if not number >= 0 or (number == 0 and in_use):
        raise ValueError(
            f"denominator = {number}: it must be the count over the whole step (all micro-batches "
            f"and ranks), positive unless every mask is empty; add up count(mask, level=...)"
        )
    return number or 1.0


def count(mask: Bool[Tensor, "B T"], *, level: Level = "token") -> int:
    """What this micro-batch adds to the step's denominator for `token_weights`.

    ``token``: tokens in the mask. ``sequence``: rows with at least one token. ``dr_grpo``: all
    ``B * T`` places, so T must be the same for every micro-batch (the generation budget).

    >>> import torch
    >>> mask = torch.tensor([[True, True, False], [False, False, False]])
    >>> [count(mask, level=level) for level in ("token", "sequence", "dr_grpo")]
    [2, 1, 6]
    """
    checked_level(level)
    if level == "dr_grpo":
        return mask.numel()
    return int((mask if level == "token" else mask.any(-1)).sum())


def token_weights(
    mask: Bool[Tensor, "B T"], *, level: Level = "token", denominator: float | int | Tensor
) -> Float[Tensor, "B T"]:
    """The weight of every token's loss, so that the step's loss is a plain sum of weighted losses.

    ``token``: ``m / D``, D the tokens of the step (DAPO, HDPO, SDPG). ``sequence``:
    ``m / (len_i D)``, D the non-empty sequences of the step (GRPO). ``dr_grpo``: ``m / D``, D a
    constant that does not depend on lengths: sequences x generation budget (Dr. GRPO, arXiv
    2503.20783). Weights outside the mask are exactly 0; an empty mask gives all zeros.

    Raises:
        ValueError: an unknown level; a denominator that is negative, or 0 beside a token.

    >>> import torch
    >>> mask = torch.tensor([[True, True], [True, False]])
    >>> token_weights(mask, level="sequence", denominator=2).tolist()
    [[0.25, 0.25], [0.5, 0.0]]
    """
    checked_level(level)
    total = checked_denominator(denominator, bool(mask.any()))
    weights = mask.float() / total
    if level == "sequence":
        weights = weights / mask.sum(-1, keepdim=True).clamp(min=1)
    return weights


def checked_level(level: str) -> None:
    """Refuse a level that is not one of `LEVELS`."""
    if level not in LEVELS:
        raise ValueError(f"level = {level!r}: use one of {', '.join(LEVELS)}")
