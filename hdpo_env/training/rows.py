"""Groups of rollouts -> weighted rows: who teaches what, divided by which normaliser.

Every normaliser is global over the step, so it is applied here, once, before anything is cut into
micro-batches. N tokens and B rollouts count what the verifier judged; abstentions teach nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hdpo_env.advantages import group_advantages
from hdpo_env.batching import Row
from hdpo_env.config import AlgoConfig, Level, PolicyLossConfig
from hdpo_env.types import Group, Problem, Prompt, Rollout

Encode = Callable[[Prompt], tuple[int, ...]]


def advantages_of(group: Group, policy: PolicyLossConfig) -> list[float]:
    """The advantages of one group's rollouts; 0 for abstentions and zero-variance groups."""
    return group_advantages(
        [r.reward for r in group.rollouts],
        baseline=policy.baseline,
        scale=policy.scale,
        eps_std=policy.eps_std,
    )


def policy_rows(
    groups: Sequence[Group],
    algo: AlgoConfig,
    *,
    encode: Encode,
    teacher_prompt: Callable[[Problem], Prompt | None],
    max_tokens: int,
    distill_weight: float,
) -> list[Row]:
    """The student's own rollouts: outcome term, reference term, and SDPG's gated distillation.

    ``teacher_prompt`` gives None for a problem that cannot be shown in the view; its rollouts keep
    the outcome term. Rows to which every term would give exactly 0 are left out (they still count
    in N and B).
    """
    judged = [r for g in groups for r in g.rollouts if r.reward is not None]
    weight_of = _row_weight(algo.policy.level, judged, max_tokens)
    own = algo.distill.on == "own_rollouts" and distill_weight > 0
    rlsd = algo.policy.rlsd_mix is not None
    rows = []
    for group in groups:
        told = teacher_prompt(group.problem) if own or rlsd else None
        teacher_ids = encode(told) if told else None
        pairs = zip(group.rollouts, advantages_of(group, algo.policy), strict=True)
        for rollout, advantage in pairs:
            if rollout.reward is None:
                continue
            gated = own and told is not None and (algo.distill.gate == "all" or advantage > 0)
            if advantage == 0 and not gated and algo.reference.weight == 0:
                continue
            weight = weight_of(rollout.completion.num_tokens)
            rows.append(
                Row(
                    prompt_ids=encode(rollout.prompt),
                    completion_ids=rollout.completion.token_ids,
                    advantage=advantage,
                    policy_weight=weight,
                    reference_weight=weight * algo.reference.weight,
                    distill_weight=weight * distill_weight if gated else 0.0,
                    teacher_ids=teacher_ids if gated or (rlsd and advantage != 0) else None,
                    behaviour_logprobs=rollout.completion.logprobs,
                )
            )
    return rows


def _row_weight(
    level: Level, rollouts: Sequence[Rollout], max_tokens: int
) -> Callable[[int], float]:
    """Tokens of a row -> the weight of each: 1/N, 1/(B T_i) or 1/(B max_tokens)."""
    tokens = max(1, sum(r.completion.num_tokens for r in rollouts))
    count = max(1, len(rollouts))
    return {
        "token": lambda _: 1 / tokens,
        "sequence": lambda length: 1 / (count * max(1, length)),
        "dr_grpo": lambda _: 1 / (count * max_tokens),
    }[level]


def survivor_rows(
    survivors: Sequence[Rollout],
    algo: AlgoConfig,
    *,
    encode: Encode,
    student_prompt: Callable[[Rollout], Prompt],
    distill_weight: float,
) -> list[Row]:
    """HDPO's privileged rollouts that passed the filter, seen without the privileged context.

    Each token weighs lambda / N_tok, N_tok the tokens of all survivors of the step. With
    divergence "nll" the survivors are imitated instead and no teacher reads them.
    """
    tokens = sum(r.completion.num_tokens for r in survivors)
    imitates = algo.distill.divergence == "nll"
    return [
        Row(
            prompt_ids=encode(student_prompt(rollout)),
            completion_ids=rollout.completion.token_ids,
            distill_weight=0.0 if imitates else distill_weight / tokens,
            imitation_weight=distill_weight / tokens if imitates else 0.0,
            teacher_ids=None if imitates else encode(rollout.prompt),
            behaviour_logprobs=rollout.completion.logprobs,
        )
        for rollout in survivors
    ]


def solution_rows(
    problems: Sequence[Problem],
    weight: float,
    *,
    encode: Encode,
    encode_solution: Callable[[str], tuple[int, ...]],
    student_prompt: Callable[[Problem], Prompt],
) -> list[Row]:
    """The sft-cliffs baseline: imitate the written solutions of cliff problems that have one."""
    pairs = [(p, encode_solution(p.solution)) for p in problems if p.solution]
    tokens = max(1, sum(len(ids) for _, ids in pairs))
    return [
        Row(encode(student_prompt(p)), ids, imitation_weight=weight / tokens) for p, ids in pairs
    ]
