"""The enumerable policy is what it says: its listing, its scoring and its samples agree."""

from __future__ import annotations

from collections import Counter
from math import exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import make_world

from hdpo_env.batching import token_batch
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.losses import token_logprobs
from hdpo_env.policies.base import TorchPolicy
from hdpo_env.policies.tabular import TabularPolicy
from hdpo_env.types import Message, Prompt

seeds = st.integers(0, 2**31)
temperatures = st.sampled_from([0.5, 1.0, 2.0])


@settings(max_examples=30)
@given(seeds, st.integers(1, 4), temperatures)
def test_the_listed_probabilities_sum_to_one(seed, depth, temperature):
    """Every completion is listed once, and nothing else has probability."""
    world = make_world(seed, max_tokens=depth)
    listed = world.policy.enumerate(world.student, temperature=temperature)
    assert sum(exp(logp.item()) for _, logp in listed) == pytest.approx(1, abs=1e-12)
    ids = [ids for ids, _ in listed]
    assert len(set(ids)) == len(ids) == sum(2**t for t in range(depth)) + 2**depth


@settings(max_examples=20)
@given(seeds, st.integers(1, 3), temperatures)
def test_the_losses_read_the_same_log_probabilities_from_hidden_states(seed, depth, temperature):
    """Hidden and head, through padding and gathering, give log_prob exactly."""
    world = make_world(seed, max_tokens=depth)
    listed = world.policy.enumerate(world.student, temperature=temperature)
    prompt = world.policy.encode(world.student)
    batch = token_batch([prompt] * len(listed), [ids for ids, _ in listed], pad_id=0)
    h = batch.gather(world.policy.hidden(batch.input_ids, batch.attention_mask))
    W, bias = world.policy.head()
    found = token_logprobs(h, W, batch.target, bias=bias, temperature=temperature).logprobs
    sums = torch.zeros(len(listed), dtype=found.dtype).index_add_(0, batch.row, found)
    truth = torch.stack([logp for _, logp in listed]).detach()
    torch.testing.assert_close(sums, truth.to(sums.dtype), rtol=0, atol=1e-11)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_samples_follow_the_listed_law(temperature):
    """Pearson's statistic of 6,000 seeded draws stays below the 1 - 1e-4 quantile of chi^2(6)."""
    world = make_world(11, max_tokens=2)
    listed = world.policy.enumerate(world.student, temperature=temperature)
    (drawn,) = world.policy.sample(
        [world.student], num=6000, temperature=temperature, max_tokens=2, seed=5
    )
    counts = Counter(c.token_ids for c in drawn)
    expected = {ids: 6000 * exp(logp.item()) for ids, logp in listed}
    assert counts.keys() <= expected.keys()
    assert sum((counts[i] - e) ** 2 / e for i, e in expected.items()) < 27.9
    truth = {ids: logp.item() for ids, logp in listed}
    for completion in drawn[:50]:
        assert sum(completion.logprobs) == pytest.approx(truth[completion.token_ids], abs=1e-12)
        ended = completion.token_ids[-1] == world.policy.eos_id
        assert completion.finish_reason == ("stop" if ended else "length")


def test_sampling_repeats_itself_and_greedy_takes_the_likeliest():
    """Equal seeds give equal completions whatever was drawn in between; other seeds differ."""
    world = make_world(3, max_tokens=4)

    def draw(seed, **options):
        return world.policy.sample(
            [world.student, world.teacher],
            num=8,
            temperature=1.0,
            max_tokens=4,
            seed=seed,
            **options,
        )

    first = draw(1)
    torch.manual_seed(99)
    draw(2)
    assert draw(1) == first != draw(2)
    (best, *_), _ = draw(0, greedy=True)
    for t, token in enumerate(best.token_ids):
        assert token == world.logits(world.student, best.token_ids[:t]).argmax().item()


def test_it_is_a_torch_policy_and_refuses_what_it_cannot_do():
    """Unknown prompts, deeper completions and degenerate trees are errors that say what to do."""
    world = make_world(0)
    assert isinstance(world.policy, TorchPolicy)
    with pytest.raises(DataError, match="pass it when building"):
        world.policy.encode(Prompt("x", (Message("user", "never seen"),)))
    with pytest.raises(ConfigError, match="depth"):
        world.policy.sample([world.student], num=1, temperature=1.0, max_tokens=9, seed=0)
    with pytest.raises(ConfigError, match="two different tokens"):
        TabularPolicy([world.student], "aa", max_tokens=2)
    assert world.policy.decode(world.policy.encode_completion("ab")) == "ab"
