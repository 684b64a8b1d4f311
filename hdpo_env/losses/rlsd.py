"""RLSD: the teacher re-weights the advantage of each token instead of adding a divergence."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def rlsd_advantages(
    advantages: Float[Tensor, "*N"],
    logprobs: Float[Tensor, "*N"],
    teacher_logprobs: Float[Tensor, "*N"],
    *,
    mix: float,
    clip: float,
) -> Float[Tensor, "*N"]:
    """``A_t = A [(1 - l) + l clip(exp(sign(A) (log q - log p)(y_t)), 1 - e, 1 + e)]``.

    l = `mix`, e = `clip`. A token the teacher likes more than the student does gets more of a
    positive advantage and less of a negative one. Detached from both models; exactly 0 where A is
    0; equal to A where the two agree, and for ``mix = 0``.

    Raises:
        ValueError: `mix` or `clip` outside [0, 1].

    Source: RLSD arXiv 2604.03128.

    >>> import torch
    >>> ones, better = torch.ones(1), torch.tensor([0.1])
    >>> round(rlsd_advantages(ones, torch.zeros(1), better, mix=1.0, clip=0.5).item(), 6)
    1.105171
    """
    for name, number in (("mix", mix), ("clip", clip)):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} = {number}: it must lie in [0, 1]")
    a = advantages.detach()
    gap = a.sign() * (teacher_logprobs - logprobs).detach()
    return a * ((1 - mix) + mix * gap.exp().clamp(1 - clip, 1 + clip))
