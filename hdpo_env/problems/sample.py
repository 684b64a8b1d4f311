"""Real problems that come with the package: 204 of GSM8K, for a first try without a network.

MIT licensed; the licence and its attribution lie beside the files. The ``train`` split is the
opening of GSM8K's training set, with solutions; ``eval`` and ``test`` are the two halves of an
opening of its test set, with solutions and socratic hints, so they must not be trained on if GSM8K
is to be reported.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from hdpo_env.errors import ConfigError
from hdpo_env.problems.family import SPLIT_TENTHS, check_whole
from hdpo_env.problems.rows import load_problems
from hdpo_env.types import Problem, derive_seed


def sample_problems(
    *, split: str = "train", seed: int = 0, size: int | None = None
) -> tuple[Problem, ...]:
    """Up to ``size`` of the bundled problems of a split, in an order that the seed decides.

    Raises:
        ConfigError: the split is not one of train, eval and test, or the size is negative.

    >>> [len(sample_problems(split=split)) for split in ("train", "eval", "test")]
    [138, 33, 33]
    """
    if split not in SPLIT_TENTHS:
        raise ConfigError(f"split {split!r} is unknown: choose one of {', '.join(SPLIT_TENTHS)}")
    if size is not None:
        check_whole("size", size)
    if size is not None and size < 0:
        raise ConfigError(f"size {size} is negative: give the number of problems wanted")
    problems = list(_bundled(split))
    Random(derive_seed("sample", split, seed)).shuffle(problems)
    return tuple(problems[:size])


@cache
def _bundled(split: str) -> tuple[Problem, ...]:
    if split == "train":
        return load_problems("sample", strict=True).problems
    held_out = load_problems("sample-socratic", strict=True).problems
    return tuple(replace(p, split=split) for p in held_out[split == "test" :: 2])
