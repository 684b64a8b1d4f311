"""Command-line flags made from the fields of our configs: their names, types, choices, defaults."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hdpo_env.config import DistillConfig
from hdpo_env.errors import ConfigError

HELP = {
    "weight": "coefficient of the distillation term; 0 leaves training exactly as it is",
    "divergence": "what is minimised between teacher and student",
    "top_k": "the teacher's support, capped at the vocabulary",
    "tail": "what becomes of the student's mass outside the top k",
    "teacher": "the weights of this step, the first ones, or their moving average (float32)",
    "ema_decay": "d of the averaged teacher: d a + (1 - d) w after every optimiser step",
    "view": "the privileged context that the teacher sees",
    "rollouts_per_cliff": "privileged rollouts of each cliff",
    "max_cliff_prompts": "cliffs distilled in one step, at most",
    "cliff_threshold": "a group is a cliff if its number of successes is at most this",
    "drop_leaks": "privileged rollouts that admit to having been told do not teach",
    "distinct": "keep one of several equal survivors",
    "gate": "which of the student's own rollouts are distilled",
    "warmup_steps": "weight * min(1, k / warmup_steps), k counting rollout batches from 1",
    "decay_steps": "weight * min(1, (T - k) / decay_steps), T being all rollout batches",
    "rlsd_mix": "RLSD's l in [0, 1]: 0 leaves the advantages as they are",
    "rlsd_clip": "RLSD's e_w: the teacher changes an advantage by this share at most",
}
# Flags that are called what the papers call them.
SPELLED = {
    "hdpo.weight": "hdpo.lambda",
    "sdpg.weight": "sdpg.beta",
    "rlsd.rlsd_mix": "rlsd.mix",
    "rlsd.rlsd_clip": "rlsd.clip",
}


def add_fields(
    parser: argparse.ArgumentParser,
    prefix: str,
    config: Any,
    names: Iterable[str],
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Add ``--<prefix>.<field>`` for fields of a config, with its values as defaults.

    A field that is a Literal gets its choices, unless ``choices`` names fewer. The destination is
    always ``<prefix>.<field>``: ``args.hdpo.lambda`` would be no Python.
    """
    hints = get_type_hints(type(config))
    for name in names:
        dest, kind = f"{prefix}.{name}", hints[name]
        flag = f"--{SPELLED.get(dest, dest)}"
        common: dict[str, Any] = {"dest": dest, "default": getattr(config, name)}
        common["help"] = f"{HELP[name]} (default: %(default)s)"
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
        elif get_origin(kind) is Literal:
            given = (choices or {}).get(name, get_args(kind))
            parser.add_argument(flag, choices=list(given), **common)
        else:
            plain = next(t for t in (*get_args(kind), kind) if t is not type(None))
            parser.add_argument(flag, type=plain, **common)


def distill_config(args: Mapping[str, Any], prefix: str, base: DistillConfig) -> DistillConfig:
    """``base`` with every field that has a flag ``<prefix>.<field>``.

    Raises:
        ConfigError: the combination is impossible.
    """
    fields = [f.name for f in dataclasses.fields(DistillConfig)]
    given = {name: args[f"{prefix}.{name}"] for name in fields if f"{prefix}.{name}" in args}
    return dataclasses.replace(base, **given)


def complaint_about(args: Mapping[str, Any], prefix: str, base: DistillConfig) -> str | None:
    """Why `distill_config` refuses these flags, or None."""
    try:
        distill_config(args, prefix, base)
    except ConfigError as error:
        return f"--{prefix}.*: {error}"
    return None


def flat(args: Any, prefix: str = "") -> dict[str, Any]:
    """OpenRLHF's nested arguments by their dotted names, the inverse of its ``hierarchize``.

    >>> flat(SimpleNamespace(plugin=["hdpo"], hdpo=SimpleNamespace(top_k=64)))
    {'plugin': ['hdpo'], 'hdpo.top_k': 64}
    """
    found: dict[str, Any] = {}
    for name, value in vars(args).items():
        if isinstance(value, SimpleNamespace):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
