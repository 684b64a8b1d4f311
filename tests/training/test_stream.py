"""Which problems a step sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.errors import DataError
from hdpo_env.training.stream import EpochStream, MixedStream
from hdpo_env.types import Problem


def problems(n: int, tag: str = "") -> list[Problem]:
    return [Problem(f"{tag}{i}?", (str(i),)) for i in range(n)]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_an_epoch_holds_every_problem_once(n: int, size: int, seed: int) -> None:
    """Batches run on across epochs: any n consecutive places that start an epoch are all n."""
    stream = EpochStream(problems(n), seed)
    steps = -(-3 * n // size)
    order = [p.id for step in range(steps) for p in stream.batch(step, size)]
    for epoch in range(3):
        assert len(set(order[epoch * n : (epoch + 1) * n])) == n


def test_another_seed_is_another_order() -> None:
    """The order is the seed's own."""
    orders = [[p.id for p in EpochStream(problems(50), seed).batch(0, 50)] for seed in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_further_attempts_leave_later_steps_alone() -> None:
    """DAPO-like redraws are other problems, and step 1 is the same with and without them."""
    stream = EpochStream(problems(40), 0)
    later = stream.batch(1, 8)
    assert stream.batch(0, 8, attempt=1) != stream.batch(0, 8)
    assert stream.batch(1, 8) == later


def test_shares_are_kept() -> None:
    """Two streams with shares 1 and 3 fill a batch of 8 with 2 and 6."""
    mixed = MixedStream(
        {"a": (EpochStream(problems(9, "a")), 1), "b": (EpochStream(problems(9, "b")), 3)}
    )
    batch = mixed.batch(0, 8)
    assert [p.question[0] for p in batch] == ["a"] * 2 + ["b"] * 6


def test_nothing_to_train_on_is_refused() -> None:
    """An empty data set and an empty mixture say what is missing."""
    with pytest.raises(DataError, match="no training problems"):
        EpochStream([])
    with pytest.raises(DataError, match="at least one stream"):
        MixedStream({})
