"""What the trainers refuse, in a sentence, before anything is trained; and the papers' defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.config import preset
from hdpo_env.errors import ConfigError
from hdpo_env.prompts import default_template
from hdpo_env.types import Problem

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore")]
Make = Callable[..., Any]


@pytest.mark.parametrize("name", ["hdpo", "sdpg"])
def test_the_defaults_are_the_papers(name: str, tmp_path: Path) -> None:
    """A config without arguments holds the preset's numbers, and TRL's batch is the paper's."""
    from hdpo_plugins.trl import HDPOConfig, SDPGConfig

    kind = {"hdpo": HDPOConfig, "sdpg": SDPGConfig}[name]
    args, paper = kind(str(tmp_path), use_cpu=True, bf16=False), preset(name)
    assert args.generation_batch_size == paper.rollout.prompts_per_step * paper.rollout.group_size
    assert args.num_generations == paper.rollout.group_size
    assert args.max_completion_length == paper.rollout.max_tokens
    assert (args.learning_rate, args.weight_decay) == (paper.optim.lr, paper.optim.weight_decay)
    assert (args.adam_beta1, args.adam_beta2) == paper.optim.betas
    assert (args.adam_epsilon, args.max_grad_norm) == (paper.optim.eps, paper.optim.max_grad_norm)
    assert (args.warmup_steps, args.max_steps) == (paper.optim.warmup_steps, paper.steps)
    assert args.temperature == paper.rollout.temperature
    assert (args.epsilon, args.loss_type) == (paper.algo.policy.clip_low, "dapo")
    assert args.beta == paper.algo.reference.weight
    assert args.teacher_template == paper.rollout.teacher_template
    assert args.template is None  # the verifier's own, which is the paper's for mathematics
    assert default_template(Problem("q", ("1",))) == paper.rollout.template
    assert args.distill() == paper.algo.distill


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"use_vllm": True, "vllm_mode": "server"}, "vllm_mode='server'"),
        ({"use_transformers_continuous_batching": True}, "continuous batching"),
        ({"use_liger_kernel": True}, "use_liger_kernel"),
        ({"steps_per_generation": 3}, "steps_per_generation=3"),
        ({"teacher": "ema"}, "choose 'drifting' or 'frozen'"),
        ({"teacher": "frozen", "sync_ref_model": True, "beta": 0.1}, "sync_ref_model"),
        ({"divergence": "nll"}, "choose 'jsd'"),
        ({"distill_weight": -1.0}, "choose one >= 0"),
        ({"distill_weight": 1.0, "view": "none"}, "the teacher would be the student"),
        ({"rollouts_per_cliff": 0}, "at least 1"),
    ],
)
def test_a_config_refuses(config: Make, settings: dict[str, Any], words: str) -> None:
    """A setting that is impossible or unsupported is named with its remedy."""
    from hdpo_plugins.trl import HDPOConfig

    with pytest.raises(ConfigError, match=words):
        config(HDPOConfig, per_device_train_batch_size=4, **settings)


@pytest.mark.parametrize(
    ("name", "words"),
    [("deepspeed_plugin", "DeepSpeed"), ("deepspeed", "DeepSpeed"), ("fsdp", "FSDP")],
)
def test_sharded_training_is_refused(config: Make, name: str, words: str) -> None:
    """However the launcher switched it on: by a setting, or by a plugin from the environment."""
    from hdpo_plugins.trl import HDPOConfig
    from hdpo_plugins.trl.compat import refuse_config

    args = config(HDPOConfig)
    refuse_config(args)
    setattr(args, name, {"stage": 3})
    with pytest.raises(ConfigError, match=f"does not support {words}: use one GPU"):
        refuse_config(args)


def test_sdpg_refuses_unknown_gates_and_references(
    config: Make, model_path: Path, problems: list[Problem]
) -> None:
    """The gate and the form of the reference term are the paper's."""
    from hdpo_plugins.trl import SDPGConfig, SDPGTrainer, VerdictReward, to_dataset

    with pytest.raises(ConfigError, match="gate is 'open'"):
        config(SDPGConfig, gate="open")
    dataset = to_dataset(problems, template="chain")
    with pytest.raises(ConfigError, match="choose one of ufkl, urkl, fkl, rkl"):
        SDPGTrainer(
            str(model_path),
            VerdictReward(problems, workers=0),
            config(SDPGConfig, reference_kind="k3"),
            dataset,
        )


@pytest.fixture
def build(config: Make, model_path: Path, problems: list[Problem]) -> Make:
    """An HDPOTrainer whose arguments a test changes."""
    from hdpo_plugins.trl import HDPOConfig, HDPOTrainer, VerdictReward, to_dataset

    def make(**changes: Any) -> Any:
        settings = {
            "model": str(model_path),
            "reward_funcs": VerdictReward(problems, workers=0),
            "args": config(HDPOConfig),
            "train_dataset": to_dataset(problems, template="chain"),
        }
        return HDPOTrainer(**settings | changes)

    return make


def shaped(completions: list[Any], **_: Any) -> list[float]:
    """A reward for length, as people add them."""
    return [float(len(c[0]["content"])) for c in completions]


def test_a_trainer_needs_one_verdict_reward(build: Make, problems: list[Problem]) -> None:
    """Cliffs are found by verdicts: none or two VerdictRewards are refused."""
    from hdpo_plugins.trl import VerdictReward

    for functions in ([shaped], [VerdictReward(problems), VerdictReward(problems)]):
        with pytest.raises(ConfigError, match="exactly one"):
            build(reward_funcs=functions)


def test_shaped_rewards_do_not_hide_cliffs(
    build: Make, config: Make, hard: list[Problem], problems: list[Problem]
) -> None:
    """Beside a reward for length a group of failures is still a cliff, and is distilled."""
    from hdpo_plugins.trl import HDPOConfig, VerdictReward, to_dataset

    trainer = build(
        reward_funcs=[shaped, VerdictReward(problems, workers=0)],
        train_dataset=to_dataset(hard, template="chain"),
        args=config(HDPOConfig, per_device_train_batch_size=6, max_steps=1, distill_weight=1.0),
    )
    trainer.train()
    [entry] = [entry for entry in trainer.state.log_history if "groups/cliff_rate" in entry]
    assert entry["reward"] > 1
    assert entry["groups/cliff_rate"] == 1.0
    assert entry["distill/loss"] > 0


def test_a_trainer_refuses_what_it_cannot_do(build: Make, config: Make) -> None:
    """Another config, tools, other prompts and soft-capped logits each get a sentence."""
    from transformers import Gemma2Config, Gemma2ForCausalLM
    from trl import GRPOConfig

    with pytest.raises(ConfigError, match=r"needs HDPOConfig\(output_dir"):
        build(args=config(GRPOConfig))
    with pytest.raises(ConfigError, match="tools is set"):
        build(tools=[shaped])
    trainer = build()
    trainer.args.template = "plain"
    with pytest.raises(ConfigError, match="is not what template 'plain' makes"):
        trainer.train()
    capped = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1, head_dim=8,
            num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip
    with pytest.raises(ConfigError, match="soft-capped"):
        build(model=capped, processing_class=trainer.processing_class)


@pytest.mark.parametrize(
    "where", [{"target_modules": ["lm_head"]}, {"target_parameters": ["lm_head.weight"]}]
)
def test_an_adapter_on_the_head_is_refused(build: Make, where: dict[str, Any]) -> None:
    """TRL says it, and we read the head's weight on its word; a layer saved whole is welcome."""
    from peft import LoraConfig

    settings: dict[str, Any] = {"task_type": "CAUSAL_LM", "target_modules": ["q_proj"]}
    with pytest.raises(ValueError, match="adapter to `lm_head` is not supported"):
        build(peft_config=LoraConfig(**settings | where))
    build(peft_config=LoraConfig(**settings, modules_to_save=["lm_head"]))


def test_a_solution_too_long_for_the_model_is_not_shown(
    build: Make, problems: list[Problem]
) -> None:
    """Nothing is cut: a privileged prompt that leaves no room for a completion is left out."""
    long = Problem("9#9", ("61",), solution="1" * 60, verifier="exact")
    trainer = build()
    trainer.verdicts.problems[long.id] = long
    rows = [
        {"problem_id": p.id, "prompt": [{"role": "user", "content": f"Q{p.question}"}]}
        for p in (long, problems[0])
    ]
    first, second = trainer.teacher_prompts(rows)
    assert first is None
    assert trainer.processing_class.decode(second) == "P3+1|47="
    needed = len(second) + trainer.max_completion_length
    for use_vllm, window, is_shown in (
        (True, needed, True),
        (True, needed - 1, False),
        (True, None, True),
        (False, needed - 1, True),
    ):
        trainer.args.use_vllm, trainer.args.vllm_max_model_length = use_vllm, window
        assert (trainer.teacher_prompts(rows[1:]) == [second]) is is_shown, window
