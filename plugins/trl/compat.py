"""What is known of TRL's inside: tested with 1.16.0, checked at import, refused where unknown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from hdpo_env.batching import TokenBatch
from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_env.hosting import require
from hdpo_env.policies.base import Head

TESTED = "1.16.0"
trl = require("trl", f"trl=={TESTED}")
GRPOConfig, GRPOTrainer = trl.GRPOConfig, trl.GRPOTrainer

# What the trainers here override or call. Names with an underscore may go in any release.
_INSIDE = (
    "_prepare_inputs",
    "_generate_and_score_completions",
    "_calculate_rewards",
    "_tokenize_prompts",
    "_generate_single_turn",
    "_get_per_token_logps_and_entropies",
    "_compute_loss",
)
if _lost := [name for name in _INSIDE if not hasattr(GRPOTrainer, name)]:
    raise MissingDependencyError(
        f"trl {trl.__version__} has no GRPOTrainer.{_lost[0]}, which HDPOTrainer and SDPGTrainer "
        f"build on: pip install 'trl=={TESTED}'"
    )


def refuse_config(args: Any) -> None:
    """Refuse settings under which the distillation term would be wrong or was never tried.

    Raises:
        ConfigError: names the setting, the rule and the remedy.
    """
    accumulation, per_generation = args.gradient_accumulation_steps, args.steps_per_generation
    refusals = [
        (
            args.use_vllm and args.vllm_mode == "server",
            "vllm_mode='server'",
            "vllm_mode='colocate'",
        ),
        (args.use_transformers_continuous_batching, "continuous batching", "generate() or vLLM"),
        (args.use_liger_kernel, "use_liger_kernel", "the losses here, which are fused already"),
        (bool(args.deepspeed or args.deepspeed_plugin), "DeepSpeed", "one GPU without it"),
        (bool(args.fsdp), "FSDP", "one GPU without it"),
        (args.world_size > 1, f"{args.world_size} processes", "one process"),
        (args.sync_ref_model and args.teacher == "frozen", "sync_ref_model", "teacher='drifting'"),
        (
            per_generation % accumulation != 0,
            f"steps_per_generation={per_generation} with "
            f"gradient_accumulation_steps={accumulation}",
            "a multiple, so that one generation holds whole optimiser steps",
        ),
    ]
    for is_refused, what, remedy in refusals:
        if is_refused:
            raise ConfigError(f"{type(args).__name__} does not support {what}: use {remedy}")


def refuse_host_arguments(host: dict[str, Any]) -> None:
    """Refuse multi-turn generation: the teacher re-reads one prompt and one completion.

    Raises:
        ConfigError: tools, an environment or a rollout function was given.
    """
    for name in ("tools", "environment_factory", "rollout_func"):
        if host.get(name):
            raise ConfigError(
                f"{name} is set: HDPOTrainer and SDPGTrainer distil single-turn completions; leave "
                "it out, or train with GRPOTrainer"
            )


def causal_model(trainer: Any, model: Any = None) -> Any:
    """The plain causal language model inside whatever wraps it; with adapters where it has them."""
    model = trainer.accelerator.unwrap_model(trainer.model if model is None else model)
    return model.get_base_model() if hasattr(model, "peft_config") else model


def head_of(causal: Any) -> Head:
    """The output embedding's weight and bias; TRL refuses an adapter on that layer, as we must."""
    layer = causal.get_output_embeddings()
    return Head(layer.weight, getattr(layer, "bias", None))


def hidden_states(trainer: Any, causal: Any, batch: TokenBatch) -> Any:
    """The hidden states [N, d] that predict the completion tokens of right-padded rows."""
    with trainer.accelerator.autocast():
        out = causal.base_model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False
        )
    return batch.gather(out.last_hidden_state)


@contextmanager
def captured(causal: Any) -> Iterator[list[Any]]:
    """Collect the last hidden states of every forward pass made inside the block."""
    seen: list[Any] = []
    body = causal.base_model
    hook = body.register_forward_hook(lambda module, args, out: seen.append(out.last_hidden_state))
    try:
        yield seen
    finally:
        hook.remove()


def first_weights(trainer: Any) -> Any:
    """A context in which a PEFT model is as it was before training: TRL's "ref" copy, or bare."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not hasattr(model, "peft_config"):
        return nullcontext()
    from trl.trainer.utils import use_adapter  # where TRL itself switches to the reference

    return use_adapter(model, "ref" if "ref" in model.peft_config else None)
