"""SDPG: policy term, gated KL to the privileged self and reference term on the same rows."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from hdpo_env.losses._prepare import Hidden
from hdpo_env.losses.fused import HeadLoss, head_loss
from hdpo_env.losses.policy import importance_ratio, policy_loss
from hdpo_env.losses.regularizer import Kind, reference_kl


def sdpg_loss(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    targets: Int[Tensor, " N"],
    *,
    advantages: Float[Tensor, " N"],
    weight: Float[Tensor, " N"],
    teacher: Hidden | None,
    distill_weight: float,
    ref_logprobs: Float[Tensor, " N"] | None = None,
    reference_weight: float = 0.0,
    reference_kind: Kind = "urkl",
    old_logprobs: Float[Tensor, " N"] | None = None,
    gated: bool = True,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    dual_clip: float | None = None,
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    chunk: int | None = None,
) -> HeadLoss:
    """``L = sum_n u_n [ L_out + beta 1[A > 0] KL(p || sg q) + alpha L_K(p, ref) ]_n``.

    ``u = weight`` is `token_weights`, ``beta = distill_weight`` is `schedules.distill_weight(k)`,
    ``alpha = reference_weight``. On-policy (``old_logprobs=None``) ``L_out = -A log p``; with the
    behaviour policy's log-probs it is the clipped surrogate, and ``sg[rho]`` weights both others.
    ``gated=False`` distils on every token (plain OPD). Gated-out rows cost no teacher product.

    Source: SDPG arXiv 2606.04036; reference terms section 3.4, sg[rho] appendix A.3.
    """

    def token_loss(logprobs: Tensor, rows: Tensor) -> Tensor:
        old = None if old_logprobs is None else old_logprobs[rows]
        loss = _outcome(logprobs, old, advantages[rows], clip_low, clip_high, dual_clip)
        if ref_logprobs is not None and reference_weight:
            pull = _to_reference(logprobs, ref_logprobs[rows], old, reference_kind)
            loss = loss + reference_weight * pull
        return weight[rows] * loss

    gate = (advantages > 0).to(weight.dtype) if gated else 1.0
    return head_loss(
        h, W, targets, token_loss, mask=weight != 0, teacher=teacher,
        weight=distill_weight * gate * weight, old_logprobs=old_logprobs,
        bias=bias, temperature=temperature, chunk=chunk,
    )  # fmt: skip


def _outcome(
    logprobs: Tensor, old: Tensor | None, adv: Tensor, low: float, high: float, dual: float | None
) -> Tensor:
    """``L_out``: ``-A log p`` where the rollouts are on-policy, else the clipped surrogate."""
    kind = "reinforce" if old is None else "clip"
    return policy_loss(
        logprobs, old, adv, kind=kind, clip_low=low, clip_high=high, dual_clip=dual
    ).loss


def _to_reference(logprobs: Tensor, ref: Tensor, old: Tensor | None, kind: Kind) -> Tensor:
    """``sg[rho] L_K``, with rho = 1 where the rollouts are on-policy."""
    ratio = None if old is None else importance_ratio(logprobs, old)
    return reference_kl(logprobs, ref, kind=kind, ratio=ratio).loss
