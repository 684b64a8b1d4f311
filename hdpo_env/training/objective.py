"""One micro-batch: forward through student, teacher and reference, the loss, one backward pass.

The loss of a step is a plain sum over its tokens; every normaliser is already inside the rows'
weights (``training.rows``), so any slicing into micro-batches accumulates the same gradient:

    L = sum_n  u_n L_out(n)  +  v_n D(n)  +  a_n L_K(n)  -  s_n log p_n(y_n)

u policy, v distillation (HDPO lambda, SDPG beta), a reference (SDPG alpha), s imitation weight.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hdpo_env.batching import Row, TokenBatch, token_batch
from hdpo_env.config import AlgoConfig
from hdpo_env.losses import (
    HeadLoss,
    Hidden,
    TopK,
    head_loss,
    policy_loss,
    reference_kl,
    reverse_kl,
    rlsd_advantages,
    teacher_topk,
    token_logprobs,
)
from hdpo_env.policies.base import TorchPolicy

SATURATED_NATS = 0.9 * math.log(2)  # a token whose JSD is this close to ln 2 gets ~no gradient


@dataclass(frozen=True)
class Roles:
    """The three parts the model (and its frozen copies) plays in a step."""

    student: TorchPolicy
    teacher: TorchPolicy
    reference: TorchPolicy | None = None


class _Tokens(NamedTuple):
    """What every completion token of the micro-batch carries, [N] each."""

    advantage: Tensor
    policy: Tensor
    reference: Tensor
    distill: Tensor
    imitation: Tensor
    behaviour: Tensor


def accumulate(
    rows: Sequence[Row], roles: Roles, algo: AlgoConfig, *, temperature: float
) -> dict[str, float]:
    """Add this micro-batch's gradient to the student's and return *sums* for the step's metrics.

    The loss terms are already divided by the step's normalisers; keys ending in ``_sum`` are to be
    divided by the key of their ``_count``.
    """
    student = roles.student
    batch = _batch(rows, [r.prompt_ids for r in rows], student)
    hidden = batch.gather(student.hidden(batch.input_ids, batch.attention_mask))
    W, bias = student.head()
    tokens = _tokens(rows, batch, hidden)
    teacher, teacher_logprobs = _teacher(rows, roles, batch, hidden, algo, temperature)
    ref_logprobs = _reference_logprobs(roles, batch, temperature) if algo.reference.weight else None
    has_outcome = tokens.policy * tokens.advantage != 0
    uses_logprob = has_outcome | (tokens.reference + tokens.imitation != 0)
    out = head_loss(
        hidden,
        W,
        batch.target,
        _token_loss(tokens, teacher_logprobs, ref_logprobs, algo),
        mask=uses_logprob,
        teacher=teacher,
        divergence="jsd" if algo.distill.divergence == "nll" else algo.distill.divergence,
        tail=algo.distill.tail,
        weight=_capped(tokens.distill, hidden, W, bias, teacher, algo, temperature),
        bias=bias,
        temperature=temperature,
    )
    if out.loss.requires_grad:
        out.loss.backward()
    return _sums(out, tokens, rows, batch, ref_logprobs, algo)


def _batch(
    rows: Sequence[Row], prompts: Sequence[Sequence[int]], policy: TorchPolicy
) -> TokenBatch:
    completions = [r.completion_ids for r in rows]
    return token_batch(prompts, completions, pad_id=policy.pad_id, device=policy.device)


def _tokens(rows: Sequence[Row], batch: TokenBatch, hidden: Tensor) -> _Tokens:
    dtype = torch.promote_types(hidden.dtype, torch.float32)
    behaviour = [
        x for r in rows for x in (r.behaviour_logprobs or (math.nan,) * len(r.completion_ids))
    ]

    def spread(name: str) -> Tensor:
        return batch.per_token([getattr(r, name) for r in rows], dtype)

    return _Tokens(
        advantage=spread("advantage"),
        policy=spread("policy_weight"),
        reference=spread("reference_weight"),
        distill=spread("distill_weight"),
        imitation=spread("imitation_weight"),
        behaviour=torch.tensor(behaviour, device=hidden.device, dtype=dtype),
    )


def _token_loss(
    tokens: _Tokens, teacher_logprobs: Tensor | None, ref_logprobs: Tensor | None, algo: AlgoConfig
) -> Callable[[Tensor, Tensor], Tensor]:
    """``u L_out + a L_K - s log p`` of the tokens ``at`` whose log-probs it is given."""

    def token_loss(logprobs: Tensor, at: Tensor) -> Tensor:
        advantage = tokens.advantage[at]
        if teacher_logprobs is not None and algo.policy.rlsd_mix is not None:
            theirs = teacher_logprobs[at]
            advantage = rlsd_advantages(
                advantage,
                logprobs,
                torch.where(theirs.isnan(), logprobs.detach(), theirs),  # no teacher: no change
                mix=algo.policy.rlsd_mix,
                clip=algo.policy.rlsd_clip,
            )
        term = _policy_term(logprobs, tokens.behaviour[at], advantage, algo)
        loss = tokens.policy[at] * term - tokens.imitation[at] * logprobs
        if ref_logprobs is not None:
            penalty = reference_kl(logprobs, ref_logprobs[at], kind=algo.reference.kind)
            loss = loss + tokens.reference[at] * penalty.loss
        return loss

    return token_loss


def _policy_term(logprobs: Tensor, behaviour: Tensor, adv: Tensor, algo: AlgoConfig) -> Tensor:
    """The outcome term; a row without behaviour log-probs counts as exactly on-policy."""
    old = torch.where(behaviour.isnan(), logprobs.detach(), behaviour.to(logprobs.dtype))
    policy = algo.policy
    return policy_loss(
        logprobs,
        old,
        adv.to(logprobs.dtype),
        kind=policy.kind,
        clip_low=policy.clip_low,
        clip_high=policy.clip_high,
        dual_clip=policy.dual_clip,
    ).loss


@torch.no_grad()
def _teacher(
    rows: Sequence[Row],
    roles: Roles,
    batch: TokenBatch,
    hidden: Tensor,
    algo: AlgoConfig,
    temperature: float,
) -> tuple[Hidden | TopK | None, Tensor | None]:
    """The teacher of the rows that have one, in the student's token order; others get zeros.

    Also its log-probabilities of the sampled tokens, where the algorithm (RLSD) reads them.
    """
    taught = [i for i, r in enumerate(rows) if r.teacher_ids is not None]
    if not taught:
        return None, None
    chosen = [rows[i] for i in taught]
    theirs = _batch(chosen, [r.teacher_ids or () for r in chosen], roles.teacher)
    h = theirs.gather(roles.teacher.hidden(theirs.input_ids, theirs.attention_mask))
    own_head = roles.teacher.module is not roles.student.module
    W, bias = roles.teacher.head()
    where = torch.isin(batch.row, torch.tensor(taught, device=batch.row.device))
    logprobs = None
    if algo.policy.rlsd_mix is not None:
        found = token_logprobs(h, W, theirs.target, bias=bias, temperature=temperature).logprobs
        logprobs = _spread(found, where, math.nan)
    if algo.distill.divergence == "jsd":
        k = min(algo.distill.top_k, W.shape[0])
        top = teacher_topk(h, W, k, bias=bias, temperature=temperature)
        log_tail = None if top.log_tail is None else _spread(top.log_tail, where)
        return TopK(_spread(top.ids, where), _spread(top.logprobs, where), log_tail), logprobs
    spread = _spread(h.to(hidden.dtype), where)
    return (Hidden(spread, W, bias) if own_head else Hidden(spread)), logprobs


def _spread(values: Tensor, where: Tensor, elsewhere: float = 0) -> Tensor:
    """Rows of ``values`` put where ``where`` is True, a filler elsewhere."""
    out = values.new_full((len(where), *values.shape[1:]), elsewhere)
    out[where] = values
    return out


@torch.no_grad()
def _reference_logprobs(roles: Roles, batch: TokenBatch, temperature: float) -> Tensor:
    assert roles.reference is not None, "a reference weight needs a reference policy"
    h = batch.gather(roles.reference.hidden(batch.input_ids, batch.attention_mask))
    W, bias = roles.reference.head()
    return token_logprobs(h, W, batch.target, bias=bias, temperature=temperature).logprobs


@torch.no_grad()
def _capped(
    weight: Tensor,
    hidden: Tensor,
    W: Tensor,
    bias: Tensor | None,
    teacher: Hidden | TopK | None,
    algo: AlgoConfig,
    temperature: float,
) -> Tensor:
    """The distillation weights, 0 on tokens whose KL exceeds ``max_token_kl``.

    That is the gradient of min(KL, cap), the released SDPG code's clamp.
    """
    cap = algo.distill.max_token_kl
    if cap is None or not isinstance(teacher, Hidden):
        return weight
    kl = reverse_kl(
        hidden,
        W,
        teacher.h,
        teacher.W,
        weight=(weight != 0).to(weight.dtype),
        bias=bias,
        bias_teacher=teacher.bias,
        temperature=temperature,
    ).value
    return torch.where(kl > cap, 0.0, weight)


@torch.no_grad()
def _sums(
    out: HeadLoss,
    tokens: _Tokens,
    rows: Sequence[Row],
    batch: TokenBatch,
    ref_logprobs: Tensor | None,
    algo: AlgoConfig,
) -> dict[str, float]:
    sampled = tokens.policy != 0
    distilled = tokens.distill != 0
    known = sampled & (out.logprobs != 0) & ~tokens.behaviour.isnan()
    policy = _policy_term(out.logprobs, tokens.behaviour, tokens.advantage, algo)
    ratio = (out.logprobs - tokens.behaviour).exp()
    outside = (ratio > 1 + algo.policy.clip_high) | (ratio < 1 - algo.policy.clip_low)
    sums = {
        "losses/total": out.loss,
        "losses/policy": (tokens.policy * policy)[sampled].sum(),
        "losses/distill": (tokens.distill * out.divergence).sum(),
        "losses/imitation": -(tokens.imitation * out.logprobs).sum(),
        "losses/entropy_sum": out.entropy[known].sum(),
        "losses/clip_rate_sum": outside[known].sum(),
        "losses/logprob_gap_sum": (out.logprobs - tokens.behaviour)[known].abs().sum(),
        "losses/token_count": known.sum(),
        "distill/divergence_sum": out.divergence[distilled].sum(),
        "distill/saturated_sum": (out.divergence[distilled] > SATURATED_NATS).sum(),
        "distill/log_ratio_sum": (tokens.behaviour - out.logprobs)[distilled].nansum(),
        "distill/token_count": distilled.sum(),
        "distill/row_count": sum(r.distill_weight != 0 for r in rows),
    }
    if ref_logprobs is not None:
        value = reference_kl(out.logprobs, ref_logprobs, kind=algo.reference.kind).value
        sums["losses/reference"] = (tokens.reference * value).sum()
    return {name: float(value) for name, value in sums.items()}


def step_metrics(sums: Counter[str]) -> dict[str, float]:
    """Sums over a step's micro-batches -> means; a mean over nothing is absent.

    ``distill/completion_log_ratio`` is the mean over distilled completions of
    sum_t log q(y_t)/p(y_t), q being whoever sampled them: for HDPO's survivors an estimate of
    KL(teacher || student) per completion given success, for SDPG's own rollouts close to 0.
    """
    terms = {"losses/total": 0.0, "losses/policy": 0.0, "losses/distill": 0.0}
    metrics = terms | {k: v + 0.0 for k, v in sums.items() if not k.endswith(("_sum", "_count"))}
    if tokens := sums["losses/token_count"]:
        for name in ("entropy", "clip_rate", "logprob_gap"):
            metrics[f"losses/{name}"] = sums[f"losses/{name}_sum"] / tokens
    if tokens := sums["distill/token_count"]:
        total = sums["distill/divergence_sum"]
        metrics["distill/token_divergence"] = total / tokens
        metrics["distill/saturated_mass"] = sums["distill/saturated_sum"] / tokens
        metrics["distill/completion_divergence"] = total / sums["distill/row_count"]
        metrics["distill/completion_log_ratio"] = (
            sums["distill/log_ratio_sum"] / sums["distill/row_count"]
        )
    return metrics
