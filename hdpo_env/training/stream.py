"""Which problems a step trains on, as a pure function of (seed, step): resuming needs no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from hdpo_env.errors import DataError
from hdpo_env.types import Problem, derive_seed


class ProblemStream(Protocol):
    """An endless, repeatable order of training problems."""

    def batch(self, step: int, size: int, attempt: int = 0) -> list[Problem]:
        """The problems of one step; ``attempt`` counts further draws within the step."""
        ...


@dataclass(frozen=True)
class EpochStream:
    """A data set in epochs: each epoch is its own hashed permutation, batches run on across them.

    Further attempts within a step draw uniformly, so that they disturb no later step.

    Raises:
        DataError: there are no problems.
    """

    problems: Sequence[Problem]
    seed: int = 0

    def __post_init__(self) -> None:
        if not len(self.problems):
            raise DataError("there are no training problems; check the data file and its filters")

    def batch(self, step: int, size: int, attempt: int = 0) -> list[Problem]:
        """Places ``step * size`` to ``(step + 1) * size`` of the endless shuffled order."""
        if attempt:
            rng = Random(derive_seed("attempt", self.seed, step, attempt))
            return [self.problems[rng.randrange(len(self.problems))] for _ in range(size)]
        places = range(step * size, (step + 1) * size)
        orders = {p // len(self.problems): self._order(p // len(self.problems)) for p in places}
        n = len(self.problems)
        return [self.problems[orders[p // n][p % n]] for p in places]

    def _order(self, epoch: int) -> list[int]:
        order = list(range(len(self.problems)))
        Random(derive_seed("epoch", self.seed, epoch)).shuffle(order)
        return order


@dataclass(frozen=True)
class MixedStream:
    """Several streams side by side, sharing each batch in fixed proportions.

    Raises:
        DataError: no stream, or a share that is not positive.
    """

    streams: Mapping[str, tuple[ProblemStream, int]]  # name -> (stream, share)

    def __post_init__(self) -> None:
        if not self.streams or any(share < 1 for _, share in self.streams.values()):
            raise DataError(f"shares {self.streams!r}: give at least one stream, each share >= 1")

    def batch(self, step: int, size: int, attempt: int = 0) -> list[Problem]:
        """``size`` problems, split by the shares; the last stream takes what does not divide."""
        total = sum(share for _, share in self.streams.values())
        *firsts, (last, _) = self.streams.values()
        problems: list[Problem] = []
        for stream, share in firsts:
            problems += stream.batch(step, size * share // total, attempt)
        return problems + last.batch(step, size - len(problems), attempt)
