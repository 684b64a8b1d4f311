"""Forward passes whose head is replaced: hidden rows go into a loss instead of into logits.

A causal language model ends in ``head(hidden)``. While the head's ``forward`` is another function,
the same forward pass of the same DeepSpeed engine hands that function the hidden states, and no
``[B, T, V]`` exists. It runs inside the head's own module call, so that a partitioned (ZeRO-3) head
is whole there, and gradients reach it as those of any other module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hdpo_env.batching import TokenBatch, token_batch
from hdpo_env.policies.probe import head_input, output_head, replaced

RowFunction = Callable[[Tensor, Tensor, Tensor | None], Any]  # (h[N, d], W, bias) -> anything


def checked_head(engine: nn.Module, device: Any) -> nn.Linear:
    """The head of an engine's model, after one forward pass of two tokens through it.

    Every rank must call it: under ZeRO-3 they run the pass together.

    Raises:
        ConfigError: the head is not linear, or the model changes its logits afterwards.
    """
    head, name = output_head(engine.module), type(engine.module).__name__
    batch = token_batch([[0]], [[0]], pad_id=0, device=device)
    with evaluating(engine):
        head_input(lambda: logits_of(engine, batch), head, name)
    return head


def run(engine: nn.Module, head: nn.Linear, batch: TokenBatch, function: RowFunction) -> Any:
    """``function(hidden rows, W, bias)`` of the batch's completion tokens, differentiable.

    A tensor that the function returns comes back through the engine, whose hooks then see its
    backward pass; anything else comes back as it is.
    """
    results: list[Any] = []

    def instead(hidden: Tensor) -> Tensor:
        found = function(batch.gather(hidden), head.weight, head.bias)
        results.append(found)
        return found if isinstance(found, Tensor) else hidden[..., :1]

    with replaced(head, instead):
        logits = logits_of(engine, batch)
    return logits if isinstance(results[0], Tensor) else results[0]


def logits_of(engine: nn.Module, batch: TokenBatch) -> Tensor:
    """What the head returns in a forward pass of the batch, [B, L, ...]."""
    mask = batch.attention_mask.long()
    positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
    return engine(batch.input_ids, attention_mask=mask, position_ids=positions)["logits"]


@torch.no_grad()
def read(engine: nn.Module, head: nn.Linear, batch: TokenBatch, function: RowFunction) -> Any:
    """`run` of a teacher: no gradient, no dropout."""
    with evaluating(engine):
        return run(engine, head, batch, function)


@contextmanager
def evaluating(engine: nn.Module) -> Iterator[None]:
    """Without dropout; afterwards the engine is in the mode that it was in."""
    was_training = engine.training
    engine.eval()
    try:
        yield
    finally:
        engine.train(was_training)


def select_rows(hidden: Tensor, rows: Tensor, attention_mask: Tensor) -> Tensor:
    """The chosen rows [N, d] of hidden states [B, L, d], or of packed ones [1, sum L, d].

    ``rows`` and ``attention_mask`` are [B, L]; packing keeps what attention sees, in order.
    """
    if hidden.shape[:2] == rows.shape:
        return hidden[rows]
    return hidden[0][rows[attention_mask.bool()]]


def padded_to(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list:
    """At least one pair of prompt and completion, so that every rank runs a forward pass."""
    return list(pairs) or [((0,), (0,))]
