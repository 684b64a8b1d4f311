"""Divergences outcome by outcome: terms that are never negative, and slopes for the gradient.

p is the student's probability of an outcome, q the teacher's, ``delta = log p - log q``. A
divergence is ``D = sum of terms``; its gradient in the student's logits is
``p (slope - sum p slope)``. The terms are the textbook ones plus a multiple of ``q - p``, which
sums to 0: each becomes non-negative and flat at p = q, so that an error e in a log-normaliser costs
e^2 instead of e, and nothing cancels when D is tiny.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

LN2 = math.log(2.0)
FAR = 30.0  # beyond exp(30) a ratio is written as two terms: expm1 would overflow against p = 0


def pointwise(kind: str, p: Tensor, q: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Terms and slopes of a divergence; where p = q = 0 delta may be NaN and both are 0."""
    delta = torch.where((p == 0) & (q == 0), 0.0, delta)
    if kind == "kl_student_teacher":
        return _kl(p, q, delta), torch.where(p > 0, delta, 0.0)
    if kind == "kl_teacher_student":
        return _kl(q, p, -delta), -(-delta).clamp(max=80.0).exp()
    return _jsd(p, q, delta.clamp(-100.0, 100.0))


def _kl(p: Tensor, q: Tensor, delta: Tensor) -> Tensor:
    """``p log(p/q) + q - p``, of which the terms of KL(p || q) are made."""
    delta = delta.clamp(min=-1e4)  # 0 * -inf: an outcome with p = 0 leaves the term q
    return torch.where(delta > -FAR, p * (delta + torch.expm1(-delta)), p * delta + q - p)


def _jsd(p: Tensor, q: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """``p/2 log(p/m) + q/2 log(q/m)`` with m the mean; the slope is ``log(p/m) / 2``."""
    slope = 0.5 * (LN2 - softplus(-delta))
    far = p * slope + 0.5 * q * (LN2 - softplus(delta))
    half = 0.5 * delta
    log_cosh = torch.log1p(2.0 * torch.sinh(0.5 * half).square())
    near = -0.25 * p * torch.expm1(-delta) * delta - 0.5 * (p + q) * log_cosh
    return torch.where(delta.abs() < 1.0, near, far), slope
