"""What a call costs, counted and not timed: matrix products and the largest tensor."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hdpo_env.losses import (
    Hidden,
    head_loss,
    reverse_kl,
    teacher_topk,
    token_logprobs,
    topk_jsd,
)

N, V, D = 24, 300, 5


class Ledger(TorchDispatchMode):
    """Rows times one product of the head (2 V d), and the numel of the largest result."""

    def __init__(self):
        super().__init__()
        self.flops, self.largest = 0, 0

    @property
    def rows(self) -> float:
        return self.flops / (V * D)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__.rstrip("_")
        if name in ("mm", "addmm"):
            a, b = args[-2:] if name == "addmm" else args[:2]
            self.flops += a.shape[0] * a.shape[1] * b.shape[1]
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(x, torch.Tensor) and not x._is_view():
                self.largest = max(self.largest, x.numel())
        return out


def case(n=N):
    g = torch.Generator().manual_seed(0)
    h, noise = torch.randn(2, n, D, generator=g).unbind()
    return h.requires_grad_(), torch.randn(V, D, generator=g).requires_grad_(), h.detach() + noise


def spent(call, backward=True):
    with Ledger() as ledger:
        out = call()
        if backward:
            out.loss.backward()
    return ledger


@pytest.mark.parametrize("gated", [0, 1, 7, 24])
def test_kl_costs_four_products_a_gated_row(gated):
    """3 student products and 1 of the teacher for rows with weight, nothing for the others."""
    h, W, h_teacher = case()
    weight = (torch.arange(N) < gated).float()
    assert spent(lambda: reverse_kl(h, W, h_teacher, weight=weight, chunk=10)).rows == 4 * gated


def test_the_joint_operator_costs_three_plus_p():
    """3 products for each row in use and 1 for each gated one; rows in no term cost nothing."""
    h, W, h_teacher = case()
    weight, mask = torch.zeros(N), torch.ones(N, dtype=torch.bool)
    weight[:7], mask[20:] = 1.0, False
    ledger = spent(
        lambda: head_loss(
            h, W, torch.zeros(N).long(), lambda logprobs, rows: logprobs, mask=mask,
            teacher=Hidden(h_teacher), weight=weight, chunk=10,
        )
    )  # fmt: skip
    assert ledger.rows == 3 * 20 + 7


def test_a_topk_teacher_costs_no_product():
    """3 products; 1 for the teacher's own top k; 1 for log-probabilities; 1 fewer if frozen."""
    h, W, h_teacher = case()
    top = teacher_topk(h_teacher, W, 4)
    assert spent(lambda: topk_jsd(h, W, top.ids, top.logprobs)).rows == 3 * N
    assert spent(lambda: topk_jsd(h, W.detach(), top.ids, top.logprobs)).rows == 2 * N
    assert spent(lambda: teacher_topk(h_teacher, W, 4), backward=False).rows == N
    targets = torch.zeros(N).long()
    assert spent(lambda: token_logprobs(h, W, targets), backward=False).rows == N


def test_rows_without_gradient_cost_no_backward_product():
    """A chunk with zero advantage on most rows pays its two backward products for the rest only."""
    h, W, _ = case()
    advantages = (torch.arange(N) % 4 == 0).float()
    ledger = spent(
        lambda: head_loss(
            h, W, torch.zeros(N).long(), lambda logprobs, rows: -advantages[rows] * logprobs
        )
    )
    assert ledger.rows == N + 2 * 6
    idle = spent(
        lambda: head_loss(h, W, torch.zeros(N).long(), lambda logprobs, rows: 0 * logprobs)
    )
    assert idle.rows == N


@pytest.mark.parametrize("n", [24, 96, 384])
def test_the_largest_tensor_does_not_grow_with_n(n):
    """Two chunk buffers for a teacher in hidden states, one for a top-k teacher, whatever N is."""
    h, W, h_teacher = case(n)
    kl = spent(lambda: reverse_kl(h, W, h_teacher, chunk=12))
    assert kl.largest <= 2 * 12 * V
    top = teacher_topk(h_teacher, W, 4, chunk=12)
    jsd = spent(lambda: topk_jsd(h, W, top.ids, top.logprobs, chunk=12))
    assert jsd.largest <= max(12 * V, n * D)


def test_the_default_chunk_is_bounded_in_logits():
    """Without a chunk the buffers stay near 128 MB for any vocabulary a model has."""
    from hdpo_env.losses._prepare import Head

    h = torch.zeros(1, 1)
    for size in (1_000, 32_768, 151_936):
        rows = Head(torch.zeros(1, 1), None, 1.0, None, None, None).rows_at_once(h, size)
        assert rows * size <= 2**25 or rows == 64
        assert math.log2(rows) >= 6
