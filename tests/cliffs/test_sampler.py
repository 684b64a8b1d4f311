"""The curriculum: what each strategy promises, against plain counts, and resuming anywhere."""

from __future__ import annotations

import json
from collections import Counter
from itertools import chain, islice, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs import Beta
from hdpo_env.cliffs.fading import HintLadder
from hdpo_env.cliffs.sampler import CliffSampler, Strategy
from hdpo_env.errors import CheckpointError, ConfigError

ALL: tuple[Strategy, ...] = ("uniform", "frontier", "retry", "drop", "pools")


def epochs(sampler: CliffSampler, num: int, rates: list[float], seed: int = 0) -> list[list[int]]:
    """Draw epochs; each draw is answered at once with a group of 8 of the problem's pass rate."""
    rng, found = Random(seed), []
    for _ in range(num):
        found.append([])
        for index in sampler:
            found[-1].append(index)
            correct = sum(rng.random() < rates[index] for _ in range(8))
            sampler.update(index, num_correct=correct, num_wrong=8 - correct)
    return found


@pytest.mark.parametrize("strategy", ALL)
@given(stop=st.integers(0, 40), seed=st.integers(0, 3))
def test_resuming_anywhere_changes_nothing(strategy: Strategy, stop: int, seed: int) -> None:
    """After any number of draws, a sampler made from the state draws what the old one would."""

    def make() -> CliffSampler:
        return CliffSampler(9, strategy, seed=seed, delay=3, rest=1)

    def go_on(sampler: CliffSampler, first: int, num: int) -> list[int]:
        drawn: list[int] = []
        while len(drawn) < num:
            for index in islice(sampler, num - len(drawn)):
                drawn.append(index)
                correct = (index + first + len(drawn)) % 3 * 4
                sampler.update(index, num_correct=correct, num_wrong=8 - correct)
        return drawn

    whole = make()
    before = go_on(whole, 0, stop)
    state = json.loads(json.dumps(whole.state_dict()))
    resumed = make()
    resumed.load_state_dict(state)
    assert go_on(whole, stop, 20) == go_on(resumed, stop, 20)
    assert len(before) == stop


def test_uniform_epochs_are_shuffles() -> None:
    """Each epoch holds every problem once, in an order of its own."""
    first, second = epochs(CliffSampler(50, seed=1), 2, [0.5] * 50)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert epochs(CliffSampler(50, seed=2), 1, [0.5] * 50)[0] != first


def test_the_frontier_is_drawn_by_expected_variance() -> None:
    """Weights E[p(1-p)] by hand: Beta(1,1) after (4, 4), (0, 8), (8, 0) is 5/22, 1/11 * 9/10 ..."""
    sampler = CliffSampler(3, "frontier", seed=5)
    for index, (c, w) in enumerate([(4, 4), (0, 8), (8, 0)]):
        sampler.update(index, num_correct=c, num_wrong=w)
    weights = [5 * 5 / (10 * 11), 1 * 9 / (10 * 11), 9 * 1 / (10 * 11)]  # ab / ((a+b)(a+b+1))
    drawn = Counter(i for _ in range(2000) for i in sampler)
    for index, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(drawn[index] / 6000 - share) < 4 * (share * (1 - share) / 6000) ** 0.5


def test_retries_come_later_and_later() -> None:
    """A problem that always fails returns after exactly 10, 20, 40 and 80 other draws."""
    drawn = chain.from_iterable(epochs(CliffSampler(50, "retry", delay=10), 5, [0.0] + [1.0] * 49))
    places = [place for place, index in enumerate(drawn) if index == 0]
    assert [b - a - 1 for a, b in pairwise(places)][:4] == [10, 20, 40, 80]


def test_a_retry_that_succeeds_is_one_of_all_again() -> None:
    """Once solved it waits no more: it is in every epoch's shuffle, once."""
    sampler = CliffSampler(10, "retry", delay=5)
    sampler.update(3, num_correct=0, num_wrong=8)
    sampler.update(3, num_correct=0, num_wrong=8)
    assert 3 not in set(islice(sampler, 9))
    sampler = CliffSampler(10, "retry", delay=5)
    sampler.update(3, num_correct=0, num_wrong=8)
    found = epochs(sampler, 3, [1.0] * 10)
    assert found[0].count(3) == 1
    assert found[1].count(3) == found[2].count(3) == 1


def test_dropped_problems_rest_and_return() -> None:
    """No variance: out of the next two epochs, back in the third; mixed ones stay in all."""
    rates = [0.0] * 5 + [1.0] * 5 + [0.5] * 10
    found = epochs(CliffSampler(20, "drop", rest=2, seed=3), 4, rates)
    still = set(range(10))
    assert still <= set(found[0])
    assert not still & set(found[1])
    assert not still & set(found[2])
    assert still <= set(found[3])
    assert all(len(epoch) == 20 for epoch in found)


@pytest.mark.parametrize("strategy", ["drop", "retry"])
def test_late_news_takes_a_problem_out_of_the_epoch(strategy: Strategy) -> None:
    """Two epochs' draws in one batch: told after it, problems are not drawn before their time.

    8 problems, 6 drawn, then 6 more (the last of epoch 0 and four of epoch 1): whatever failed is
    neither in the rest of epoch 1 nor, while it rests or waits, in what follows.
    """
    for seed in range(20):
        sampler = CliffSampler(8, strategy, seed=seed, delay=10, rest=1)
        draws = chain.from_iterable(iter(lambda s=sampler: iter(s), None))
        list(islice(draws, 6))
        for index in list(islice(draws, 6)):
            sampler.update(index, num_correct=0, num_wrong=4)
        failed = set(sampler._resting) | {index for _, index in sampler._due}
        assert len(failed) >= 4
        after = list(islice(draws, 10 if strategy == "retry" else 12))
        assert not failed & set(after), "drawn again although it was told to wait"


def test_a_later_group_with_variance_ends_the_rest() -> None:
    """What counts is the last group: a mixed one frees a problem that was to rest or to wait."""
    for strategy in ("drop", "retry"):
        sampler = CliffSampler(4, strategy, delay=3)
        sampler.update(2, num_correct=0, num_wrong=4)
        sampler.update(2, num_correct=1, num_wrong=3)
        assert 2 in set(islice(sampler, 4))


def test_a_threshold_makes_cliffs_of_rare_successes() -> None:
    """With threshold 1 a group with one success waits as a cliff does, with two it does not."""
    for correct, waits in ((0, True), (1, True), (2, False)):
        sampler = CliffSampler(4, "retry", delay=4, threshold=1)
        sampler.update(2, num_correct=correct, num_wrong=4)
        assert (2 not in set(islice(sampler, 4))) == waits


def test_pools_keep_their_shares() -> None:
    """Cliffs and mixed problems 1 to 3, whatever their numbers; empty pools cost nothing."""
    sampler = CliffSampler(40, "pools", pool_shares={"cliff": 1.0, "mixed": 3.0}, seed=4)
    for index in range(40):
        correct = 0 if index < 36 else 4
        sampler.update(index, num_correct=correct, num_wrong=8 - correct)
    drawn = Counter(sampler.pool(i) for _ in range(100) for i in sampler)
    assert set(drawn) == {"cliff", "mixed"}
    assert abs(drawn["cliff"] / 4000 - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5
    only = CliffSampler(3, "pools", pool_shares={"solved": 1.0})
    assert set(only) <= {0, 1, 2}


def test_torch_takes_it_as_a_sampler() -> None:
    """A DataLoader batches by it, one epoch an iteration."""
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(list(range(12)), batch_size=4, sampler=CliffSampler(12, seed=1))
    first, second = ([i for batch in loader for i in batch.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_the_ladder_by_hand() -> None:
    """Up at half, down at nothing, never off either end; states are kept and checked."""
    ladder = HintLadder(["solution", "prefix:0.5", "none"], up=0.5, down=0.0)
    seen = []
    for correct in (4, 1, 8, 8, 0, 0, 0, 3):
        ladder.update("p", num_correct=correct, num_wrong=8 - correct)
        seen.append(ladder.view("p"))
    half = "prefix:0.5"
    assert seen == [half, half, "none", "none", half, "solution", "solution", "solution"]
    ladder.update("p", num_correct=0, num_wrong=0)
    assert ladder.counts() == {"solution": 1, half: 0, "none": 0}
    again = HintLadder(["solution", "prefix:0.5", "none"])
    again.load_state_dict(json.loads(json.dumps(ladder.state_dict())))
    assert again.state_dict() == ladder.state_dict()
    with pytest.raises(CheckpointError, match="same views"):
        HintLadder(["answer", "none"]).load_state_dict(ladder.state_dict())


def test_fading_follows_a_learner() -> None:
    """A learner that improves climbs down the help to none; one that forgets gets it back."""
    ladder, rng = HintLadder(["solution", "prefix:0.5", "prefix:0.25", "none"]), Random(0)
    lift = {"solution": 0.9, "prefix:0.5": 0.6, "prefix:0.25": 0.3, "none": 0.0}
    for skill in (0.0, 0.3, 0.6, 0.9):
        for _ in range(6):
            p = skill + (1 - skill) * lift[ladder.view("p")]
            correct = sum(rng.random() < p for _ in range(8))
            ladder.update("p", num_correct=correct, num_wrong=8 - correct)
    assert ladder.view("p") == "none"
    for _ in range(2):
        ladder.update("p", num_correct=0, num_wrong=8)
    assert ladder.view("p") == "prefix:0.5"


def test_misuse_is_refused() -> None:
    """Impossible settings, indices and states are named."""
    with pytest.raises(ConfigError, match="strategy 'best' is unknown"):
        CliffSampler(3, "best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="size=0"):
        CliffSampler(0)
    with pytest.raises(ConfigError, match="pool_shares"):
        CliffSampler(3, "pools", pool_shares={"hard": 1.0})
    sampler = CliffSampler(3, prior=Beta(0.5, 0.5))
    with pytest.raises(ConfigError, match="index 3"):
        sampler.update(3, num_correct=0, num_wrong=1)
    sampler.update(1, num_correct=0, num_wrong=0)
    assert sampler.pool(1) == "unseen"
    with pytest.raises(CheckpointError, match="size is 3 and the checkpoint's 4"):
        sampler.load_state_dict(CliffSampler(4).state_dict())
    with pytest.raises(ConfigError, match="two different"):
        HintLadder(["answer"])
    with pytest.raises(ConfigError, match="down lies below up"):
        HintLadder(["answer", "none"], up=0.2, down=0.5)
