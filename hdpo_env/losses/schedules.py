"""Coefficients as functions of the step: plain numbers, no state."""

from __future__ import annotations


def distill_weight(
    step: int, total_steps: int, *, base: float, warmup_steps: int, decay_steps: int
) -> float:
    """``beta(k) = base * min(1, k / T_warm) * min(1, (T - k) / T_decay)``.

    0 at step 0 (if there is a warmup) and at step T (if there is a decay); `base` in between. A
    length of 0 switches its factor off. Source: SDPG arXiv 2606.04036.

    Raises:
        ValueError: a step outside [0, total_steps], or a negative length.

    >>> beta = lambda k: distill_weight(k, 400, base=1.0, warmup_steps=50, decay_steps=350)
    >>> [beta(k) for k in (0, 25, 50, 225)]
    [0.0, 0.5, 1.0, 0.5]
    """
    if not 0 <= step <= total_steps:
        raise ValueError(f"step = {step}: it must lie in [0, total_steps = {total_steps}]")
    for name, length in (("warmup_steps", warmup_steps), ("decay_steps", decay_steps)):
        if length < 0:
            raise ValueError(f"{name} = {length}: it must be 0 or more")
    warm = min(1.0, step / warmup_steps) if warmup_steps else 1.0
    decay = min(1.0, (total_steps - step) / decay_steps) if decay_steps else 1.0
    return base * warm * decay


def lr_factor(step: int, *, warmup_steps: int, start: float = 0.1) -> float:
    """``start + (1 - start) k / T_warm`` up to T_warm, then 1: HDPO's linear warmup from 0.1.

    Raises:
        ValueError: a negative step or length, or `start` outside [0, 1].

    >>> [round(lr_factor(k, warmup_steps=50), 3) for k in (0, 25, 50, 1000)]
    [0.1, 0.55, 1.0, 1.0]
    """
    if step < 0 or warmup_steps < 0:
        raise ValueError(f"step = {step}, warmup_steps = {warmup_steps}: both must be 0 or more")
    if not 0 <= start <= 1:
        raise ValueError(f"start = {start}: it must lie in [0, 1]")
    if step >= warmup_steps:
        return 1.0
    return start + (1 - start) * step / warmup_steps
