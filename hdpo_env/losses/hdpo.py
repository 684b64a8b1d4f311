"""HDPO: the policy term on the student's rollouts, top-k JSD on the survivors of its cliffs."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from hdpo_env.losses._prepare import Tail, TopK
from hdpo_env.losses.fused import HeadLoss, head_loss
from hdpo_env.losses.policy import policy_loss


def hdpo_loss(
    h: Float[Tensor, "N d"],
    W: Float[Tensor, "V d"],
    targets: Int[Tensor, " N"],
    *,
    advantages: Float[Tensor, " N"],
    old_logprobs: Float[Tensor, " N"],
    policy_weight: Float[Tensor, " N"],
    teacher: TopK | None,
    distill_weight: Float[Tensor, " N"] | None = None,
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    tail: Tail = "exact",
    bias: Float[Tensor, " V"] | None = None,
    temperature: float = 1.0,
    chunk: int | None = None,
) -> HeadLoss:
    """``L = sum_n u_n clip(rho_n, A_n) + sum_n v_n JSD(P_K || p)_n`` over one micro-batch of rows.

    ``u = policy_weight`` is `token_weights` on rollouts of the plain prompt and 0 on survivors;
    ``v = distill_weight`` is ``lambda / N_tok`` on survivors (correct privileged rollouts of cliff
    prompts) and 0 elsewhere, N_tok counting every distilled token of the step over all ranks. A row
    where both are 0 is never projected. Without a survivor pass ``teacher=None``: the term is 0.

    Source: HDPO arXiv 2603.23871; here with the exact tail (see `topk_jsd`).
    """

    def token_loss(logprobs: Tensor, rows: Tensor) -> Tensor:
        term = policy_loss(
            logprobs, old_logprobs[rows], advantages[rows], clip_low=clip_low, clip_high=clip_high
        )
        return policy_weight[rows] * term.loss

    return head_loss(
        h, W, targets, token_loss, mask=policy_weight != 0, teacher=teacher, divergence="jsd",
        tail=tail, weight=distill_weight, bias=bias, temperature=temperature, chunk=chunk,
    )  # fmt: skip
