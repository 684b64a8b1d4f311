"""Sums with a global denominator: micro-batches, padding and empty masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.losses import count, masked_mean, masked_sum, token_weights

LEVELS = ["token", "sequence", "dr_grpo"]
masks = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6)


def test_weights_by_hand():
    """Two sequences of 1 and 3 tokens in T = 4: 1/4 each; 1/2 and 1/6; 1/8 each."""
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 1]]).bool()
    want = {"token": (1 / 4, 1 / 4), "sequence": (1 / 2, 1 / 6), "dr_grpo": (1 / 8, 1 / 8)}
    for level, (short, long) in want.items():
        w = token_weights(mask, level=level, denominator=count(mask, level=level))
        expected = torch.tensor([[short, 0, 0, 0], [long, long, 0, long]])
        torch.testing.assert_close(w, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("level", LEVELS)
@given(rows=masks, cut=st.integers(0, 6))
def test_micro_batches_add_up_to_the_whole(level, rows, cut):
    """Weights made per micro-batch with the summed denominator are the whole batch's rows."""
    mask = torch.tensor(rows)
    parts = [mask[:cut], mask[cut:]]
    total = sum(count(part, level=level) for part in parts)
    assert total == count(mask, level=level)
    whole = token_weights(mask, level=level, denominator=total)
    split = torch.cat([token_weights(p, level=level, denominator=total) for p in parts])
    assert torch.equal(whole, split)
    assert whole[~mask].count_nonzero() == 0
    if level != "dr_grpo" and mask.any():
        assert abs(whole.sum().item() - 1) < 1e-6


@pytest.mark.parametrize("level", ["token", "sequence"])
@given(rows=masks, extra=st.integers(0, 3))
def test_padding_changes_nothing(level, rows, extra):
    """More padded columns and empty rows: the same weights in the same places."""
    mask = torch.tensor(rows)
    wide = torch.nn.functional.pad(mask, (0, extra, 0, extra))
    a, b = (token_weights(m, level=level, denominator=count(m, level=level)) for m in (mask, wide))
    assert torch.equal(a, b[: mask.shape[0], : mask.shape[1]])
    assert b.count_nonzero() == a.count_nonzero()


def test_an_empty_mask_is_zero_with_zero_gradient():
    """No token: sum and mean are 0 with zero gradient, although every value is NaN."""
    values = torch.full((2, 3), float("nan"), requires_grad=True)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    total = masked_sum(values, mask) + masked_mean(values, mask, 0)
    total.backward()
    assert total.item() == 0.0
    assert values.grad is not None
    assert values.grad.count_nonzero() == 0
    assert token_weights(mask, denominator=0).count_nonzero() == 0


def test_what_is_masked_out_is_not_read():
    """An inf in padding reaches neither the mean nor the gradient."""
    values = torch.tensor([1.0, float("inf"), 3.0], requires_grad=True)
    mean = masked_mean(values, torch.tensor([True, False, True]), 8)
    mean.backward()
    assert mean.item() == 0.5
    assert values.grad is not None
    assert values.grad.tolist() == [0.125, 0.0, 0.125]
