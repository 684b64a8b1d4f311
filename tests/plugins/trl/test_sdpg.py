"""SDPGTrainer on a real TRL: its loss is `sdpg_loss`, its gate and reference are the paper's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from hdpo_env.types import Outcome, Problem, Verdict

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
Make = Callable[..., Any]
ALWAYS: dict[str, Any] = {"distill_warmup_steps": 0, "distill_decay_steps": 0}


def recording(base: type) -> type:
    """This trainer, keeping the loss of every step and the newest gradients."""

    class Recording(base):
        def training_step(self, *args: Any) -> Any:
            loss = super().training_step(*args)
            self.losses = [*getattr(self, "losses", []), float(loss)]
            named = self.model.named_parameters()
            self.gradients = {n: p.grad.clone() for n, p in named if p.grad is not None}
            return loss

    return Recording


@pytest.fixture
def make(model_path: Path, config: Make) -> Make:
    """A trainer, perhaps on a moved model, with rewards beside the verdict or another in its place.

    ``make(problems, kind="sdpg", noise=0, verdicts=None, more=(), peft=None, **settings)``.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOTrainer

    from hdpo_plugins.trl import SDPGConfig, SDPGTrainer, VerdictReward, to_dataset

    def build(
        problems: list[Problem],
        *,
        kind: str = "sdpg",
        noise: float = 0.0,
        verdicts: Any = None,
        more: Sequence[Any] = (),
        peft: Any = None,
        **settings: Any,
    ) -> Any:
        model = AutoModelForCausalLM.from_pretrained(model_path)
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(3)
            for parameter in model.parameters():
                parameter += noise * torch.randn_like(parameter)
        settings = {"max_grad_norm": 0.0, "weight_decay": 0.0, **settings}
        return recording({"grpo": GRPOTrainer, "sdpg": SDPGTrainer}[kind])(
            model,
            [verdicts or VerdictReward(problems, workers=0), *more],
            config(SDPGConfig, **settings),
            to_dataset(problems, template="chain"),
            processing_class=AutoTokenizer.from_pretrained(model_path),
            peft_config=peft,
        )

    return build


def logged(trainer: Any, name: str) -> list[float]:
    """What TRL logged under this name, step by step."""
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def bonus(*amounts: float) -> Callable[..., list[float]]:
    """A second reward: these amounts in turn, whatever is said."""

    def reward(completions: list[Any], **_: Any) -> list[float]:
        return [amounts[i % len(amounts)] for i in range(len(completions))]

    return reward


def unsure(problems: list[Problem]) -> Any:
    """Verdicts, of which every fourth is an abstention: one in each group of four."""
    from hdpo_plugins.trl import VerdictReward

    class Unsure(VerdictReward):
        def judge(self, pairs: Any) -> list[Verdict]:
            found = super().judge(pairs)
            return [Verdict(Outcome.TIMEOUT) if i % 4 == 0 else v for i, v in enumerate(found)]

    return Unsure(problems, workers=0)


def first_model(trainer: Any) -> Any:
    """A copy of the model as it is now, without TRL's patch, which still points to the original."""
    twin = copy.deepcopy(trainer.student)
    del twin.forward
    return twin


def weights(trainer: Any) -> list[torch.Tensor]:
    """The model's parameters now."""
    return [p.detach().clone() for p in trainer.model.parameters()]


def oracle(
    trainer: Any, start: Any, model_path: Path, *, kind: str, alpha: float, beta: float
) -> tuple[float, dict[str, torch.Tensor]]:
    """`sdpg_loss` on TRL's buffered batch, each row read alone and unpadded, from first weights."""
    from hdpo_env.losses import Hidden, token_logprobs
    from hdpo_env.losses.sdpg import sdpg_loss
    from hdpo_env.policies.hf import HFPolicy

    student = HFPolicy(start, trainer.processing_class)
    reference = HFPolicy.load(model_path, device="cpu")
    batches, total = trainer._buffered_inputs, torch.zeros(())
    num_tokens = sum(int(b["completion_mask"].sum()) for b in batches)

    def read(policy: HFPolicy, prompt: list[int], said: list[int]) -> torch.Tensor:
        ids = torch.tensor([prompt + said])
        return policy.hidden(ids, ids >= 0)[0, len(prompt) - 1 : -1]

    for b in batches:
        for i, advantage in enumerate(b["advantages"].tolist()):
            keep = b["completion_mask"][i].bool()
            prompt = b["prompt_ids"][i][b["prompt_mask"][i].bool()].tolist()
            said = b["completion_ids"][i][keep].tolist()
            h, (W, _) = read(student, prompt, said), student.head()
            targets = torch.tensor(said)
            with torch.no_grad():
                told = read(student, b["teacher_prompts"][i], said)
                ref = token_logprobs(read(reference, prompt, said), reference.head()[0], targets)
                own = token_logprobs(h, W, targets).logprobs
            old = b["old_per_token_logps"][i][keep] if "old_per_token_logps" in b else own
            total = total + sdpg_loss(
                h, W, targets,
                advantages=torch.full((len(said),), advantage),
                weight=torch.full((len(said),), 1 / num_tokens),
                teacher=Hidden(told), distill_weight=beta, old_logprobs=old,
                ref_logprobs=ref.logprobs, reference_weight=alpha, reference_kind=kind,
            ).loss  # fmt: skip
    total.backward()
    named = student.module.named_parameters()
    return float(total), {n: p.grad for n, p in named if p.grad is not None}


@pytest.mark.parametrize("kind", ["ufkl", "urkl", "fkl", "rkl"])
def test_loss_and_gradient_are_sdpg_loss(
    make: Make, problems: list[Problem], model_path: Path, kind: str
) -> None:
    """Outcome, gated full-vocabulary KL and reference term, against rows read one by one."""
    trainer = make(
        problems,
        noise=0.02,
        max_steps=1,
        distill_weight=0.6,
        beta=0.3,
        reference_kind=kind,
        **ALWAYS,
    )
    import copy

    start = copy.deepcopy(trainer.student)
    del start.forward  # TRL's patch of the copy still points to the trained model
    trainer.train()
    assert 0 < logged(trainer, "distill/gate_rate")[0] < 1
    assert logged(trainer, "kl")[0] > 1e-4
    loss, gradients = oracle(trainer, start, model_path, kind=kind, alpha=0.3, beta=0.6)
    assert sum(trainer.losses) == pytest.approx(loss, abs=1e-5)
    assert gradients.keys() == trainer.gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(trainer.gradients[name], gradient, atol=1e-5, rtol=1e-4)


def test_off_policy_rows_weigh_the_ratio(
    make: Make, problems: list[Problem], model_path: Path
) -> None:
    """Where TRL keeps an older policy's log-probs, sg[rho] multiplies divergence and reference."""
    trainer = make(
        problems, noise=0.02, max_steps=1, num_iterations=2, distill_weight=0.6, beta=0.3, **ALWAYS
    )
    original = trainer._generate_and_score_completions

    def older(inputs: Any) -> Any:
        """The rollouts of a policy that was a little less sure of everything it said."""
        output = original(inputs)
        output["old_per_token_logps"] = output["old_per_token_logps"] - 0.1
        return output

    trainer._generate_and_score_completions = older
    start = first_model(trainer)
    trainer.train()
    loss, gradients = oracle(trainer, start, model_path, kind="ufkl", alpha=0.3, beta=0.6)
    assert sum(trainer.losses) == pytest.approx(loss, abs=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(trainer.gradients[name], gradient, atol=1e-5, rtol=1e-4)


def test_steps_of_one_generation_share_its_tokens(make: Make, problems: list[Problem]) -> None:
    """Cut into two optimiser steps, a generation's terms average to those of the one step."""
    logs = []
    for accumulation in (4, 2):
        trainer = make(
            problems, noise=0.02, distill_weight=1.0, beta=0.5, gate="all", learning_rate=0.0,
            max_steps=4 // accumulation, per_device_train_batch_size=4,
            gradient_accumulation_steps=accumulation,
            **({} if accumulation == 4 else {"steps_per_generation": 4}), **ALWAYS,
        )  # fmt: skip
        trainer.train()
        logs.append((logged(trainer, "distill/loss"), sum(trainer.losses) * accumulation / 4))
    ([whole], total), (parts, mean) = logs
    assert len(parts) == 2
    assert sum(parts) / 2 == pytest.approx(whole, rel=1e-5)
    assert mean == pytest.approx(total, abs=1e-6)


def test_two_steps_move_the_weights_by_the_papers_schedule(
    make: Make, problems: list[Problem]
) -> None:
    """Two real optimiser steps; beta(k) = base min(1, k/4) min(1, (T-k)/2), logged by TRL."""
    trainer = make(
        problems, distill_weight=1.0, distill_warmup_steps=4, distill_decay_steps=2, max_steps=3
    )
    before = weights(trainer)
    trainer.train()
    assert logged(trainer, "distill/weight") == [0.25, 0.25, 0.0]
    assert any(not torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))


def test_evaluation_adds_the_reference_term_alone(make: Make, problems: list[Problem]) -> None:
    """In TRL's evaluate the loss is the outcome's plus alpha L_K over the batch's own tokens."""
    trainer = make(
        problems, noise=0.02, distill_weight=1.0, beta=0.5, reference_kind="urkl",
        per_device_eval_batch_size=24, **ALWAYS,
    )  # fmt: skip
    seen: list[Any] = []
    original = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda rows: seen.append(original(rows)) or seen[-1]
    metrics = trainer.evaluate(trainer.train_dataset)
    [batch] = seen
    mask = batch["completion_mask"].bool()
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    keep = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    with torch.no_grad():
        logits = trainer.student(input_ids=ids, attention_mask=keep).logits.log_softmax(-1)
    own = logits[:, -mask.shape[1] - 1 : -1].gather(-1, batch["completion_ids"][..., None])[..., 0]
    gap = (own - batch["ref_per_token_logps"])[mask]
    outcome = -batch["advantages"][:, None].expand_as(mask)[mask].mean()
    assert metrics["eval_loss"] == pytest.approx(float(outcome + 0.25 * (gap**2).mean()), abs=1e-5)
    assert metrics["eval_kl"] == pytest.approx(float((torch.exp(-gap) - 1 + gap).mean()), abs=1e-5)


def test_without_both_weights_it_is_grpo_bit_for_bit(make: Make, problems: list[Problem]) -> None:
    """beta_base 0 and alpha 0 leave every weight where GRPOTrainer puts it."""
    runs = []
    for kind in ("sdpg", "grpo"):  # one after the other: a trainer seeds the world when it is made
        runs.append(make(problems, kind=kind, distill_weight=0.0, beta=0.0))
        runs[-1].train()
    assert runs[0].losses == runs[1].losses
    for ours, theirs in zip(*map(weights, runs), strict=True):
        assert torch.equal(ours, theirs)


def test_the_gate_is_shut_on_cliffs(make: Make, hard: list[Problem]) -> None:
    """Where every group fails no advantage is positive: the weights stay; gate "all" moves them."""
    settings = {"per_device_train_batch_size": 6, "distill_weight": 1.0, "beta": 0.0, **ALWAYS}
    shut = make(hard, max_steps=1, **settings)
    before = weights(shut)
    shut.train()
    assert logged(shut, "groups/cliff_rate") == [1.0]
    assert logged(shut, "distill/gate_rate") == [0.0]
    assert all(torch.equal(a, b) for a, b in zip(before, weights(shut), strict=True))
    opened = make(hard, max_steps=1, gate="all", **settings)
    opened.train()
    assert logged(opened, "distill/gate_rate") == [1.0]
    assert any(not torch.equal(a, b) for a, b in zip(before, weights(opened), strict=True))


@pytest.mark.parametrize("amounts", [(0.0, 0.3), (0.3,)], ids=["bonus", "rounding"])
def test_other_rewards_do_not_open_the_gate(
    make: Make, hard: list[Problem], amounts: tuple[float, ...]
) -> None:
    """On cliffs a bonus, or the rounding of eight equal ones, makes advantages; nothing is
    distilled.
    """
    trainer = make(
        hard, more=[bonus(*amounts)], max_steps=1, distill_weight=1.0, beta=0.0,
        per_device_train_batch_size=24, gradient_accumulation_steps=1, num_generations=8, **ALWAYS,
    )  # fmt: skip
    trainer.train()
    assert logged(trainer, "groups/cliff_rate") == [1.0]
    assert (trainer._buffered_inputs[0]["advantages"] > 0).any()
    assert logged(trainer, "distill/gate_rate") == [0.0]


def test_an_abstention_is_never_distilled(make: Make, problems: list[Problem]) -> None:
    """With gate "all" every judged completion is distilled, and of four one was not judged."""
    trainer = make(
        problems, verdicts=unsure(problems), more=[bonus(1.0)], max_steps=1,
        distill_weight=1.0, gate="all", **ALWAYS,
    )  # fmt: skip
    trainer.train()
    assert logged(trainer, "distill/gate_rate") == [0.75]


def test_rows_without_a_teacher_keep_the_outcome_term(make: Make, easy: list[Problem]) -> None:
    """A problem that the view cannot show is trained as GRPO does, and counts as gated out."""
    bare = [Problem(p.question, p.answers, verifier="exact") for p in easy]
    settings = {"num_generations": 16, "gradient_accumulation_steps": 2, "beta": 0.0, **ALWAYS}
    sdpg = make(bare, distill_weight=1.0, **settings)
    sdpg.train()
    grpo = make(bare, kind="grpo", **settings)
    grpo.train()
    assert logged(sdpg, "distill/gate_rate") == [0.0, 0.0]
    assert sum(logged(sdpg, "groups/mixed_rate")) > 0
    assert sdpg.losses == grpo.losses


def test_a_frozen_teacher_is_trls_reference(
    make: Make, problems: list[Problem], model_path: Path
) -> None:
    """With alpha > 0 there is one frozen copy, not two, and it still reads as the first model."""
    from hdpo_env.policies.hf import HFPolicy

    trainer = make(problems, teacher="frozen", distill_weight=1.0, beta=0.1, **ALWAYS)
    assert trainer.teacher.causal is trainer.accelerator.unwrap_model(trainer.ref_model)
    trainer.train()
    first = HFPolicy.load(model_path, device="cpu")
    batch = trainer.teacher.batch([[2, 3]], [[4, 5, 1]])
    told = trainer.teacher.reads([[2, 3]], [[4, 5, 1]])
    expected = batch.gather(first.hidden(batch.input_ids, batch.attention_mask))
    torch.testing.assert_close(told.hidden, expected, atol=1e-6, rtol=0)
    assert torch.equal(told.head.weight, first.head().weight)


def test_an_abstention_beside_a_second_reward_is_left_out(
    make: Make, problems: list[Problem]
) -> None:
    """A bonus that everyone gets changes no advantage: also not where the verifier abstained."""
    runs = []
    for more in ((), (bonus(1.0),)):
        runs.append(
            make(problems, verdicts=unsure(problems), more=more, max_steps=1, distill_weight=0.0)
        )
        runs[-1].train()
    assert logged(runs[0], "verdict/abstention_rate") == [0.25]
    alone, beside = (
        torch.cat([batch["advantages"] for batch in run._buffered_inputs]) for run in runs
    )
    assert alone.any()
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("beta", [0.0, 0.1], ids=["adapters off", "reference adapter"])
def test_a_frozen_teacher_keeps_the_head_that_training_moves(
    make: Make, problems: list[Problem], model_path: Path, beta: float
) -> None:
    """A head in modules_to_save is trained; the frozen teacher's logits are the first model's."""
    from peft import LoraConfig

    from hdpo_env.policies.hf import HFPolicy

    peft = LoraConfig(
        r=4, target_modules=["q_proj"], modules_to_save=["lm_head"], task_type="CAUSAL_LM"
    )
    trainer = make(problems, teacher="frozen", peft=peft, distill_weight=1.0, beta=beta, **ALWAYS)
    trainer.train()
    told = trainer.teacher.reads([[2, 3]], [[4, 5, 1]])
    assert told.head is not None
    first = HFPolicy.load(model_path, device="cpu").head().weight
    assert torch.equal(told.head.weight, first)
    assert not torch.allclose(trainer.student.get_output_embeddings().weight, first, atol=1e-3)
