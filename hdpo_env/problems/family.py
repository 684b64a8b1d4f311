"""Procedural families: endless problems, each a pure function of (name, split, seed, index)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from numbers import Integral
from random import Random
from typing import overload

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import Problem, content_hash, derive_seed

# Tenths of the question space. A question belongs to the split its own hash falls in, so two splits
# can never share one, whatever their seeds and sizes.
SPLIT_TENTHS = {"train": range(8), "eval": range(8, 9), "test": range(9, 10)}

# Every question also belongs to one class of seeds. The number is prime, so that the seeds people
# take (0 to 9, 42, steps of 16 or of 100) fall in different classes.
SEED_CLASSES = 17

_MAX_DRAWS = 10_000
_MAX_REPEATS = 1_000


def check_whole(name: str, value: object) -> None:
    """Refuse a setting that must be a whole number and is none.

    Raises:
        ConfigError: it is a text, a fraction or something else.
    """
    if not isinstance(value, Integral):
        raise ConfigError(f"{name} {value!r} is no whole number: give one, such as {name}=3")


def _check_split(split: str) -> None:
    if split not in SPLIT_TENTHS:
        raise ConfigError(f"split {split!r} is unknown: choose one of {', '.join(SPLIT_TENTHS)}")


def split_of(question: str) -> str:
    """The one split a generated question may appear in: 80 % train, 10 % eval, 10 % test.

    >>> split_of("3#7#2") == split_of("3#7#2"), split_of("3#7#2") in SPLIT_TENTHS
    (True, True)
    """
    tenth = _fingerprint(question) % 10
    return next(split for split, tenths in SPLIT_TENTHS.items() if tenth in tenths)


def _fingerprint(question: str) -> int:
    return int(content_hash("split", question), 16)


class Family(ABC):
    """A generator of problems with worked solutions.

    A subclass names itself and draws one problem from a random number generator that it is given.
    A stream draws with replacement: it never ends, and a small family repeats itself
    (``FamilySource.distinct`` does not).
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The family with its settings: two families that differ in a setting differ in name."""

    @property
    def seed_classes(self) -> int:
        """n, so that seeds that differ modulo n share no question; 1 promises nothing.

        A subclass with room for it (10,000 questions, cheap to draw) returns ``SEED_CLASSES``.
        """
        return 1

    @abstractmethod
    def draw(self, rng: Random) -> Problem:
        """Draw one problem, of any split."""

    def sketch(self, rng: Random) -> tuple[str, Callable[[], Problem]]:
        """What ``draw`` would ask, and a way to have the rest; most sketches are turned down.

        A subclass whose questions cost less than its problems overrides it.
        """
        problem = self.draw(rng)
        return problem.question, lambda: problem

    def problem(self, split: str, seed: int, index: int) -> Problem:
        """The problem at one place of one stream, the same on every machine.

        Raises:
            ConfigError: the split is not one of train, eval and test, or the seed or the index is
                no whole number.
            DataError: the family is so small that it has no question in this split for this seed.
        """
        _check_split(split)
        check_whole("seed", seed)
        check_whole("index", index)
        # int(): the whole numbers of numpy and Python lead to the same place.
        rng = Random(derive_seed(self.name, split, int(seed), int(index)))
        for _ in range(_MAX_DRAWS):
            question, complete = self.sketch(rng)
            number = _fingerprint(question)
            if number % 10 in SPLIT_TENTHS[split] and self._is_of(int(seed), number // 10):
                return replace(complete(), split=split)
        raise DataError(
            f"family {self.name!r} drew no question of split {split!r} for seed {seed} in "
            f"{_MAX_DRAWS} attempts: use a larger family, another split or another seed"
        )

    def _is_of(self, seed: int, number: int) -> bool:
        return (number - seed) % self.seed_classes == 0

    def source(self, split: str = "train", seed: int = 0, size: int = 1000) -> FamilySource:
        """The first ``size`` problems of one stream, made when they are asked for."""
        return FamilySource(self, split, seed, size)


@dataclass(frozen=True)
class FamilySource(Sequence[Problem]):
    """A lazy, indexable window on a family's stream.

    The stream draws with replacement: the closer the size comes to the number of questions there
    are, the more of them come twice. ``distinct`` leaves the repeats out.

    Raises:
        ConfigError: the size is negative, the size or the seed is no whole number, or the split is
            unknown.
    """

    family: Family
    split: str = "train"
    seed: int = 0
    size: int = 1000

    def __post_init__(self) -> None:
        check_whole("size", self.size)
        check_whole("seed", self.seed)
        if self.size < 0:
            raise ConfigError(f"size {self.size} is negative: give the number of problems wanted")
        _check_split(self.split)

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

    def distinct(self) -> list[Problem]:
        """The first ``size`` problems of the stream whose question did not come before.

        Raises:
            DataError: the stream has too few, as 1,000 repeats in a row show.

        >>> from hdpo_env.problems import ArithmeticFamily
        >>> len({p.question for p in ArithmeticFamily(1).source(size=50).distinct()})
        50
        """
        found: dict[str, Problem] = {}
        places, last_new = count(), 0
        while len(found) < self.size:
            index = next(places)
            problem = self.family.problem(self.split, self.seed, index)
            if problem.question not in found:
                found[problem.question], last_new = problem, index
            elif index - last_new >= _MAX_REPEATS:
                raise DataError(
                    f"{self.size} different questions of family {self.family.name!r}, split "
                    f"{self.split!r}, seed {self.seed} were asked for: only {len(found)} came "
                    f"before {_MAX_REPEATS} repeats in a row; ask for fewer or use a larger family"
                )
        return list(found.values())
