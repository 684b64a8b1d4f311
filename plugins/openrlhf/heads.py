"""Forward passes whose head is replaced: hidden rows go into a loss instead of into logits.

A causal language model ends in ``head(hidden)``. While the head's ``forward`` is another function,
the same forward pass of the same DeepSpeed engine hands that function the hidden states, and no
``[B, T, V]`` exists. It runs inside the head's own module call, so that a partitioned (ZeRO-3) head
is whole there, and gradients reach it as those of any other module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from hdpo_env.batching import TokenBatch
from hdpo_env.errors import ConfigError

RowFunction = Callable[[Tensor, Tensor, Tensor | None], Any]  # (h[N, d], W, bias) -> anything
# What some models do to logits after the head: the function that replaced it would not see it.
AFTER_THE_HEAD = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def output_head(model: Any) -> nn.Linear:
    """The language-model head of a model.

    Raises:
        ConfigError: it is no plain linear map of hidden states to logits.
    """
    head, config = model.get_output_embeddings(), getattr(model, "config", None)
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"the model's head is a {type(head).__name__}: the plugins read rows of hidden states "
            "through a torch.nn.Linear; leave lm_head out of --ds.lora.target_modules"
        )
    for name in AFTER_THE_HEAD:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise ConfigError(
                f"the model applies {name} to its logits after the head, which the plugins' "
                "distributions would lack: use a model without it"
            )
    return head


@contextmanager
def replaced(head: nn.Module, forward: Callable[[Tensor], Any]) -> Iterator[Callable]:
    """While entered, a module's forward is this function; gives the function it replaces."""
    before = head.__dict__.get("forward")
    original = head.forward
    head.forward = forward
    try:
        yield original
    finally:
        if before is None:
            del head.forward
        else:
            head.forward = before


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

    mask = batch.attention_mask.long()
    positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
    with replaced(head, instead):
        output = engine(batch.input_ids, attention_mask=mask, position_ids=positions)
    return output["logits"] if isinstance(results[0], Tensor) else results[0]


@torch.no_grad()
def read(engine: nn.Module, head: nn.Linear, batch: TokenBatch, function: RowFunction) -> Any:
    """`run` of a teacher: no gradient, no dropout."""
    was_training = engine.training
    engine.eval()
    try:
        return run(engine, head, batch, function)
    finally:
        engine.train(was_training)


def base_weights(engine: Any, is_frozen: bool) -> Any:
    """A context in which a LoRA model is its own base model, if it is to be."""
    return engine.module.disable_adapter() if is_frozen else nullcontext()


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
