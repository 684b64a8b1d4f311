"""What must not change the numbers of a step, and what must change them not at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from hdpo_env.batching import Row
from hdpo_env.config import TrainConfig
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.policies.tiny import tiny_policy
from hdpo_env.trainer import Trainer
from hdpo_env.training.objective import Roles, accumulate
from hdpo_env.training.rows import policy_rows, survivor_rows
from hdpo_env.types import Completion, Group, Outcome, Problem, Prompt, Rollout, Verdict

MakeTrainer = Callable[..., Trainer]
ConfigOf = Callable[..., TrainConfig]


def rows_of(trainer: Trainer, groups: list[Group] | None = None) -> list[Row]:
    """The rows of step 0, survivors included."""
    algo, collector = trainer.config.algo, trainer.collector
    seen, used = collector.student_groups(0)
    groups = groups or used
    cliffs = [g for g in seen if collector.kind(g).value == "cliff"]
    plain = {g.problem.id: collector.student_prompt(g.problem) for g in cliffs}
    rows = policy_rows(
        groups,
        algo,
        encode=trainer.policy.encode,
        teacher_prompt=collector.teacher_prompt,
        max_tokens=trainer.config.rollout.max_tokens,
        distill_weight=algo.distill.weight,
    )
    if algo.distill.on == "cliffs" and algo.distill.weight:
        rows += survivor_rows(
            collector.survivors(cliffs, 0)[0].kept,
            algo,
            encode=trainer.policy.encode,
            student_prompt=lambda r: plain[r.prompt.problem_id],
            distill_weight=algo.distill.weight,
        )
    return rows


def gradient(trainer: Trainer, rows: list[Row], size: int) -> torch.Tensor:
    """The step's gradient with micro-batches of ``size`` rows."""
    trainer.optimizer.zero_grad()
    roles = Roles(trainer.policy, trainer.teacher.policy, trainer.reference)
    for start in range(0, len(rows), size):
        accumulate(rows[start : start + size], roles, trainer.config.algo, temperature=1.0)
    grads = [p.grad.flatten() for p in trainer.policy.module.parameters() if p.grad is not None]
    return torch.cat(grads)


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "hdpo", "sdpg", "rlsd"])
def test_micro_batches_change_nothing(name: str, make_trainer: MakeTrainer) -> None:
    """8 x 1 = 1 x 8 = ragged, to rounding of float64 sums."""
    trainer = make_trainer(name)
    rows = rows_of(trainer)
    whole = gradient(trainer, rows, len(rows))
    for size in (1, 3, 8):
        torch.testing.assert_close(gradient(trainer, rows, size), whole, rtol=0, atol=1e-13)


def test_row_order_changes_nothing(make_trainer: MakeTrainer) -> None:
    """The members of a group, and the groups of a batch, may come in any order."""
    trainer = make_trainer("hdpo")
    rows = rows_of(trainer)
    torch.testing.assert_close(
        gradient(trainer, rows[::-1], 4), gradient(trainer, rows, 4), rtol=0, atol=1e-13
    )


def test_padding_changes_nothing() -> None:
    """A short row learns the same beside a long one, whose width pads it, as alone (fp32 sums)."""
    policy = tiny_policy(seed=1)
    encode = policy.tokenizer.encode
    short = Row(tuple(encode("Q1+2=")), tuple(encode("3.")), 1.0, policy_weight=0.1)
    long = Row(tuple(encode("Q" + "1+2+" * 10 + "3=")), tuple(encode("345678.")), 0.0)
    grads = []
    for rows in ([short], [short, long]):
        policy.module.zero_grad()
        accumulate(rows, Roles(policy, policy), TrainConfig().algo, temperature=1.0)
        grads.append(torch.cat([p.grad.flatten() for p in policy.module.parameters()]))
    assert grads[0].abs().max() > 1e-3
    torch.testing.assert_close(grads[1], grads[0], rtol=1e-5, atol=1e-7)


def test_lambda_zero_is_grpo_bit_for_bit(make_trainer: MakeTrainer, config_of: ConfigOf) -> None:
    """HDPO with weight 0 draws nothing more and updates as GRPO with the same outcome term does."""
    hdpo = config_of("hdpo", weight=0.0)
    grpo = config_of("grpo")
    grpo = replace(grpo, algo=replace(grpo.algo, policy=hdpo.algo.policy))
    tables = []
    for config in (hdpo, grpo):
        trainer = make_trainer(config)
        for step in range(3):
            trainer.step(step)
        tables.append(trainer.policy.module.logits.detach())
    assert torch.equal(*tables)


def as_group(problem: Problem, prompt: Prompt, completions: list[str], correct: bool) -> Group:
    policy_ids = {"a": 0, "b": 1}
    outcome = Outcome.CORRECT if correct else Outcome.WRONG
    rollouts = tuple(
        Rollout(
            prompt,
            Completion((*(policy_ids[c] for c in text), 2), text, (-1.0,) * (len(text) + 1)),
            Verdict(outcome),
            float(correct),
        )
        for text in completions
    )
    return Group(problem, rollouts)


def test_only_cliffs_give_no_outcome_term(make_trainer: MakeTrainer) -> None:
    """All-fail groups make no policy row: the outcome term is exactly absent, not tiny."""
    trainer = make_trainer("hdpo")
    problem = trainer.stream.problems[2]
    cliff = as_group(problem, trainer.collector.student_prompt(problem), ["a", "b", "ab"], False)
    rows = rows_of(trainer, [cliff])
    assert rows, "the cliff's survivors should teach"
    assert all(r.policy_weight == 0 and r.distill_weight > 0 for r in rows)


def test_no_cliffs_give_no_distillation_term(make_trainer: MakeTrainer) -> None:
    """Without a cliff nothing is sampled with privilege and the term is exactly 0."""
    trainer = make_trainer("hdpo")
    selection, groups = trainer.collector.survivors([], 0)
    assert not selection.kept
    assert not groups
    saturated = as_group(
        trainer.stream.problems[0],
        trainer.collector.student_prompt(trainer.stream.problems[0]),
        ["a", "a"],
        True,
    )
    metrics = trainer.update(
        policy_rows(
            [saturated],
            trainer.config.algo,
            encode=trainer.policy.encode,
            teacher_prompt=trainer.collector.teacher_prompt,
            max_tokens=4,
            distill_weight=0.01,
        ),
        0,
    )
    assert metrics["optim/grad_norm"] == 0.0


def test_the_gate_closes_on_failures(make_trainer: MakeTrainer) -> None:
    """SDPG distils on no row whose advantage is not positive, and OPSD on all of them."""
    sdpg, opsd = make_trainer("sdpg"), make_trainer("opsd")
    gated = rows_of(sdpg)
    assert any(r.distill_weight > 0 for r in gated)
    assert all((r.distill_weight > 0) == (r.advantage > 0) for r in gated)
    assert all((r.teacher_ids is not None) == (r.advantage > 0) for r in gated)
    assert all(r.distill_weight > 0 for r in rows_of(opsd))


def test_no_gradient_reaches_the_teacher(make_trainer: MakeTrainer) -> None:
    """The privileged contexts' own rows of the shared table get no gradient from distillation."""
    trainer = make_trainer("hdpo")
    rows = [r for r in rows_of(trainer) if r.distill_weight > 0]
    policy: TabularPolicy = trainer.policy  # type: ignore[assignment]
    gradient(trainer, rows, 4)
    told = [trainer.collector.teacher_prompt(p) for p in trainer.stream.problems]
    first_rows = [policy.row(prompt) for prompt in told]
    grad = policy.module.logits.grad
    assert grad is not None
    assert grad.abs().max() > 1e-6
    assert grad[first_rows].abs().max() == 0


def test_an_all_abstained_batch_teaches_nothing(make_trainer: MakeTrainer) -> None:
    """When the verifier could judge nothing there is no cliff, no gradient and no NaN."""

    def shrug(pairs: list) -> list[Verdict]:
        return [Verdict(Outcome.TIMEOUT) for _ in pairs]

    trainer = make_trainer("hdpo", judge=shrug)
    before = trainer.policy.module.logits.detach().clone()
    metrics = trainer.step(0)
    assert metrics["verifier/abstention_rate"] == 1.0
    assert metrics["groups/undecided_rate"] == 1.0
    assert metrics["groups/cliff_rate"] == 0.0
    assert metrics["losses/total"] == 0.0
    assert torch.equal(trainer.policy.module.logits, before)


def test_an_empty_completion_is_a_row_without_tokens() -> None:
    """A completion without tokens contributes exactly nothing."""
    policy = tiny_policy(seed=1)
    empty = Row((3, 4), (), 1.0, policy_weight=0.5)
    sums = accumulate([empty], Roles(policy, policy), TrainConfig().algo, temperature=1.0)
    assert sums["losses/total"] == 0.0
    assert sums["losses/token_count"] == 0.0


@pytest.mark.parametrize("name", ["sdpg", "rlsd", "hdpo"])
def test_a_problem_without_the_view_keeps_its_outcome_term(
    name: str, make_trainer: MakeTrainer
) -> None:
    """A data set in which some problems have no solution trains on: those are only not distilled.

    For RLSD such rows carry the plain advantage, beside rows that a teacher re-weighs.
    """
    trainer, plain = make_trainer(name), make_trainer("grpo")
    bare = [replace(p, solution=None) for p in trainer.stream.problems[:2]]
    seen, _ = trainer.collector.student_groups(0)
    groups = [
        replace(g, problem=next((b for b in bare if b.id == g.problem.id), g.problem)) for g in seen
    ]
    rows = policy_rows(
        groups,
        trainer.config.algo,
        encode=trainer.policy.encode,
        teacher_prompt=trainer.collector.teacher_prompt_or_none,
        max_tokens=4,
        distill_weight=0.5,
    )
    easy = [r for r in rows if r.advantage != 0]
    assert easy
    assert all(r.teacher_ids is None and r.distill_weight == 0 for r in easy)
    if name == "rlsd":
        told = replace(
            easy[0],
            teacher_ids=trainer.policy.encode(
                trainer.collector.teacher_prompt(trainer.stream.problems[0])
            ),
        )
        alone = gradient(trainer, easy[1:], 8)
        together = gradient(trainer, [told, *easy[1:]], 8) - gradient(trainer, [told], 8)
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-13)
        torch.testing.assert_close(alone, gradient(plain, easy[1:], 8), rtol=0, atol=1e-13)


def test_the_diagnostics_of_a_distillation_step(
    make_trainer: MakeTrainer, config_of: ConfigOf
) -> None:
    """Each logged diagnostic equals what the groups and the logit table say, by loops."""
    trainer = make_trainer(config_of("hdpo", weight=0.3))
    policy: TabularPolicy = trainer.policy  # type: ignore[assignment]
    seen, _ = trainer.collector.student_groups(0)
    cliffs = [g for g in seen if g.correct.count(True) == 0]
    selection, told = trainer.collector.survivors(cliffs, 0)
    ratios = []
    for rollout in selection.kept:
        problem = next(g.problem for g in cliffs if g.problem.id == rollout.prompt.problem_id)
        plain = trainer.collector.student_prompt(problem)
        ids = rollout.completion.token_ids
        ratios.append((policy.log_prob(rollout.prompt, ids) - policy.log_prob(plain, ids)).item())
    p_g = sum(c is True for g in told for c in g.correct) / sum(g.size for g in told)
    p_0 = 0.5 / (sum(g.size for g in cliffs) + 1)
    bound = p_g * math.log(p_g / p_0) + (
        (1 - p_g) * math.log((1 - p_g) / (1 - p_0)) if p_g < 1 else 0.0
    )
    metrics = trainer.step(0)
    assert ratios
    assert metrics["distill/completion_log_ratio"] == pytest.approx(sum(ratios) / len(ratios))
    assert metrics["privileged/failure_rate"] == pytest.approx(1 - p_g)
    assert metrics["privileged/kl2_bound"] == pytest.approx(bound)
    assert metrics["privileged/kept_tokens"] == sum(r.completion.num_tokens for r in selection.kept)


def test_former_cliffs_are_watched_when_they_come_again(
    make_trainer: MakeTrainer, config_of: ConfigOf
) -> None:
    """Success after distillation is that of the very problems that were distilled, counted."""
    trainer = make_trainer(config_of("hdpo", weight=5.0))
    first = trainer.step(0)
    assert "cliffs/pass_rate_after" not in first
    assert trainer.distilled, "some cliff should have taught"
    for step in range(1, 6):  # four problems a step: every problem comes again each time
        seen, _ = trainer.collector.student_groups(step)
        former = [g for g in seen if g.problem.id in trainer.distilled]
        expected = sum(g.correct.count(True) for g in former) / sum(g.size for g in former)
        metrics = trainer.step(step)
        assert metrics["cliffs/pass_rate_after"] == pytest.approx(expected)
        assert metrics["cliffs/revisited"] == len(former)
    assert expected > 0, "distillation at this strength should have moved a former cliff"
