"""What a model does after its head, asked of the model itself instead of a list of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hdpo_env.errors import ConfigError

LARGEST = 1000.0  # logits that a soft cap cannot leave alone


@contextmanager
def replaced(module: nn.Module, forward: Callable[[Tensor], Any]) -> Iterator[Callable]:
    """While entered, a module's forward is this function; gives the function it replaces."""
    before = module.__dict__.get("forward")
    original = module.forward
    module.forward = forward
    try:
        yield original
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before


def output_head(model: Any) -> nn.Linear:
    """The language-model head of a model.

    Raises:
        ConfigError: it is no plain linear map of hidden states to logits.
    """
    head = model.get_output_embeddings()
    if saved := getattr(head, "modules_to_save", None):  # PEFT wraps a head that it trains whole
        head = saved[head.active_adapters[0]]
    if not isinstance(head, nn.Linear):
        raise ConfigError(
            f"the head of {type(model).__name__} is a {type(head).__name__}: the losses read "
            "hidden states through a torch.nn.Linear; leave lm_head out of LoRA's target_modules"
        )
    return head


@torch.no_grad()
def head_input(forward: Callable[[], Tensor], head: nn.Linear, name: str) -> Tensor:
    """What the head reads in a forward pass, [..., d], where its output is the model's last word.

    Instead of logits the head answers with a ramp from -1000 to 1000, which the model must return
    as it is: so a soft cap, a scale or an added bias shows however small it is on this input. The
    pass runs inside the head's own call, so every rank of partitioned parameters can take part.

    Args:
        forward: runs the model once, on any input, and gives its logits [..., V].
        head: the model's `output_head`.
        name: what the model is called in an error.

    Raises:
        ConfigError: the head is not called once, or its output is changed afterwards.

    >>> head = nn.Linear(2, 3)
    >>> head_input(lambda: head(torch.ones(1, 2)), head, "a model").tolist()
    [[1.0, 1.0]]
    >>> head_input(lambda: 30 * torch.tanh(head(torch.ones(1, 2)) / 30), head, "a capped model")
    Traceback (most recent call last):
    ...
    hdpo_env.errors.ConfigError: a capped model changes logits after its head (1000 becomes 30, \
shape [1, 3] becomes [1, 3]), which the losses would not see: use a model without soft-capped or \
scaled logits
    """
    inputs: list[Tensor] = []
    ramps: list[Tensor] = []

    def ramp(hidden: Tensor) -> Tensor:
        values = torch.linspace(-LARGEST, LARGEST, len(head.weight), device=hidden.device)
        inputs.append(hidden)
        ramps.append(values.to(hidden.dtype).expand(*hidden.shape[:-1], -1).clone())
        return ramps[-1].clone()  # some models work in place

    with replaced(head, ramp):
        logits = forward().float()
    if len(inputs) != 1:
        raise ConfigError(
            f"{name} calls its head {len(inputs)} times in a forward pass, and the losses need it "
            "once: use another model, or one without a fused loss"
        )
    _check_unchanged(ramps[0].float(), logits, name)
    return inputs[0]


def _check_unchanged(said: Tensor, logits: Tensor, name: str) -> None:
    """What the head said is what the model says, to the digits of a bfloat16."""
    if logits.shape != said.shape or not torch.allclose(logits, said, rtol=0.01, atol=1e-3):
        raise ConfigError(
            f"{name} changes logits after its head ({said.max():g} becomes {logits.max():g}, "
            f"shape {list(said.shape)} becomes {list(logits.shape)}), which the losses would not "
            "see: use a model without soft-capped or scaled logits"
        )
