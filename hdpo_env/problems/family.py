"""Procedural families: endless problems, each a pure function of (name, split, seed, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from random import Random
from typing import ClassVar, overload

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import Problem, content_hash, derive_seed

# Tenths of the question space. A question belongs to the split its own hash falls in, so two splits
# can never share one, whatever their seeds and sizes.
SPLIT_TENTHS = {"train": range(8), "eval": range(8, 9), "test": range(9, 10)}

_MAX_DRAWS = 10_000


def check_whole(name: str, value: object) -> None:
    """Refuse a setting that must be a whole number and is none.

    Raises:
        ConfigError: it is a text, a fraction or something else.
    """
    if not isinstance(value, Integral):
        raise ConfigError(f"{name} {value!r} is no whole number: give one, such as {name}=3")


def split_of(question: str) -> str:
    """The one split a generated question may appear in: 80 % train, 10 % eval, 10 % test.

    >>> split_of("3#7#2") == split_of("3#7#2"), split_of("3#7#2") in SPLIT_TENTHS
    (True, True)
    """
    tenth = int(content_hash("split", question), 16) % 10
    return next(split for split, tenths in SPLIT_TENTHS.items() if tenth in tenths)


class Family(ABC):
    """A generator of problems with worked solutions.

    A subclass names itself and draws one problem from a random number generator that it is given.
    With ``seed_classes`` of n, a question also belongs to one class of seeds: two seeds that differ
    modulo n can never share one, just as two splits cannot.
    """

    seed_classes: ClassVar[int] = 1

    @property
    @abstractmethod
    def name(self) -> str:
        """The family with its settings: two families that differ in a setting differ in name."""

    @abstractmethod
    def draw(self, rng: Random) -> Problem:
        """Draw one problem, of any split."""

    def problem(self, split: str, seed: int, index: int) -> Problem:
        """The problem at one place of one stream, the same on every machine.

        Raises:
            ConfigError: the split is not one of train, eval and test.
            DataError: the family is so small that it has no question in this split.
        """
        if split not in SPLIT_TENTHS:
            raise ConfigError(
                f"split {split!r} is unknown: choose one of {', '.join(SPLIT_TENTHS)}"
            )
        rng = Random(derive_seed(self.name, split, seed, index))
        for _ in range(_MAX_DRAWS):
            problem = self.draw(rng)
            if split_of(problem.question) == split and self._belongs(problem.question, seed):
                return replace(problem, split=split)
        raise DataError(
            f"family {self.name!r} drew no question of split {split!r} in {_MAX_DRAWS} attempts: "
            "use a larger family or another split"
        )

    def _belongs(self, question: str, seed: int) -> bool:
        if self.seed_classes == 1:
            return True
        return (int(content_hash("seed", question), 16) - seed) % self.seed_classes == 0

    def source(self, split: str = "train", seed: int = 0, size: int = 1000) -> FamilySource:
        """The first ``size`` problems of one stream, made when they are asked for."""
        return FamilySource(self, split, seed, size)


@dataclass(frozen=True)
class FamilySource(Sequence[Problem]):
    """A lazy, indexable window on a family's stream.

    Raises:
        ConfigError: the size is negative or no whole number, or the split is unknown.
    """

    family: Family
    split: str = "train"
    seed: int = 0
    size: int = 1000

    def __post_init__(self) -> None:
        check_whole("size", self.size)
        if self.size < 0:
            raise ConfigError(f"size {self.size} is negative: give the number of problems wanted")
        if self.split not in SPLIT_TENTHS:
            raise ConfigError(
                f"split {self.split!r} is unknown: choose one of {', '.join(SPLIT_TENTHS)}"
            )

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.size))]
        if not -self.size <= index < self.size:
            raise IndexError(f"index {index} is outside the {self.size} problems of this source")
        return self.family.problem(self.split, self.seed, index % self.size)

    def __iter__(self) -> Iterator[Problem]:
        return (self.family.problem(self.split, self.seed, i) for i in range(self.size))
