"""One update of every algorithm against loops over tokens that share no code with the library.

The loops read the logit table directly, spell each formula of the papers out per token, and let
autograd differentiate that. Agreement is asked to 1e-10 in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from hdpo_env.batching import Row
from hdpo_env.config import AlgoConfig, TrainConfig
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.trainer import Trainer
from hdpo_env.training.rows import policy_rows, solution_rows, survivor_rows
from hdpo_env.types import Group, Problem, Prompt, Rollout


def log_dists(table: Tensor, policy: TabularPolicy, prompt: Prompt, ids: Sequence[int]) -> Tensor:
    """Log p(. | prompt, prefix) for every token of a completion, straight from the table."""
    return torch.stack(
        [torch.log_softmax(table[policy.row(prompt, ids[:t])], -1) for t in range(len(ids))]
    )


def advantages(rewards: Sequence[float], algo: AlgoConfig) -> list[float]:
    n, mean = len(rewards), sum(rewards) / len(rewards)
    if all(r == rewards[0] for r in rewards):
        return [0.0] * n
    out = []
    for i, r in enumerate(rewards):
        others = [x for j, x in enumerate(rewards) if j != i]
        base = mean if algo.policy.baseline == "mean" else sum(others) / len(others)
        std = math.sqrt(sum((x - mean) ** 2 for x in rewards) / n)
        out.append((r - base) / (1.0 if algo.policy.scale == "none" else std + algo.policy.eps_std))
    return out


def jsd(teacher: Tensor, student: Tensor) -> Tensor:
    mixed = torch.log((teacher.exp() + student.exp()) / 2)
    return 0.5 * sum((p.exp() * (p - mixed)).sum() for p in (teacher, student))


def divergence(name: str, teacher: Tensor, student: Tensor, y: int) -> Tensor:
    if name == "jsd":
        return jsd(teacher, student)
    if name == "nll":
        return -student[y]
    p, q = (student, teacher) if name == "kl_student_teacher" else (teacher, student)
    return (p.exp() * (p - q)).sum()


class Oracle:
    """The loss of one step as loops."""

    def __init__(self, trainer: Trainer, table: Tensor) -> None:
        self.trainer, self.table = trainer, table
        self.algo = trainer.config.algo
        self.policy: TabularPolicy = trainer.policy  # type: ignore[assignment]

    def student_terms(self, groups: Sequence[Group], weight: float) -> Tensor:
        algo, policy = self.algo, self.policy
        rollouts = [r for g in groups for r in g.rollouts]
        tokens = sum(len(r.completion.token_ids) for r in rollouts)
        places = len(rollouts) * self.trainer.config.rollout.max_tokens
        loss = self.table.sum() * 0
        for group in groups:
            rewards = [float(r.verdict.correct is True) for r in group.rollouts]
            told = self.trainer.collector.teacher_prompt(group.problem)
            for rollout, adv in zip(group.rollouts, advantages(rewards, algo), strict=True):
                ids = rollout.completion.token_ids
                here = log_dists(self.table, policy, rollout.prompt, ids)
                there = self.teacher(told, ids)
                for t, y in enumerate(ids):
                    u = 1 / places if algo.policy.level == "dr_grpo" else 1 / tokens
                    loss = loss + u * self.outcome(here[t], there[t], y, adv, rollout, t)
                    if algo.reference.weight:
                        loss = loss + u * self.penalty(here[t][y], rollout, t)
                    if algo.distill.on == "own_rollouts" and (
                        adv > 0 or algo.distill.gate == "all"
                    ):
                        kl = (here[t].exp() * (here[t] - there[t])).sum()
                        cap = algo.distill.max_token_kl
                        if cap is None or kl.item() <= cap:
                            loss = loss + u * weight * kl
        return loss

    def outcome(
        self, here: Tensor, there: Tensor, y: int, adv: float, rollout: Rollout, t: int
    ) -> Tensor:
        cfg = self.algo.policy
        if cfg.rlsd_mix is not None:
            sign = math.copysign(1, adv) if adv else 0
            pull = math.exp(sign * (there[y] - here[y]).item())
            pull = min(max(pull, 1 - cfg.rlsd_clip), 1 + cfg.rlsd_clip)
            adv = adv * ((1 - cfg.rlsd_mix) + cfg.rlsd_mix * pull)
        if cfg.kind == "reinforce":
            return -adv * here[y]
        rho = torch.exp(here[y] - rollout.completion.logprobs[t])
        bounded = torch.clamp(rho, 1 - cfg.clip_low, 1 + cfg.clip_high)
        value = torch.minimum(rho * adv, bounded * adv)
        if cfg.dual_clip is not None and adv < 0:
            value = torch.maximum(value, torch.full_like(value, cfg.dual_clip * adv))
        return -value

    def penalty(self, logp: Tensor, rollout: Rollout, t: int) -> Tensor:
        assert self.trainer.reference is not None
        frozen = self.trainer.reference.module.logits.detach()
        ids = rollout.completion.token_ids
        ref = log_dists(frozen, self.policy, rollout.prompt, ids)[t][ids[t]]
        w = torch.exp(logp - ref)
        formula = {
            "ufkl": lambda: 1 / w + torch.log(w),
            "urkl": lambda: torch.log(w) ** 2 / 2,
            "fkl": lambda: 1 / w,
            "rkl": lambda: (torch.log(w) + 1) ** 2 / 2,
        }[self.algo.reference.kind]
        return self.algo.reference.weight * formula()

    def teacher(self, prompt: Prompt, ids: Sequence[int]) -> Tensor:
        drifting = self.algo.distill.teacher == "drifting"
        table = self.table if drifting else self.trainer.teacher.policy.module.logits
        return log_dists(table.detach(), self.policy, prompt, ids).detach()

    def solution_terms(self, written: Sequence[Problem]) -> Tensor:
        policy, loss = self.policy, self.table.sum() * 0
        tokens = sum(len(p.gold) + 1 for p in written)
        for p in written:
            ids = policy.encode_completion(p.gold)
            here = log_dists(self.table, policy, self.trainer.collector.student_prompt(p), ids)
            picked = torch.stack([here[t][y] for t, y in enumerate(ids)])
            loss = loss - self.algo.imitation.weight / tokens * picked.sum()
        return loss

    def survivor_terms(self, survivors: Sequence[Rollout], weight: float) -> Tensor:
        tokens = sum(len(r.completion.token_ids) for r in survivors)
        plain = {p.id: self.trainer.collector.student_prompt(p) for p in self.problems}
        loss = self.table.sum() * 0
        for rollout in survivors:
            ids = rollout.completion.token_ids
            here = log_dists(self.table, self.policy, plain[rollout.prompt.problem_id], ids)
            there = self.teacher(rollout.prompt, ids)
            for t, y in enumerate(ids):
                term = divergence(self.algo.distill.divergence, there[t], here[t], y)
                loss = loss + weight / tokens * term
        return loss

    @property
    def problems(self) -> list:
        return list(self.trainer.stream.problems)  # type: ignore[attr-defined]


def disturb(policy: TabularPolicy, seed: int = 11) -> None:
    """Move the student away from its behaviour, its reference and its frozen teacher."""
    noise = torch.randn(
        policy.module.logits.shape, generator=torch.Generator().manual_seed(seed)
    ).double()
    with torch.no_grad():
        policy.module.logits += 0.3 * noise


def rows_of(
    trainer: Trainer,
    groups: Sequence[Group],
    kept: Sequence[Rollout],
    written: Sequence[Problem],
    weight: float,
) -> list[Row]:
    """The library's rows of a step: every group's rollouts, the survivors, written solutions."""
    algo, collector = trainer.config.algo, trainer.collector
    policy: TabularPolicy = trainer.policy  # type: ignore[assignment]
    plain = {p.id: collector.student_prompt(p) for p in trainer.stream.problems}
    own = policy_rows(
        groups,
        algo,
        encode=policy.encode,
        teacher_prompt=collector.teacher_prompt,
        max_tokens=trainer.config.rollout.max_tokens,
        distill_weight=weight,
    )
    taught = survivor_rows(
        kept,
        algo,
        encode=policy.encode,
        student_prompt=lambda r: plain[r.prompt.problem_id],
        distill_weight=weight,
    )
    imitated = solution_rows(
        written,
        algo.imitation.weight,
        encode=policy.encode,
        encode_solution=lambda text: policy.encode_completion(text.removeprefix("it is ")),
        student_prompt=collector.student_prompt,
    )
    return [*own, *taught, *imitated]


def check_against_oracle(trainer: Trainer) -> tuple[list[Group], list[Rollout]]:
    """Sample, disturb, update; the gradient and the loss must be the oracle's."""
    algo, weight = trainer.config.algo, trainer.distill_weight(7 % trainer.config.steps)
    seen, groups = trainer.collector.student_groups(0)
    cliffs = [g for g in seen if trainer.collector.kind(g).value == "cliff"]
    selection, _ = trainer.collector.survivors(cliffs, 0)
    policy: TabularPolicy = trainer.policy  # type: ignore[assignment]
    disturb(policy)
    table = policy.module.logits.detach().clone().requires_grad_()
    oracle = Oracle(trainer, table)
    kept = selection.kept if algo.distill.on == "cliffs" and weight > 0 else ()
    written = [g.problem for g in cliffs] if algo.imitation.weight else []
    loss = oracle.student_terms(groups, weight)
    if kept:
        loss = loss + oracle.survivor_terms(kept, weight)
    if written:
        loss = loss + oracle.solution_terms(written)
    loss.backward()
    metrics = trainer.update(rows_of(trainer, groups, kept, written, weight), 0)
    assert table.grad is not None
    assert table.grad.abs().max() > 1e-4, "the case is void: nothing would be learned"
    torch.testing.assert_close(policy.module.logits.grad, table.grad, rtol=0, atol=1e-10)
    kl_value_differs = algo.reference.weight or algo.distill.max_token_kl is not None
    if not kl_value_differs:
        assert metrics["losses/total"] == pytest.approx(loss.item(), abs=1e-10)
    return groups, list(selection.kept)


PRESET_NAMES = (
    "grpo",
    "dr_grpo",
    "dapo",
    "hdpo",
    "sdpg",
    "sdpg-code",
    "rlsd",
    "opsd",
    "sft-cliffs",
)


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_the_gradient_of_every_preset_is_the_papers(
    name: str, make_trainer: Callable[..., Trainer]
) -> None:
    """One update of each preset equals the formula spelled out token by token."""
    groups, survivors = check_against_oracle(make_trainer(name))
    kinds = {g.correct.count(True) for g in groups}
    assert name in ("dapo", "sdpg-code") or 0 in kinds, "the batch should hold a cliff"
    assert survivors, "some privileged rollout should pass the filter"


@pytest.mark.parametrize("divergence", ["jsd", "kl_student_teacher", "kl_teacher_student", "nll"])
@pytest.mark.parametrize("teacher", ["drifting", "frozen", "ema"])
def test_every_divergence_and_teacher_of_hdpo(
    divergence: str,
    teacher: str,
    make_trainer: Callable[..., Trainer],
    config_of: Callable[..., TrainConfig],
) -> None:
    """HDPO's term is the named divergence to the named teacher on the survivors' own tokens."""
    config = config_of("hdpo", divergence=divergence, teacher=teacher, weight=0.7)
    check_against_oracle(make_trainer(config))


@pytest.mark.parametrize("kind", ["ufkl", "urkl", "fkl", "rkl"])
def test_every_reference_term_of_sdpg(
    kind: str, make_trainer: Callable[..., Trainer], config_of: Callable[..., TrainConfig]
) -> None:
    """SDPG's regulariser is the named surrogate of pi / pi_ref."""
    config = config_of("sdpg")
    algo = replace(config.algo, reference=replace(config.algo.reference, kind=kind, weight=0.4))
    check_against_oracle(make_trainer(replace(config, algo=algo)))
