"""Rewards -> advantages in plain numbers: the oracle that the tensor version is tested against."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from typing import Literal

from hdpo_env.errors import ConfigError

Baseline = Literal["mean", "leave_one_out"]
Scale = Literal["population_std", "sample_std", "none"]


def group_advantages(
    rewards: Sequence[float | None],
    *,
    baseline: Baseline = "mean",
    scale: Scale = "population_std",
    eps_std: float = 1e-6,
) -> list[float]:
    """Group-relative advantages ``A_i = (r_i - b_i) / (s + eps_std)`` of one prompt's G rollouts.

    ``b`` is the mean of the group, or of the others (``leave_one_out``, which equals
    ``G/(G-1) * (r_i - mean)``); ``s`` is the standard deviation with divisor G
    (``population_std``) or G - 1 (``sample_std``); ``none`` divides by 1 and ignores ``eps_std``.

    Exactly 0 when all rewards are equal: no 0/0 and no float noise blown up by 1/eps. A reward of
    None (the verifier abstained) is left out of every mean and gets 0.

    GRPO, arXiv 2402.03300; leave-one-out: RLOO. HDPO's text names both (see the presets).

    Raises:
        ConfigError: unknown baseline or scale, or a negative ``eps_std``.

    >>> group_advantages([1, 0, 0, 0], scale="none")
    [0.75, -0.25, -0.25, -0.25]
    >>> group_advantages([1, 0, None, 0], baseline="leave_one_out", scale="none")
    [1.0, -0.5, 0.0, -0.5]
    >>> group_advantages([0.1] * 3)
    [0.0, 0.0, 0.0]
    """
    _check(baseline, scale, eps_std)
    known = [r for r in rewards if r is not None]
    if not known or max(known) == min(known):
        return [0.0] * len(rewards)
    size = len(known)
    mean = fsum(known) / size
    stretch = size / (size - 1) if baseline == "leave_one_out" else 1.0
    divisor = _scale(known, mean, scale) + eps_std if scale != "none" else 1.0
    return [0.0 if r is None else stretch * (r - mean) / divisor for r in rewards]


def _scale(rewards: Sequence[float], mean: float, scale: Scale) -> float:
    squares = fsum((r - mean) ** 2 for r in rewards)
    return sqrt(squares / (len(rewards) - (scale == "sample_std")))


def _check(baseline: str, scale: str, eps_std: float) -> None:
    if baseline not in ("mean", "leave_one_out"):
        raise ConfigError(f"baseline {baseline!r} is unknown: choose mean or leave_one_out")
    if scale not in ("population_std", "sample_std", "none"):
        raise ConfigError(f"scale {scale!r} is unknown: choose population_std, sample_std or none")
    if eps_std < 0:
        raise ConfigError(f"eps_std {eps_std} is negative: give 0 or more")
