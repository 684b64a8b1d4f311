"""Padding and the shift by one, the only place that does either."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.batching import Row, micro_batches, token_batch

ids = st.lists(st.integers(2, 50), min_size=1, max_size=7)
completions = st.lists(st.integers(2, 50), max_size=6)
pairs = st.lists(st.tuples(ids, completions), min_size=1, max_size=5)


@given(pairs)
def test_every_completion_token_is_predicted_from_the_place_before_it(
    rows: list[tuple[list[int], list[int]]],
) -> None:
    """Token n is the input at position[n] + 1 of its row; prompts and padding are never targets."""
    batch = token_batch([p for p, _ in rows], [c for _, c in rows], pad_id=0)
    follows = [
        batch.input_ids[b, s + 1].item()
        for b, s in zip(batch.row.tolist(), batch.position.tolist(), strict=True)
    ]
    assert follows == batch.target.tolist() == [t for _, c in rows for t in c]
    assert batch.attention_mask.sum(1).tolist() == [len(p) + len(c) for p, c in rows]
    assert torch.equal(batch.input_ids != 0, batch.attention_mask)


@given(pairs)
def test_teacher_and_student_tokens_line_up(rows: list[tuple[list[int], list[int]]]) -> None:
    """A longer prompt before the same completions gives the same targets in the same order."""
    student = token_batch([p for p, _ in rows], [c for _, c in rows], pad_id=0)
    teacher = token_batch([[9, *p, 9] for p, _ in rows], [c for _, c in rows], pad_id=0)
    assert torch.equal(student.target, teacher.target)
    assert torch.equal(student.row, teacher.row)
    assert torch.equal(student.position + 2, teacher.position)


def test_hidden_states_and_weights_follow_the_tokens() -> None:
    """By hand: two rows of lengths 2 + 1 and 1 + 2."""
    batch = token_batch([[5, 6], [7]], [[8], [9, 1]], pad_id=0)
    hidden = torch.arange(6.0).reshape(2, 3, 1)
    assert batch.gather(hidden).flatten().tolist() == [1.0, 3.0, 4.0]
    assert batch.per_token([0.5, 0.25]).tolist() == [0.5, 0.25, 0.25]


def test_an_empty_prompt_is_refused() -> None:
    """Nothing could predict its first completion token."""
    with pytest.raises(ValueError, match="prompt 1 of the batch has no tokens"):
        token_batch([[1], []], [[2], [3]], pad_id=0)


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 6))
def test_micro_batches_hold_every_row_once(lengths: list[int], size: int) -> None:
    """No row is lost or repeated, and none of the slices is larger than asked."""
    rows = [Row(tuple(range(n)), (1,)) for n in lengths]
    parts = list(micro_batches(rows, size))
    assert all(1 <= len(p) <= size for p in parts)
    assert sorted(r.prompt_ids for p in parts for r in p) == sorted(r.prompt_ids for r in rows)
