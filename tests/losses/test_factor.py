"""The gradient in two factors: what saves a pass over the logits changes no number."""

from __future__ import annotations

import torch

from hdpo_env.losses import _rows
from hdpo_env.losses._merge import Whole


def test_the_factors_multiply_to_the_gradient() -> None:
    """``scale_n G_n`` equals what `write` gives, also on rows whose scale is exactly 0.

    Row 0 has ``-w mean - slope = 0`` with corrections left, row 1 neither weight nor slope, row 2
    a scale of 1e-320 that no quotient survives, rows 3 and 4 are ordinary.
    """
    rng = torch.Generator().manual_seed(0)
    p = torch.softmax(torch.randn(5, 7, generator=rng, dtype=torch.float64), -1)
    weight = torch.tensor([0.5, 0.0, 0.0, 0.3, 0.7], dtype=torch.float64)
    mean = torch.tensor([0.4, 0.2, 0.1, -0.6, 0.9], dtype=torch.float64)
    slope = torch.tensor([-0.2, 0.0, 1e-320, 0.1, -0.4], dtype=torch.float64)
    sparse = torch.randn(5, 2, generator=rng, dtype=torch.float64)
    nothing = p.new_zeros(5)
    part = _rows.Part(torch.tensor([0, 1, 2, 3, 4]), torch.tensor([[0, 3]] * 5))
    stats = _rows.Stats(nothing, nothing, nothing, nothing, nothing, mean, sparse)
    plan = _rows.Plan("jsd", "exact", True, False, Whole(7))
    whole = _rows.write(p.clone(), None, part, stats, weight, slope, plan, torch.float64)
    G, scale = _rows.factor(p.clone(), part, stats, weight, slope, plan)
    assert bool(G.isfinite().all())
    torch.testing.assert_close(scale[:, None] * G, whole, rtol=1e-14, atol=1e-300)
    assert bool(whole[0].any())
    assert not bool(whole[1].any())
