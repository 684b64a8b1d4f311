"""Which problems a step trains on: by (seed, step) alone, or by what became of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from random import Random
from typing import Any, Protocol

from hdpo_env.cliffs import classify
from hdpo_env.cliffs.sampler import POOLS, CliffSampler
from hdpo_env.config import CurriculumConfig
from hdpo_env.errors import DataError
from hdpo_env.types import Group, GroupKind, Problem, derive_seed


class ProblemStream(Protocol):
    """An endless, repeatable order of training problems; those that inherit need only ``batch``."""

    def batch(self, step: int, size: int, attempt: int = 0) -> list[Problem]:
        """The problems of one step; ``attempt`` counts further draws within the step."""
        ...

    def note(self, groups: Sequence[Group]) -> None:
        """What became of the step's problems; an order that does not learn passes over it."""

    def state_dict(self) -> dict[str, Any]:
        """What the next batches depend on besides the step, for checkpoints; JSON-able."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""


@dataclass(frozen=True)
class EpochStream(ProblemStream):
    """A data set in epochs: each epoch is its own hashed permutation, batches run on across them.

    Further attempts within a step draw uniformly, so that they disturb no later step.

    Raises:
        DataError: there are no problems.
    """

    problems: Sequence[Problem]
    seed: int = 0

    def __post_init__(self) -> None:
        _check_any(self.problems)

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


@dataclass
class CurriculumStream(ProblemStream):
    """A data set in the order of a `CliffSampler`, which learns from every decided group.

    Batches are drawn one after the other, whatever ``step`` says, so a resumed run needs the state
    of its checkpoint. The strategies that draw with replacement (frontier, pools) may put a problem
    into a batch twice. Undecided groups teach nothing.

    Raises:
        DataError: there are no problems.
        ConfigError: a setting of the curriculum is impossible.
    """

    problems: Sequence[Problem]
    curriculum: CurriculumConfig
    seed: int = 0
    threshold: float = 0.0  # successes up to which a group is a cliff
    sampler: CliffSampler = field(init=False)
    _draws: Iterator[int] = field(init=False, repr=False)
    _asked: dict[str, int] = field(init=False, repr=False, default_factory=dict)  # id -> index

    def __post_init__(self) -> None:
        _check_any(self.problems)
        settings = self.curriculum
        self.sampler = CliffSampler(
            len(self.problems),
            settings.strategy,
            seed=self.seed,
            delay=settings.delay,
            rest=settings.rest,
            pool_shares=dict(zip(POOLS, settings.pool_shares, strict=True)),
            threshold=self.threshold,
        )
        self._draws = chain.from_iterable(repeat(self.sampler))

    def batch(self, step: int, size: int, attempt: int = 0) -> list[Problem]:
        """The sampler's next ``size`` draws."""
        indices = list(islice(self._draws, size))
        problems = [self.problems[i] for i in indices]
        self._asked.update(zip((p.id for p in problems), indices, strict=True))
        return problems

    def note(self, groups: Sequence[Group]) -> None:
        """Tell the sampler; groups of other streams' problems are passed over."""
        for group in groups:
            is_decided = classify(group, threshold=self.threshold) is not GroupKind.UNDECIDED
            if group.problem.id in self._asked and is_decided:
                self.sampler.update(
                    self._asked[group.problem.id],
                    num_correct=group.correct.count(True),
                    num_wrong=group.correct.count(False),
                )
        self._asked.clear()

    def state_dict(self) -> dict[str, Any]:
        """The sampler's state."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            CheckpointError: the state is that of another data set or strategy.
        """
        self.sampler.load_state_dict(state)


def make_stream(
    problems: Sequence[Problem], curriculum: CurriculumConfig, *, seed: int, threshold: float
) -> ProblemStream:
    """Epochs for "uniform", which keep no state, and a `CurriculumStream` for the others."""
    if curriculum.strategy == "uniform":
        return EpochStream(problems, seed)
    return CurriculumStream(problems, curriculum, seed, threshold)


def _check_any(problems: Sequence[Problem]) -> None:
    if not len(problems):
        raise DataError("there are no training problems; check the data file and its filters")


@dataclass(frozen=True)
class MixedStream(ProblemStream):
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

    def note(self, groups: Sequence[Group]) -> None:
        """Every stream hears of all groups and takes up those of its own problems."""
        for stream, _ in self.streams.values():
            stream.note(groups)

    def state_dict(self) -> dict[str, Any]:
        """The states by the names of the streams."""
        return {name: stream.state_dict() for name, (stream, _) in self.streams.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            CheckpointError: a state is that of another stream.
        """
        for name, (stream, _) in self.streams.items():
            stream.load_state_dict(state[name])
