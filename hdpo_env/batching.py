"""Token ids -> padded tensors: the only place that pads or shifts by one.

Completions are never re-tokenised. The student's and the teacher's sequence of one ``Row`` end in
the same completion ids, so their flat token rows line up one to one although the prompts differ.

B sequences, L positions (prompt + completion, padded), N completion tokens of all B sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence to learn from.

    ``policy_weight`` and ``distill_weight`` multiply every token of the row in the two terms,
    global normaliser included; 0 switches a term off for this row. ``teacher_ids`` is the
    privileged prompt, or None where no teacher reads the row.
    """

    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    advantage: float = 0.0
    policy_weight: float = 0.0
    reference_weight: float = 0.0
    distill_weight: float = 0.0
    imitation_weight: float = 0.0
    teacher_ids: tuple[int, ...] | None = field(default=None, repr=False)
    behaviour_logprobs: tuple[float, ...] = ()

    @property
    def num_tokens(self) -> int:
        """T, the number of completion tokens."""
        return len(self.completion_ids)

    @property
    def needs_teacher(self) -> bool:
        """Whether a teacher has to read this row."""
        return self.teacher_ids is not None


class TokenBatch(NamedTuple):
    """Right-padded sequences and the flat list of the completion tokens in them.

    Token n is predicted by the hidden state ``[row[n], position[n]]`` and is ``target[n]``.
    """

    input_ids: Int[Tensor, "B L"]
    attention_mask: Bool[Tensor, "B L"]
    row: Int[Tensor, " N"]
    position: Int[Tensor, " N"]
    target: Int[Tensor, " N"]

    def gather(self, hidden: Float[Tensor, "B L d"]) -> Float[Tensor, "N d"]:
        """The hidden states that predict the completion tokens."""
        return hidden[self.row, self.position]

    def per_token(
        self, values: Sequence[float], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, " N"]:
        """One number a sequence, repeated for each of its completion tokens."""
        return torch.tensor(values, device=self.row.device, dtype=dtype)[self.row]


def token_batch(
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    *,
    pad_id: int,
    device: torch.device | str = "cpu",
) -> TokenBatch:
    """Concatenate each prompt with its completion and pad on the right.

    Raises:
        ValueError: a prompt is empty (its first completion token would have no predictor).

    >>> batch = token_batch([[5, 6], [7]], [[8], [9, 1]], pad_id=0)
    >>> batch.input_ids.tolist(), batch.position.tolist(), batch.target.tolist()
    ([[5, 6, 8], [7, 9, 1]], [1, 0, 1], [8, 9, 1])
    """
    if empty := [i for i, p in enumerate(prompts) if not p]:
        raise ValueError(f"prompt {empty[0]} of the batch has no tokens; encode at least one")
    rows = [[*p, *c] for p, c in zip(prompts, completions, strict=True)]
    width = max(map(len, rows), default=0)
    ids = [r + [pad_id] * (width - len(r)) for r in rows]
    mask = [[True] * len(r) + [False] * (width - len(r)) for r in rows]
    where = [
        (b, len(p) - 1 + t)
        for b, (p, c) in enumerate(zip(prompts, completions, strict=True))
        for t in range(len(c))
    ]
    return TokenBatch(
        input_ids=torch.tensor(ids, device=device, dtype=torch.long).reshape(len(rows), width),
        attention_mask=torch.tensor(mask, device=device, dtype=torch.bool).reshape(
            len(rows), width
        ),
        row=torch.tensor([b for b, _ in where], device=device, dtype=torch.long),
        position=torch.tensor([s for _, s in where], device=device, dtype=torch.long),
        target=torch.tensor([t for c in completions for t in c], device=device, dtype=torch.long),
    )


def micro_batches(rows: Sequence[Row], size: int) -> Iterator[list[Row]]:
    """Consecutive slices of at most ``size`` rows, sorted by length to waste little padding.

    The weights in the rows are global, so the slicing changes no number (up to rounding).
    """
    ordered = sorted(rows, key=lambda r: len(r.prompt_ids) + len(r.completion_ids))
    for start in range(0, len(ordered), size):
        yield list(ordered[start : start + size])
