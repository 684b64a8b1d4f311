"""Who teaches, and the divergence of the student from it: our losses on TRL's model."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hdpo_env.batching import TokenBatch, token_batch
from hdpo_env.losses import HeadLoss, Hidden, TopK, head_loss, teacher_topk
from hdpo_env.policies.base import Head
from hdpo_plugins.trl.compat import causal_model, first_weights, head_of, hidden_states

Ids = Sequence[int]


class Told(NamedTuple):
    """What the teacher makes of every completion token: hidden states and the head to read them."""

    hidden: Tensor  # [N, d]
    head: Head | None  # None: the student's own


class Teacher:
    """The model with privileged context: its weights of this very step, or the first ones.

    First weights: a PEFT model without its adapters (or under TRL's "ref" copy of them); else TRL's
    reference model where ``beta > 0`` made one; else a frozen copy. After resuming they are those
    of the model that was given to the trainer, so give it the one that training began with.
    """

    def __init__(self, trainer: Any, kind: str) -> None:
        self.trainer, self.student = trainer, causal_model(trainer)
        self.is_frozen, self.causal = kind == "frozen", self.student
        has_adapters = hasattr(trainer.accelerator.unwrap_model(trainer.model), "peft_config")
        if self.is_frozen and not has_adapters:
            ref = trainer.ref_model
            self.causal = causal_model(trainer, ref) if ref is not None else _frozen(self.student)

    def reads(self, prompts: Sequence[Ids], completions: Sequence[Ids]) -> Told:
        """Hidden states at the completions after the privileged prompts: no gradient, no dropout.

        To be called before the student's forward pass: adapters are switched off and on here.
        """
        batch = self.batch(prompts, completions)
        weights = first_weights(self.trainer) if self.is_frozen else nullcontext()
        with torch.no_grad(), _evaluating(self.causal), weights:
            hidden = hidden_states(self.trainer, self.causal, batch)
            # read here: PEFT's modules_to_save may hold a head that is trained
            head = head_of(self.causal) if self.is_frozen else None
        return Told(hidden, head)

    def batch(self, prompts: Sequence[Ids], completions: Sequence[Ids]) -> TokenBatch:
        """Prompts and completions as right-padded tensors on the model's device."""
        return token_batch(
            prompts,
            completions,
            pad_id=self.trainer.processing_class.pad_token_id,
            device=self.trainer.accelerator.device,
        )


def distillation(
    student: Tensor,
    head: Head,
    told: Told,
    *,
    targets: Tensor,
    weight: Tensor,
    divergence: str,
    top_k: int,
    tail: str,
    temperature: float,
    old_logprobs: Tensor | None = None,
) -> HeadLoss:
    """``sum_n weight_n D_n``, D the divergence between student and teacher, both tempered.

    ``old_logprobs`` of completions from an older policy add the factor sg[rho] (SDPG, A.3).
    """
    W, bias = told.head or head
    if divergence == "jsd":
        k = min(top_k, W.shape[0])
        teacher: Hidden | TopK = teacher_topk(told.hidden, W, k, bias=bias, temperature=temperature)
    else:
        teacher = Hidden(told.hidden.to(student.dtype), *(told.head or ()))
    return head_loss(
        student,
        head.weight,
        targets,
        teacher=teacher,
        divergence=divergence,  # type: ignore[arg-type]
        tail=tail,  # type: ignore[arg-type]
        weight=weight,
        old_logprobs=old_logprobs,
        bias=head.bias,
        temperature=temperature,
    )


def _frozen(causal: Any) -> Any:
    twin = copy.deepcopy(causal)
    return twin.requires_grad_(False).eval()


@contextmanager
def _evaluating(causal: Any) -> Iterator[None]:
    """Without dropout or gradient checkpointing, every module's mode restored."""
    modes = [(module, module.training) for module in causal.modules()]
    causal.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
