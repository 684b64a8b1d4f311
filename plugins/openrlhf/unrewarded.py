"""Rollouts whose reward could not be had: abstentions with reward 0 that join with the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Unrewarded:
    """Replaces the None that OpenRLHF has for a reward which its client gave up on.

    OpenRLHF would crash where it joins such a rollout to others, or, where it is their first, drop
    the rewards of all of them.
    """

    def __init__(self) -> None:
        self._count = 0

    def answered(self, response: Mapping[str, Any]) -> Mapping[str, Any]:
        """An engine's response, with an abstention where it has no reward."""
        if response["reward"] is not None:
            return response
        self._count += 1
        if self._count & (self._count - 1) == 0:
            log.warning(
                "the reward gave no answer for a rollout, which counts as abstained, with reward "
                "0; %d so far: see the engines' log, and whether the reward keeps up",
                self._count,
            )
        logs = {**(response["extra_logs"] or {}), "abstained": 1.0}
        return {**response, "reward": 0.0, "scores": 0.0, "extra_logs": logs}


def joinable(samples: Sequence[Any]) -> None:
    """Give single rollouts the same extra logs, 0 where one has none, and values of one shape.

    OpenRLHF joins [1] and [1, 1] as little as a log that only some have; which of them a reward's
    numbers are depends on its reply.
    """
    for name in ("rewards", "scores"):
        found = _alike([getattr(sample, name) for sample in samples])
        for sample, value in zip(samples, found, strict=True):
            setattr(sample, name, value)
    for name in dict.fromkeys(key for sample in samples for key in sample.info):
        found = _alike([sample.info.get(name) for sample in samples])
        for sample, value in zip(samples, found, strict=True):
            sample.info[name] = value


def _alike(values: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """0 for None where any has a number, and all in the shape of the deepest."""
    there = [value for value in values if value is not None]
    if not there:
        return values
    like = max(there, key=Tensor.dim)
    values = [torch.zeros_like(like) if value is None else value for value in values]
    return [v.reshape(like.shape) if v.numel() == like.numel() else v for v in values]
