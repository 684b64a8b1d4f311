"""HDPOTrainer on a real TRL: TRL's loss plus lambda times ours, on survivors of cliffs only."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from hdpo_env.batching import Row
from hdpo_env.config import AlgoConfig, DistillConfig
from hdpo_env.types import Problem

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
Make = Callable[..., Any]


@pytest.fixture
def trained(model_path: Path, config: Make) -> Make:
    """``trained(kind, problems, **settings)``: a trainer after its steps, with what it computed."""
    from trl import GRPOTrainer

    from hdpo_plugins.trl import HDPOConfig, HDPOTrainer, VerdictReward, to_dataset

    def run(kind: str, problems: list[Problem], *, peft: Any = None, **settings: Any) -> Any:
        class Recording({"grpo": GRPOTrainer, "hdpo": HDPOTrainer}[kind]):  # type: ignore[misc]
            """Keeps the loss, inputs and gradients of the newest step, and all completions."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                self.losses: list[float] = []
                self.said: list[Any] = []
                super().__init__(*args, **kwargs)

            def _calculate_rewards(self, inputs: Any, prompts: Any, said: Any, *rest: Any) -> Any:
                self.said.append(said)
                return super()._calculate_rewards(inputs, prompts, said, *rest)

            def training_step(self, *args: Any) -> Any:
                loss = super().training_step(*args)
                self.losses.append(float(loss))
                named = self.model.named_parameters()
                self.gradients = {n: p.grad.clone() for n, p in named if p.grad is not None}
                return loss

        trainer = Recording(
            str(model_path),
            VerdictReward(problems, workers=0),
            config(HDPOConfig, **{"max_grad_norm": 0.0, "weight_decay": 0.0, **settings}),
            to_dataset(problems, template="chain"),
            peft_config=peft,
        )
        trainer.train()
        return trainer

    return run


def same_weights(first: Any, second: Any) -> bool:
    """Whether two trainers' models agree in every bit."""
    pairs = zip(first.model.parameters(), second.model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def logged(trainer: Any, name: str) -> list[float]:
    """What TRL logged under this name, step by step."""
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def test_two_steps_teach_the_cliffs(trained: Make, problems: list[Problem]) -> None:
    """Two real optimiser steps move the weights, and TRL's own log says what was distilled."""
    trainer = trained("hdpo", problems, distill_weight=1.0)
    assert trainer.state.global_step == 2
    start = trained("hdpo", problems, distill_weight=1.0, learning_rate=0.0)
    assert not same_weights(trainer, start)
    [rate, _] = logged(trainer, "groups/cliff_rate")
    assert logged(trainer, "privileged/cliffs_tried")[0] == 4 * rate > 0
    assert logged(trainer, "privileged/pass_rate")[0] > 0.5
    assert logged(trainer, "privileged/kept")[0] > 0
    assert logged(trainer, "distill/weight") == [1.0, 1.0]
    divergence, loss = (logged(trainer, f"distill/{n}")[0] for n in ("token_divergence", "loss"))
    assert loss == pytest.approx(divergence, rel=1e-6)  # lambda 1: the mean over all its tokens
    assert 0 < divergence < math.log(2)


def reference_step(
    model_path: Path, trainer: Any, algo: AlgoConfig
) -> tuple[float, dict[str, torch.Tensor]]:
    """The reference trainer's loss and gradient on the batch that the trainer just saw."""
    from hdpo_env.policies.hf import HFPolicy
    from hdpo_env.training.objective import Roles, accumulate

    rows = []
    batches = trainer._buffered_inputs
    num_tokens = sum(int(b["completion_mask"].sum()) for b in batches)
    survivors = [row for b in batches for row in b["survivors"]]
    num_distilled = sum(row.num_tokens for row in survivors)
    for b in batches:
        for i, advantage in enumerate(b["advantages"].tolist()):
            prompt = b["prompt_ids"][i][b["prompt_mask"][i].bool()]
            completion = b["completion_ids"][i][b["completion_mask"][i].bool()]
            ids = (tuple(prompt.tolist()), tuple(completion.tolist()))
            rows.append(Row(*ids, advantage=advantage, policy_weight=1 / num_tokens))
    rows += [
        Row(
            row.prompt_ids,
            row.completion_ids,
            teacher_ids=row.teacher_ids,
            distill_weight=algo.distill.weight / num_distilled,
        )
        for row in survivors
    ]
    policy = HFPolicy.load(model_path, device="cpu")
    sums = accumulate(rows, Roles(policy, policy), algo, temperature=trainer.temperature)
    gradients = {n: p.grad for n, p in policy.module.named_parameters() if p.grad is not None}
    return sums["losses/total"], gradients


@pytest.mark.parametrize(
    "distill",
    [{}, {"divergence": "kl_teacher_student"}, {"tail": "paper", "top_k": 3}, {"tail": "bucket"}],
    ids=["jsd", "kl", "paper-tail", "bucket"],
)
def test_loss_and_gradient_are_the_reference_trainers(
    trained: Make, problems: list[Problem], model_path: Path, distill: dict[str, Any]
) -> None:
    """On the same batch TRL's loss plus ours is the reference objective, gradient included."""
    trainer = trained("hdpo", problems, max_steps=1, distill_weight=0.7, temperature=1.3, **distill)
    algo = AlgoConfig(distill=DistillConfig(weight=0.7, **distill))
    loss, gradients = reference_step(model_path, trainer, algo)
    assert any(abs(a) > 0 for b in trainer._buffered_inputs for a in b["advantages"])
    assert sum(len(b["survivors"]) for b in trainer._buffered_inputs) > 2
    assert sum(trainer.losses) == pytest.approx(loss, abs=1e-5)
    assert gradients.keys() == trainer.gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(trainer.gradients[name], gradient, atol=1e-5, rtol=1e-4)


def test_lambda_zero_is_grpo_bit_for_bit(trained: Make, problems: list[Problem]) -> None:
    """With lambda 0 nothing is sampled or added: every weight after two steps is GRPOTrainer's."""
    hdpo = trained("hdpo", problems, distill_weight=0.0)
    grpo = trained("grpo", problems)
    assert sum(logged(hdpo, "groups/cliff_rate")) > 0
    assert hdpo.losses == grpo.losses
    assert same_weights(hdpo, grpo)


def test_without_cliffs_it_is_grpo_bit_for_bit(trained: Make, easy: list[Problem]) -> None:
    """A run that meets no cliff is GRPOTrainer's, whatever lambda is."""
    settings = {"num_generations": 16, "gradient_accumulation_steps": 4}
    hdpo = trained("hdpo", easy, distill_weight=5.0, **settings)
    assert logged(hdpo, "groups/cliff_rate") == [0.0, 0.0]
    assert sum(logged(hdpo, "groups/mixed_rate")) > 0
    assert same_weights(hdpo, trained("grpo", easy, **settings))


def test_on_cliffs_alone_only_the_distillation_moves_weights(
    trained: Make, hard: list[Problem]
) -> None:
    """Where every group fails GRPO's gradient is exactly 0, and HDPO's whole gradient is ours."""
    settings = {"per_device_train_batch_size": 6, "max_steps": 1}
    grpo = trained("grpo", hard, **settings)
    assert all(not g.any() for g in grpo.gradients.values())
    hdpo = trained("hdpo", hard, distill_weight=2.0, **settings)
    assert logged(hdpo, "groups/cliff_rate") == [1.0]
    assert not same_weights(hdpo, grpo)
    twice = trained("hdpo", hard, distill_weight=4.0, **settings)
    for name, gradient in hdpo.gradients.items():
        torch.testing.assert_close(twice.gradients[name], 2 * gradient, atol=1e-6, rtol=1e-5)


def test_privileged_draws_leave_the_students_alone(trained: Make, problems: list[Problem]) -> None:
    """Privileged rollouts have a random stream of their own: the student says what GRPO's says."""
    hdpo = trained("hdpo", problems, distill_weight=1.0, learning_rate=0.0)
    grpo = trained("grpo", problems, learning_rate=0.0)
    assert sum(logged(hdpo, "privileged/kept")) > 0
    assert len(hdpo.said) == 2
    assert hdpo.said == grpo.said


def test_micro_batches_do_not_change_the_step(trained: Make, problems: list[Problem]) -> None:
    """N_tok is global over gradient accumulation: 1 x 16 and 8 x 2 rows give one gradient."""
    runs = [
        trained(
            "hdpo", problems, distill_weight=1.0, max_steps=1, temperature=1.2,
            per_device_train_batch_size=rows, gradient_accumulation_steps=16 // rows,
        )
        for rows in (16, 2)
    ]  # fmt: skip
    assert sum(runs[0].losses) == pytest.approx(sum(runs[1].losses), abs=1e-6)
    for name, gradient in runs[0].gradients.items():
        torch.testing.assert_close(runs[1].gradients[name], gradient, atol=1e-6, rtol=1e-4)


def test_each_optimiser_step_of_a_generation_has_its_own_normaliser(
    trained: Make, hard: list[Problem]
) -> None:
    """Two optimiser steps from one generation: each averages over its own survivors."""
    trainer = trained(
        "hdpo", hard, distill_weight=1.0, per_device_train_batch_size=3,
        gradient_accumulation_steps=2, steps_per_generation=4,
    )  # fmt: skip
    batches = trainer._buffered_inputs
    for step in (batches[:2], batches[2:]):
        rows = [row for batch in step for row in batch["survivors"]]
        assert sum(row.distill_weight * row.num_tokens for row in rows) == pytest.approx(1.0)
    assert logged(trainer, "distill/loss") == pytest.approx(
        logged(trainer, "distill/token_divergence")
    )


def test_a_cut_privileged_rollout_teaches_nothing(trained: Make, hard: list[Problem]) -> None:
    """Right but cut by the token limit is dropped as truncated, and the step is GRPO's."""
    settings = {"per_device_train_batch_size": 6, "max_steps": 1, "max_completion_length": 2}
    hdpo = trained("hdpo", hard, distill_weight=1.0, **settings)
    assert logged(hdpo, "privileged/dropped_truncated")[0] > 0
    assert logged(hdpo, "privileged/kept") == [0.0]
    assert same_weights(hdpo, trained("grpo", hard, **settings))


@pytest.mark.parametrize("threshold", [0, 1, 3])
def test_the_threshold_is_a_number_of_successes(
    trained: Make, problems: list[Problem], threshold: int
) -> None:
    """A group with at most that many successes is a cliff: counted again from TRL's own rewards."""
    trainer = trained(
        "hdpo", problems, distill_weight=1.0, max_steps=1, seed=3, cliff_threshold=float(threshold),
        per_device_train_batch_size=12,
    )  # fmt: skip
    rewards = torch.tensor(list(trainer._logs["rewards"]["verdict"])).view(-1, 4).sum(1)
    assert {1.0, 0.0} < set(rewards.tolist())  # groups that tell the thresholds apart
    cliffs = (rewards <= threshold).sum()
    assert logged(trainer, "groups/cliff_rate") == [pytest.approx(float(cliffs) / len(rewards))]
    assert logged(trainer, "privileged/cliffs_tried") == [float(cliffs)]


def test_the_budget_of_privileged_rollouts(trained: Make, hard: list[Problem]) -> None:
    """At most max_cliff_prompts cliffs a step are tried, each rollouts_per_cliff times."""
    trainer = trained(
        "hdpo", hard, distill_weight=1.0, per_device_train_batch_size=6, max_steps=1,
        max_cliff_prompts=2, rollouts_per_cliff=5,
    )  # fmt: skip
    assert logged(trainer, "privileged/cliffs_tried") == [2.0]
    assert logged(trainer, "privileged/cliffs_left_out") == [1.0]
    seen = sum(v for k, v in trainer.state.log_history[0].items() if "/kept" in k or "/drop" in k)
    assert seen == 10


def test_repeated_survivors_can_be_left_out(trained: Make, hard: list[Problem]) -> None:
    """With distinct=True equal survivors teach once: here one answer a cliff is right."""
    settings = {"per_device_train_batch_size": 6, "max_steps": 1, "rollouts_per_cliff": 6}
    trainer = trained("hdpo", hard, distill_weight=1.0, distinct=True, **settings)
    assert 0 < logged(trainer, "privileged/kept")[0] <= len(hard)
    assert logged(trainer, "privileged/dropped_duplicate")[0] > 0


@pytest.mark.parametrize("drops", [True, False])
def test_a_survivor_that_admits_to_help_is_dropped(
    trained: Make, hard: list[Problem], drops: bool
) -> None:
    """The teacher template's telltales decide, unless drop_leaks is off."""
    from dataclasses import replace

    from hdpo_env.privileged import PRIVILEGED_TEMPLATES

    name = f"telling-{drops}"
    chain = PRIVILEGED_TEMPLATES["chain"]
    PRIVILEGED_TEMPLATES.add(name, replace(chain, name=name, telltales=(hard[0].gold,)))
    trainer = trained(
        "hdpo", hard, distill_weight=1.0, per_device_train_batch_size=6, max_steps=1,
        teacher_template=name, drop_leaks=drops,
    )  # fmt: skip
    assert (logged(trainer, "privileged/dropped_leaked")[0] > 0) is drops
    taught = {row.completion_ids for b in trainer._buffered_inputs for row in b["survivors"]}
    gold = tuple(trainer.processing_class(hard[0].gold + ".")["input_ids"])
    assert (gold in taught) is not drops


def test_half_precision_computes_the_same_term(trained: Make, problems: list[Problem]) -> None:
    """Under bf16 autocast the loss is the fp32 one up to bf16's three digits."""
    settings = {"distill_weight": 1.0, "max_steps": 1, "learning_rate": 0.0}
    full, half = (trained("hdpo", problems, bf16=bf16, **settings) for bf16 in (False, True))
    assert logged(full, "privileged/kept") == logged(half, "privileged/kept")
    assert sum(half.losses) == pytest.approx(sum(full.losses), rel=0.02)
    assert sum(half.losses) != sum(full.losses)


def test_abstentions_make_no_cliff_and_no_gold_reaches_a_log(
    trained: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A group that the verifier could not judge is undecided: nothing is sampled or distilled."""
    broken = [
        Problem(q, ("goldengold",), solution="secretwords", verifier="numeric")
        for q in ("9#9", "4#6", "7#2#5", "3+1")
    ]
    with caplog.at_level("DEBUG"):
        hdpo = trained("hdpo", broken, distill_weight=1.0, max_steps=1)
    assert logged(hdpo, "groups/undecided_rate") == [1.0]
    assert logged(hdpo, "verdict/abstention_rate") == [1.0]
    assert logged(hdpo, "privileged/cliffs_tried") == [0.0]
    assert "every verifier abstained" in caplog.text
    assert "goldengold" not in caplog.text
    assert "secretwords" not in caplog.text


def test_a_problem_without_a_solution_is_left_out(trained: Make, hard: list[Problem]) -> None:
    """A cliff that the view cannot show is counted and passed over."""
    bare = [Problem(p.question, p.answers, verifier="exact") for p in hard[:1]] + hard[1:]
    hdpo = trained("hdpo", bare, distill_weight=1.0, per_device_train_batch_size=6, max_steps=1)
    assert logged(hdpo, "privileged/cliffs_left_out") == [1.0]
    assert logged(hdpo, "privileged/cliffs_tried") == [2.0]


def test_the_weight_is_a_function_of_the_global_step(
    trained: Make, problems: list[Problem]
) -> None:
    """A run resumed after step 2 of 4 goes on with the schedule where it stopped."""
    from hdpo_plugins.trl import HDPOTrainer

    settings = {"distill_warmup_steps": 4, "save_strategy": "steps", "save_steps": 2}
    whole = trained("hdpo", problems, distill_weight=1.0, max_steps=4, **settings)
    assert logged(whole, "distill/weight") == [0.25, 0.5, 0.75, 1.0]
    path, args = whole.model.config._name_or_path, whole.args
    again = HDPOTrainer(path, whole.reward_funcs, args, whole.train_dataset)
    again.train(resume_from_checkpoint=str(Path(args.output_dir) / "checkpoint-2"))
    card = (Path(args.output_dir) / "README.md").read_text()
    assert "trained with HDPO, a method introduced in [HDPO: Hybrid Distillation" in card
    assert logged(again, "distill/weight") == [0.25, 0.5, 0.75, 1.0]


def test_evaluation_counts_cliffs_and_distils_nothing(
    trained: Make, problems: list[Problem]
) -> None:
    """TRL's evaluate reports groups by verdict, samples nothing privileged and moves nothing."""
    trainer = trained("hdpo", problems, distill_weight=1.0, per_device_eval_batch_size=8)
    before = [p.detach().clone() for p in trainer.model.parameters()]
    metrics = trainer.evaluate(trainer.train_dataset)
    rates = [metrics[f"eval_groups/{kind}_rate"] for kind in ("cliff", "mixed", "saturated")]
    assert sum(rates) == pytest.approx(1.0)
    assert not any("privileged" in name or "distill" in name for name in metrics)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))


@pytest.mark.parametrize("adapters", [False, True], ids=["copy", "peft"])
def test_a_frozen_teacher_stays(
    trained: Make, problems: list[Problem], model_path: Path, adapters: bool
) -> None:
    """After training the frozen teacher still reads as the first model; the student does not."""
    from peft import LoraConfig

    from hdpo_env.policies.hf import HFPolicy
    from hdpo_plugins.trl.teacher import Teacher

    peft = LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj"], lora_dropout=0.1)
    trainer = trained(
        "hdpo", problems, distill_weight=3.0, teacher="frozen", peft=peft if adapters else None
    )
    prompts, completions = [[2, 3, 4], [5, 6]], [[7, 1], [8, 9, 1]]
    first = HFPolicy.load(model_path, device="cpu")
    batch = trainer.teacher.batch(prompts, completions)
    expected = batch.gather(first.hidden(batch.input_ids, batch.attention_mask))
    frozen = trainer.teacher.reads(prompts, completions).hidden
    torch.testing.assert_close(frozen, expected, atol=1e-6, rtol=0)
    drifting = Teacher(trainer, "drifting").reads(prompts, completions).hidden
    assert not torch.allclose(drifting, expected, atol=1e-3)
    trainer.model.train()  # a teacher has no dropout, and leaves the student's as it was
    again = Teacher(trainer, "drifting").reads(prompts, completions).hidden
    assert torch.equal(again, drifting)
    assert all(module.training for module in trainer.model.modules())
    trainable = {n for n, p in trainer.model.named_parameters() if p.requires_grad}
    assert trainer.gradients.keys() == trainable
    assert all(("lora" in name) == adapters for name in trainable)
