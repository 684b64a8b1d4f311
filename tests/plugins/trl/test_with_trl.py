"""The reward, the dataset and the environment inside TRL's own trainers: GRPO, SDPO, SDFT."""

from __future__ import annotations

import pickle
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Problem
from hdpo_plugins.trl import VerdictReward, environment_factory, to_dataset
from hdpo_plugins.trl.contract import HOSTS

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
Make = Callable[..., Any]
(HOST,) = HOSTS


@pytest.mark.parametrize("what", HOST.exercises)
def test_the_contract(what: str) -> None:
    """Each promise to TRL is kept by the installed version, which is a tested one."""
    assert HOST.installed in HOST.tested
    HOST.exercises[what]()


def logged(trainer: Any, name: str) -> list[float]:
    """What TRL logged under this name, step by step."""
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def moved(trainer: Any, model_path: Path) -> bool:
    """Whether training changed any weight of the saved model."""
    from transformers import AutoModelForCausalLM

    first = AutoModelForCausalLM.from_pretrained(model_path)
    pairs = zip(first.parameters(), trainer.model.parameters(), strict=True)
    return any(not torch.equal(a, b) for a, b in pairs)


def test_verdicts_from_worker_processes_on_any_thread() -> None:
    """Right, wrong and unjudgeable are 1, 0 and None, with limits on, off the main thread."""
    good = Problem("1/2 as a decimal", ("0.5",))
    bad = Problem("broken", ("not a number",), verifier="numeric")
    reward = pickle.loads(pickle.dumps(VerdictReward([good, bad], workers=1)))
    completions = [[{"role": "assistant", "content": rf"\boxed{{{x}}}"}] for x in (r"\frac12", 2)]
    completions += [[{"role": "assistant", "content": "1"}]]
    seen: list[tuple[str, float]] = []
    with ThreadPoolExecutor(1) as pool:
        names = [good.id, good.id, bad.id]
        found = pool.submit(reward, completions, names, lambda *m: seen.append(m)).result()
    assert found == [1.0, 0.0, None]
    assert seen == [("verdict/abstention_rate", pytest.approx(1 / 3))]
    with pytest.raises(DataError, match="from the same problems"):
        reward(completions[:1], ["nobody"])


def test_grpo_learns_from_verdicts_in_two_steps(
    problems: list[Problem], model_path: Path, config: Make
) -> None:
    """TRL's GRPOTrainer takes two real steps on our reward and dataset."""
    from trl import GRPOConfig, GRPOTrainer

    trainer = GRPOTrainer(
        str(model_path),
        VerdictReward(problems, workers=1),
        config(GRPOConfig),
        to_dataset(problems, template="chain"),
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert moved(trainer, model_path)
    assert 0 < logged(trainer, "rewards/verdict/mean")[0] < 1
    assert logged(trainer, "verdict/abstention_rate") == [0.0, 0.0]


@pytest.mark.parametrize("column", [True, False], ids=["column", "none"])
def test_sdpo_learns_on_cliffs_only_by_our_column(
    hard: list[Problem], model_path: Path, config: Make, column: bool
) -> None:
    """Where no rollout succeeds SDPO's loss is exactly 0, unless it is given privileged context."""
    from trl.experimental.sdpo import SDPOConfig, SDPOTrainer

    settings: dict[str, Any] = {
        "include_environment_feedback": True,
        "feedback_template": "|{feedback_raw}",
        "reprompt_template": "{prompt}{solution}{feedback}",
        "per_device_train_batch_size": 6,
    }
    trainer = SDPOTrainer(
        model=str(model_path),
        reward_funcs=VerdictReward(hard, workers=0),
        args=config(SDPOConfig, **settings),
        train_dataset=to_dataset(hard, template="chain", view="solution" if column else None),
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert logged(trainer, "self_distillation/success_sample_fraction") == [0.0, 0.0]
    losses = logged(trainer, "loss")
    assert all(loss != 0 for loss in losses) if column else losses == [0.0, 0.0]
    assert moved(trainer, model_path) is column


def test_sdft_reads_the_same_column(hard: list[Problem], model_path: Path, config: Make) -> None:
    """TRL's SDFT takes its privileged context from the column and learns."""
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    trainer = SDFTTrainer(
        model=str(model_path),
        args=config(
            SDFTConfig, per_device_train_batch_size=3, num_generations=1, distillation_topk=8
        ),
        train_dataset=to_dataset(hard * 2, template="chain", view="solution"),
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert moved(trainer, model_path)


def test_the_dataset_holds_what_each_trainer_reads_and_no_gold_unasked() -> None:
    """Prompts are the student's; privileged text stands in its own column, only on request."""
    problem = Problem("What is six times seven?", ("42",), solution="6 * 7 = 42")
    plain = to_dataset([problem])
    asked = student_prompt(problem, "boxed").messages[0].content
    assert plain.column_names == ["prompt", "problem_id"]
    assert plain[0]["prompt"] == [{"role": "user", "content": asked}]
    assert "42" not in str(plain[0]["prompt"])
    row = to_dataset([problem], view="solution")[0]
    assert row["prompt"] == plain[0]["prompt"]
    assert "6 * 7 = 42" in row["privileged_context"]
    assert problem.question not in row["privileged_context"]
    assert "6 * 7" not in to_dataset([problem], view="answer")[0]["privileged_context"]
    with pytest.raises(ConfigError, match="use hdpo, sdpg"):
        to_dataset([problem], template="chain", view="solution", teacher_template="chain")


def test_a_rollout_submits_answers_and_earns_its_verdict(config: Make) -> None:
    """TRL runs the tool that the model calls: the reward is the verdict, no gold is ever shown."""
    from trl import GRPOConfig, GRPOTrainer

    right, wrong = (
        Problem("6*7?", ("42",), verifier="exact"),
        Problem("6*8?", ("48",), verifier="exact"),
    )
    trainer = GRPOTrainer(
        model=_talker(),
        args=config(
            GRPOConfig, max_completion_length=256, max_tool_calling_iterations=1,
            chat_template_kwargs={"enable_thinking": False},
        ),
        train_dataset=to_dataset([right, wrong] * 2, template="plain"),
        processing_class=_characters(),
        environment_factory=environment_factory([right, wrong]),
    )  # fmt: skip
    _teach_to_call(
        trainer, '<tool_call>\n{"name": "submit", "arguments": {"answer": "42"}}\n</tool_call>'
    )
    heard: list[Any] = []
    original = trainer._calculate_rewards

    def listen(inputs: Any, prompts: Any, completions: Any, *rest: Any) -> Any:
        heard.extend(zip(inputs, completions, strict=True))
        return original(inputs, prompts, completions, *rest)

    trainer._calculate_rewards = listen
    trainer.train()
    assert trainer.state.global_step == 2
    assert logged(trainer, "tools/call_frequency")[0] > 0.5
    assert logged(trainer, "rewards/MathTask/mean")[0] == pytest.approx(0.5, abs=0.2)
    answers = {
        (row["problem_id"], m["content"]) for row, c in heard for m in c if m["role"] == "tool"
    }
    assert (right.id, "That is correct.") in answers
    assert (wrong.id, "That is not correct. The attempts are used up.") in answers
    assert not any("48" in text for _, text in answers)


def _characters() -> Any:
    """A tokenizer of printable characters with TRL's Qwen3 chat template, which renders tools."""
    import trl
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<|im_end|>", "<|im_start|>"]
    vocab = {c: i for i, c in enumerate([*special, *string.printable])}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.decoder = decoders.Fuse()
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<pad>",
        additional_special_tokens=["<|im_start|>"], chat_template=template.read_text(),
    )  # fmt: skip


def _talker() -> Any:
    """Learned absolute positions: such a model memorises a text in a few steps."""
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = GPT2Config(
            vocab_size=103, n_positions=1536, n_embd=64, n_layer=1, n_head=2, pad_token_id=0,
            bos_token_id=None, eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )  # fmt: skip
        return GPT2LMHeadModel(config)


def _teach_to_call(trainer: Any, text: str) -> None:
    """Fit the model to answer every prompt, as TRL renders it, with this text."""
    rows = [trainer.train_dataset[i]["prompt"] for i in (0, 1)]
    trainer._batch_environments = [None] * len(rows)
    prompts = trainer._tokenize_prompts(rows)[0]
    said = [*trainer.processing_class(text)["input_ids"], 1]
    tokens = torch.tensor([list(p) + said for p in prompts])
    labels = tokens.clone()
    labels[:, : -len(said)] = -100
    optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = trainer.model(input_ids=tokens, labels=labels).loss
        if loss < 0.005:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
