"""Shared cases: a random head with student and teacher, and the slow answer to every fused call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor

from hdpo_env.losses import HeadLoss, Hidden, TopK, reference


@dataclass(frozen=True)
class Case:
    """Float64 inputs of one call of head_loss, everything optional left out."""

    h: Tensor
    W: Tensor
    h_teacher: Tensor
    targets: Tensor
    kwargs: dict[str, Any] = field(default_factory=dict)

    def given(self, **kwargs: Any) -> Case:
        return replace(self, kwargs={**self.kwargs, **kwargs})

    def to(self, dtype: torch.dtype) -> Case:
        h, W, h_teacher = (x.to(dtype) for x in (self.h, self.W, self.h_teacher))
        return replace(self, h=h, W=W, h_teacher=h_teacher)


def make_case(
    seed: int = 0, n: int = 5, V: int = 11, d: int = 3, *, spread: float = 1.0, apart: float = 0.5
) -> Case:
    """`spread` scales the logits, `apart` the distance of the teacher's hidden states."""
    g = torch.Generator().manual_seed(seed)
    h, noise = (torch.randn(n, d, generator=g, dtype=torch.float64) for _ in range(2))
    W = torch.randn(V, d, generator=g, dtype=torch.float64) * spread / d**0.5
    return Case(h, W, h + apart * noise, torch.randint(V, (n,), generator=g))


def from_topk(row: Tensor, top: TopK, divergence: str, tail: str) -> Tensor:
    """The divergence of a row of full logits from a teacher's top k."""
    if divergence == "jsd":
        return reference.topk_jsd(row, top.ids, top.logprobs, tail, top.log_tail)
    return reference.topk_kl_teacher_student(row, top.ids, top.logprobs)


def brute(
    case: Case, h: Tensor, W: Tensor, token_loss: Any = None, *, teacher: Any = None,
    divergence: str = "kl_student_teacher", tail: str = "exact", weight: Tensor | None = None,
    mask: Tensor | None = None, old_logprobs: Tensor | None = None, bias: Tensor | None = None,
    temperature: float = 1.0,
) -> HeadLoss:  # fmt: skip
    """head_loss on full float64 logits by ordinary autograd, row by row, gates by if."""

    def logits(hidden: Tensor, head: Tensor, b: Tensor | None) -> Tensor:
        z = hidden.double() @ head.double().T
        return (z if b is None else z + b) / temperature

    z, n = logits(h, W, bias), len(h)
    weight = torch.zeros(n) if teacher is None else torch.ones(n) if weight is None else weight
    mask = torch.ones(n, dtype=torch.bool) if mask is None else mask
    out = HeadLoss(z.new_zeros(()), *(z.new_zeros(n) for _ in range(3)))
    loss = 0.0 * sum(x.sum().double() for x in (h, W, bias) if x is not None)
    for i in range(n):
        seen = token_loss is not None and bool(mask[i])
        if not seen and weight[i] == 0:
            continue
        row = z[i : i + 1]
        if token_loss is not None or old_logprobs is not None:
            logprob = reference.token_logprobs(row, case.targets[i : i + 1])
            out.logprobs[i] = logprob.detach()[0]
        if token_loss is not None:
            out.entropy[i] = reference.entropy(row.detach())[0]
        if seen:
            loss = loss + token_loss(logprob, torch.tensor([i])).sum()
        if weight[i] == 0:
            continue
        if isinstance(teacher, Hidden):
            head = (W.detach(), bias) if teacher.W is None else (teacher.W, teacher.bias)
            D = getattr(reference, divergence)(row, logits(teacher.h[i : i + 1], *head))
        else:
            top = TopK(*(None if x is None else x[i : i + 1] for x in teacher))
            D = from_topk(row, top, divergence, tail)
        rho = 1.0
        if old_logprobs is not None:
            rho = (logprob.detach() - old_logprobs[i]).exp()
        out.divergence[i] = D.detach()[0]
        loss = loss + (weight[i] * rho * D).sum()
    return out._replace(loss=loss)


@pytest.fixture(scope="session")
def cases() -> SimpleNamespace:
    return SimpleNamespace(make=make_case, brute=brute, Case=Case)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Outside the tests no import hook checks the annotations: bad input reaches our own checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
