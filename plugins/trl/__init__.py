"""HDPO and SDPG for users of TRL: a reward function, datasets, an environment and two trainers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "VerdictReward": "rewards",
    "to_dataset": "data",
    "environment_factory": "environment",
    "HDPOConfig": "config",
    "SDPGConfig": "config",
    "HDPOTrainer": "hdpo",
    "SDPGTrainer": "sdpg",
}


def __getattr__(name: str) -> Any:
    """Import a name's module when it is first asked for; only configs and trainers need TRL."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
