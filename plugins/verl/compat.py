"""What we know of verl: the tested version, and the modules we reach into."""

from __future__ import annotations

from typing import Any

from hdpo_env.hosting import require

TESTED = ("0.9.1",)


def data_proto() -> Any:
    """The class of verl's batches."""
    return require("verl", f"verl=={TESTED[0]}").DataProto


def core_algos() -> Any:
    """The module with the registries of losses and advantage estimators."""
    return require("verl.trainer.ppo.core_algos", f"verl=={TESTED[0]}")
