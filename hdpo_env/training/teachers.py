"""Who teaches: the weights of this very step, the first ones, or their moving average."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from hdpo_env.policies.base import TorchPolicy


def frozen_copy(policy: TorchPolicy) -> TorchPolicy:
    """The same policy with its own weights, which take no gradient; it shares the tokenizer."""
    twin: Any = copy.copy(policy)
    twin.module = copy.deepcopy(policy.module)
    twin.module.requires_grad_(False)
    return twin


class DriftingTeacher:
    """The current weights without gradient: HDPO's and SDPG's default."""

    def __init__(self, student: TorchPolicy) -> None:
        self.policy = student

    def after_step(self, student: TorchPolicy) -> None:
        """Nothing to do: the teacher is the student."""

    def state(self) -> dict[str, Tensor] | None:
        """No weights of its own to save."""
        return None

    def load(self, state: dict[str, Tensor] | None) -> None:
        """Nothing to restore."""


class FrozenTeacher:
    """The weights training started from."""

    def __init__(self, student: TorchPolicy) -> None:
        self.policy = frozen_copy(student)

    def after_step(self, student: TorchPolicy) -> None:
        """Nothing: it stays where it is."""

    def state(self) -> dict[str, Tensor] | None:
        """The first weights, which no other file of a run holds."""
        return self.policy.module.state_dict()

    def load(self, state: dict[str, Tensor] | None) -> None:
        """Restore the first weights."""
        if state is not None:
            self.policy.module.load_state_dict(state)


class EmaTeacher(FrozenTeacher):
    """theta_T <- decay * theta_T + (1 - decay) * theta after every step (our extension)."""

    def __init__(self, student: TorchPolicy, decay: float) -> None:
        super().__init__(student)
        self.decay = decay

    @torch.no_grad()
    def after_step(self, student: TorchPolicy) -> None:
        """Move a little towards the student."""
        pairs = zip(_parameters(self.policy.module), _parameters(student.module), strict=True)
        for mine, theirs in pairs:
            mine.lerp_(theirs, 1 - self.decay)


Teacher = DriftingTeacher | FrozenTeacher | EmaTeacher


def make_teacher(kind: str, student: TorchPolicy, ema_decay: float) -> Teacher:
    """A teacher by its name in ``DistillConfig.teacher``."""
    makers: dict[str, Any] = {
        "drifting": DriftingTeacher,
        "frozen": FrozenTeacher,
        "ema": lambda s: EmaTeacher(s, ema_decay),
    }
    return makers[kind](student)


def _parameters(module: nn.Module) -> list[nn.Parameter]:
    return list(module.parameters())
