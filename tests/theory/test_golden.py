"""The numbers that Coq's interval arithmetic enclosed, computed by the library."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log
from pathlib import Path

import pytest
import torch

from hdpo_env import theory
from hdpo_env.losses import Hidden, head_loss

GOLDEN = Path(__file__).parents[2] / "proofs" / "golden" / "Golden.v"
LN_MU = [log(1 / 4), log(3 / 4)]  # the two-point space of Sanity.v; the first outcome succeeds


def enclosures() -> dict[str, tuple[float, float]]:
    """Theorem name -> (value, radius), read from the Coq source."""
    pattern = r"Theorem golden_(\w+) :\s+Rabs \(.*? - ([\d.]+)\) <= ([\d.]+)\."
    found = re.findall(pattern, GOLDEN.read_text(), flags=re.S)
    return {name: (float(value), float(radius)) for name, value, radius in found}


def half_against_certain() -> float:
    logits = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    teacher = Hidden(torch.tensor([[0.0, -800.0]], dtype=torch.float64))
    W = torch.eye(2, dtype=torch.float64)
    return head_loss(logits, W, teacher=teacher, divergence="jsd").divergence.item()


COMPUTED: dict[str, Callable[[], float]] = {
    "S1_value": lambda: theory.gibbs_policy(LN_MU, [1.0, 0.0], 0.5).value,
    "S2_TV": lambda: theory.hard_threshold_gap(0.25, 0.5).total_variation,
    "S2_KL": lambda: theory.hard_threshold_gap(0.25, 0.5).kl,
    "S6": half_against_certain,
    "S17_success": lambda: theory.success_after(0.25, 1.0, 3),
    "S18_bound": lambda: theory.filtered_estimate_bound(0.25, 16, 0.5),
}


def test_every_enclosure_is_computed():
    assert enclosures().keys() == COMPUTED.keys()


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_the_library_gives_the_enclosed_number(name):
    """The float is inside the interval that Coq proved, up to float64's own rounding."""
    value, radius = enclosures()[name]
    assert abs(COMPUTED[name]() - value) <= radius + 1e-12
