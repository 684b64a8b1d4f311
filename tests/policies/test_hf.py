"""A Hugging Face model as a policy: its samples, its head, and the models it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.policies.base import TorchPolicy
from hdpo_env.policies.hf import HFPolicy, check_place
from hdpo_env.policies.tiny import tiny_policy, tiny_tokenizer
from hdpo_env.types import Message, Prompt


def ask(text: str) -> Prompt:
    return Prompt(text, (Message("user", text),))


PROMPTS = [ask("Q3#7#2"), ask("P3+7+2+5|024")]


def small(model_class: type, config_class: type, **extra: object) -> HFPolicy:
    """A random model of another architecture, with the tiny tokenizer."""
    torch.manual_seed(0)
    config = config_class(
        vocab_size=20,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        **extra,
    )
    return HFPolicy(model_class(config).eval(), tiny_tokenizer())


@pytest.mark.parametrize(
    "policy",
    [
        tiny_policy(seed=0),
        small(LlamaForCausalLM, LlamaConfig),
        small(Qwen2ForCausalLM, Qwen2Config, tie_word_embeddings=True),
    ],
    ids=["gpt2", "llama", "qwen2-tied"],
)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_behaviour_logprobs_are_those_of_a_whole_forward_pass(
    policy: HFPolicy, temperature: float
) -> None:
    """KV cache, left padding and dropped rows change nothing: fp32 against one uncached pass."""
    groups = policy.sample(PROMPTS, num=6, temperature=temperature, max_tokens=9, seed=3)
    lengths = set()
    for prompt, group in zip(PROMPTS, groups, strict=True):
        for completion in group:
            ids = torch.tensor([[*policy.encode(prompt), *completion.token_ids]])
            hidden = policy.hidden(ids, ids >= 0)
            logits = torch.nn.functional.linear(hidden[0], *policy.head()) / temperature
            here = logits.log_softmax(-1)[-len(completion.token_ids) - 1 : -1]
            expected = here[range(len(here)), list(completion.token_ids)].tolist()
            assert completion.logprobs == pytest.approx(expected, abs=2e-5)
            lengths.add(completion.num_tokens)
    assert len(lengths) > 1, "rows should end at different lengths, or nothing was dropped"


def test_a_seed_decides_every_token() -> None:
    """The same seed repeats, another differs, and torch's global generator plays no part."""
    policy = tiny_policy(seed=0)

    def texts(seed: int) -> list[str]:
        groups = policy.sample(PROMPTS, num=8, temperature=1.0, max_tokens=8, seed=seed)
        return [c.text for g in groups for c in g]

    first = texts(5)
    state = torch.get_rng_state()
    torch.rand(3)
    assert texts(5) == first
    assert texts(6) != first
    torch.set_rng_state(state)
    texts(5)
    assert torch.equal(torch.get_rng_state(), state)


def test_samples_follow_the_models_distribution() -> None:
    """First-token frequencies of 4,000 draws lie within 4 standard errors of the softmax."""
    policy = tiny_policy(seed=2)
    prompt, n = PROMPTS[0], 4000
    with torch.no_grad():
        policy.module.get_output_embeddings().weight *= 20  # away from uniform
        ids = torch.tensor([policy.encode(prompt)])
        dist = torch.nn.functional.linear(policy.hidden(ids, ids >= 0)[0, -1], *policy.head())
    probs = dist.softmax(-1)
    (group,) = policy.sample([prompt], num=n, temperature=1.0, max_tokens=1, seed=0)
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=20) / n
    errors = (probs * (1 - probs) / n).sqrt()
    assert ((counts - probs).abs() <= 4 * errors + 1e-3).all()
    assert probs.max() > 2 / 20


def test_greedy_takes_the_most_likely_token_and_length_marks_the_cut() -> None:
    """Greedy needs no seed; a completion that hits the limit says "length", an ended one "stop"."""
    policy = tiny_policy(seed=0)
    arguments = {"num": 1, "temperature": 1.0, "greedy": True}
    short = policy.sample(PROMPTS, max_tokens=2, seed=1, **arguments)
    again = policy.sample(PROMPTS, max_tokens=2, seed=9, **arguments)
    assert short == again
    for (completion,) in short:
        ended = completion.token_ids[-1] == policy.eos_id
        assert completion.finish_reason == ("stop" if ended else "length")


def test_a_completion_ends_where_the_context_does() -> None:
    """Each row by its own prompt, cut as by max_tokens; the draws before that are the same."""
    policy = tiny_policy(seed=0)
    prompts = [ask("1"), ask("1+2+3+4+5")]
    lengths = [len(policy.encode(p)) for p in prompts]
    room = max(lengths) + 3
    arguments = {"num": 6, "temperature": 1.0, "max_tokens": 40, "seed": 0}
    free = policy.sample(prompts, **arguments)
    policy.module.config.max_position_embeddings = room
    cut = policy.sample(prompts, **arguments)
    for length, group in zip(lengths, cut, strict=True):
        assert all(length + c.num_tokens <= room for c in group)
        ends = [c for c in group if length + c.num_tokens == room and c.finish_reason == "length"]
        assert ends, "no completion reached the end of the context, so nothing was tested"
    first = [[c.token_ids[:3] for c in group] for group in free]
    assert [[c.token_ids[:3] for c in group] for group in cut] == first


def test_a_prompt_that_fills_the_context_is_refused() -> None:
    """Said with its length, where positions beyond the last would be read otherwise."""
    policy = tiny_policy(seed=0)
    prompt = ask("1+2+3")
    length = len(policy.encode(prompt))
    arguments = {"num": 1, "temperature": 1.0, "max_tokens": 4, "seed": 0}
    policy.module.config.max_position_embeddings = length + 1
    [[only]] = policy.sample([prompt], **arguments)
    assert only.num_tokens == 1
    policy.module.config.max_position_embeddings = length
    with pytest.raises(DataError, match=f"of {length} tokens leaves no room .* of {length}"):
        policy.sample([prompt], **arguments)
    with pytest.raises(ConfigError, match="temperature=nan"):
        policy.sample([prompt], **{**arguments, "temperature": float("nan")})


def test_batches_cover_all_prompts_in_order() -> None:
    """More rows than fit one batch come back in the order of the prompts."""
    policy = tiny_policy(seed=0)
    policy.rows_per_batch = 5
    prompts = [ask(f"Q{i}+{i}") for i in range(7)]
    groups = policy.sample(prompts, num=2, temperature=1.0, max_tokens=4, seed=0)
    assert [len(g) for g in groups] == [2] * 7
    greedy = policy.sample(prompts, num=1, temperature=1.0, max_tokens=4, seed=0, greedy=True)
    alone = [
        policy.sample([p], num=1, temperature=1.0, max_tokens=4, seed=0, greedy=True)[0]
        for p in prompts
    ]
    assert [g[0].token_ids for g in greedy] == [g[0].token_ids for g in alone]


def test_a_saved_policy_loads_the_same(tmp_path: Path) -> None:
    """Save writes a folder that transformers loads: same weights, same tokens, same template."""
    policy = tiny_policy(seed=4)
    policy.save(tmp_path)
    loaded = HFPolicy.load(tmp_path, device="cpu")
    assert isinstance(loaded, TorchPolicy)
    assert loaded.encode(PROMPTS[0]) == policy.encode(PROMPTS[0])
    assert loaded.decode(policy.encode(PROMPTS[0])) == "Q3#7#2="
    for ours, theirs in zip(policy.module.parameters(), loaded.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_without_chat_template_gets_plain_text() -> None:
    """The messages' texts in a row; nothing of the conversation is lost."""
    policy = tiny_policy(seed=0)
    policy.tokenizer.chat_template = None
    prompt = Prompt("p", (Message("system", "1+1"), Message("user", "2+2")))
    text = policy.tokenizer.decode(policy.encode(prompt)).replace("_", "")
    assert text == "1+12+2"


def test_a_tokenizer_without_pad_token_pads_with_the_end() -> None:
    """Padding is masked, so which id pads changes nothing."""
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    policy = tiny_policy(seed=0)
    other = HFPolicy(policy.module, tokenizer)
    assert other.pad_id == other.eos_id == 1
    arguments = {"num": 4, "temperature": 1.0, "max_tokens": 6, "seed": 0}
    assert other.sample(PROMPTS, **arguments) == policy.sample(PROMPTS, **arguments)


@pytest.mark.parametrize("place", ["gpt2", "owner/name", "Qwen/Qwen2.5-0.5B"])
def test_a_hub_id_may_come_without_an_owner(place: str) -> None:
    """The hub's first models have none: whether there is such a model is for the hub to say."""
    check_place(place)


@pytest.mark.parametrize("place", ["a/b/c", "./gpt2", "~/gpt2", "no model", "a--b", "gpt2/"])
def test_what_can_be_no_hub_id_is_refused_without_asking_the_hub(place: str) -> None:
    """A path to nowhere, and letters that no id has, are told with what to give."""
    with pytest.raises(ConfigError, match="it cannot be a hub id: give a checkpoint's folder"):
        check_place(place)


def test_models_the_losses_cannot_serve_are_refused(tmp_path: Path) -> None:
    """No end token, capped or scaled logits, nothing to load, nonsense counts: each is named."""
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="no end-of-sequence token"):
        HFPolicy(tiny_policy(seed=0).module, tokenizer)
    with pytest.raises(ConfigError, match="1000 becomes 30"):
        small(Gemma2ForCausalLM, Gemma2Config, head_dim=8)  # its default cap is 30
    with pytest.raises(ConfigError, match="1000 becomes 125"):
        small(GraniteForCausalLM, GraniteConfig, logits_scaling=8.0)
    with pytest.raises(ConfigError, match="there is no folder"):
        HFPolicy.load(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="cannot load a model from"):
        HFPolicy.load(tmp_path)  # a folder without a model
    with pytest.raises(ConfigError, match="num=0"):
        tiny_policy(seed=0).sample(PROMPTS, num=0, temperature=1.0, max_tokens=4, seed=0)
