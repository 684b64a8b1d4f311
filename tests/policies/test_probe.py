"""The probe of what a model does after its head, on models whose class says nothing of it."""

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    FalconH1Config,
    FalconH1ForCausalLM,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4TextConfig,
    PreTrainedModel,
)

from hdpo_env.errors import ConfigError
from hdpo_env.policies.probe import head_input, output_head
from hdpo_env.policies.tiny import tiny_model

IDS = torch.tensor([[5, 6]])


def probed(model: PreTrainedModel) -> Tensor:
    """What the probe gives, on two tokens."""
    name = type(model).__name__
    return head_input(lambda: model.eval()(input_ids=IDS).logits, output_head(model), name)


def gemma4(cap: float | None) -> PreTrainedModel:
    """A checkpoint for images too: its cap stands in the config of its text half."""
    text = Gemma4TextConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, sliding_window=16,
        vocab_size_per_layer_input=64, hidden_size_per_layer_input=8, num_kv_shared_layers=0,
        layer_types=["sliding_attention", "full_attention"], final_logit_softcapping=cap,
    )  # fmt: skip
    config = Gemma4Config(text_config=text.to_dict(), vision_config=None, audio_config=None)
    return Gemma4ForConditionalGeneration(config)


def falcon(multiplier: float) -> PreTrainedModel:
    """A model whose scale has a name of its own."""
    config = FalconH1Config(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, mamba_d_ssm=32, mamba_n_heads=4,
        mamba_d_head=8, mamba_n_groups=1, mamba_d_state=8, lm_head_multiplier=multiplier,
    )  # fmt: skip
    return FalconH1ForCausalLM(config)


@pytest.mark.parametrize("model", [gemma4(None), falcon(1.0), tiny_model(seed=0)])
def test_a_head_that_has_the_last_word_passes(model: PreTrainedModel) -> None:
    """What the head reads, times its weights, is what the model says of the same tokens."""
    with torch.no_grad():
        said = model.eval()(input_ids=IDS).logits
    hidden, head = probed(model), output_head(model)
    assert torch.allclose(hidden @ head.weight.T, said, atol=1e-5)
    assert "forward" not in head.__dict__  # the model is as it was


@pytest.mark.parametrize(
    ("model", "wrong"),
    [(gemma4(30.0), "1000 becomes 30"), (falcon(0.04), "1000 becomes 40")],
)
def test_models_nobody_listed_are_refused(model: PreTrainedModel, wrong: str) -> None:
    """At these weights a cap of 30 changes no logit by a hundredth: the ramp shows it."""
    with pytest.raises(ConfigError, match=rf"{type(model).__name__} changes .* \({wrong},"):
        probed(model)


def test_a_head_that_is_cut_or_left_out_is_refused() -> None:
    """A model may drop padded words of its vocabulary, or compute its logits elsewhere."""
    head = nn.Linear(2, 4)
    with pytest.raises(ConfigError, match=r"shape \[1, 4\] becomes \[1, 3\]"):
        head_input(lambda: head(torch.ones(1, 2))[:, :3], head, "a model")
    with pytest.raises(ConfigError, match="calls its head 0 times"):
        head_input(lambda: torch.ones(1, 4), head, "a model")
