"""What the trainer asks of a policy: ids for a prompt, hidden states, a head, and samples.

Logits are never asked for whole: ``hidden @ head.weight.T + head.bias`` is formed chunk by chunk
inside the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hdpo_env.types import Completion, Prompt


class Head(NamedTuple):
    """The language-model head: ``logits = hidden @ weight.T + bias``."""

    weight: Float[Tensor, "V d"]
    bias: Float[Tensor, " V"] | None = None


@runtime_checkable
class TorchPolicy(Protocol):
    """A policy whose parameters can be trained. It owns its tokenizer.

    ``sample`` also makes it a ``hdpo_env.rollouts.Policy``; all its randomness comes from ``seed``.
    """

    eos_id: int
    pad_id: int

    @property
    def module(self) -> nn.Module:
        """What holds the trainable parameters."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        ...

    def encode(self, prompt: Prompt) -> tuple[int, ...]:
        """The prompt's token ids, up to where the completion begins."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of completion ids, special tokens left out."""
        ...

    def hidden(
        self, input_ids: Int[Tensor, "B L"], attention_mask: Bool[Tensor, "B L"]
    ) -> Float[Tensor, "B L d"]:
        """Last hidden states of right-padded rows, before the head."""
        ...

    def head(self) -> Head:
        """The head that turns hidden states into logits."""
        ...

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        num: int,
        temperature: float,
        max_tokens: int,
        seed: int,
        greedy: bool = False,
    ) -> list[list[Completion]]:
        """``num`` completions of each prompt, with their behaviour log-probabilities."""
        ...
