"""Where problems come from: the protocol, the table of named sources, and mixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import accumulate
from random import Random
from typing import Protocol, runtime_checkable

from hdpo_env.errors import ConfigError
from hdpo_env.problems.arithmetic import ArithmeticFamily, FractionFamily
from hdpo_env.problems.calculus import CalculusFamily
from hdpo_env.problems.chain import OPERATORS, ChainFamily
from hdpo_env.problems.counting import CombinatoricsFamily
from hdpo_env.problems.family import Family
from hdpo_env.problems.geometry import GeometryFamily
from hdpo_env.problems.levels import LevelFamily
from hdpo_env.problems.linear import LinearFamily, SystemFamily
from hdpo_env.problems.modular import ModularFamily
from hdpo_env.problems.number_theory import NumberTheoryFamily
from hdpo_env.problems.probability import ProbabilityFamily
from hdpo_env.problems.quadratic import QuadraticFamily
from hdpo_env.problems.sample import sample_problems
from hdpo_env.problems.sequences import SequenceFamily
from hdpo_env.registry import Registry
from hdpo_env.types import Problem, derive_seed


@runtime_checkable
class ProblemSource(Protocol):
    """A finite, indexable collection of problems. A list of problems is one."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Problem: ...
    def __iter__(self) -> Iterator[Problem]: ...


SourceFactory = Callable[..., ProblemSource]

PROBLEMS: Registry[SourceFactory] = Registry("problems")


def _of(family: type[Family], **fixed: object) -> SourceFactory:
    def make(
        *, split: str = "train", seed: int = 0, size: int = 1000, **settings: object
    ) -> ProblemSource:
        return family(**fixed, **settings).source(split, seed, size)

    own = fields(family)  # pyright: ignore[reportArgumentType]  # every family is a dataclass
    return _strict(make, *(f.name for f in own if f.name not in fixed))


def _strict(make: SourceFactory, *own: str) -> SourceFactory:
    """The factory, with a sentence for settings that it does not have.

    Its own may also come as one text, which is what follows the colon of ``linear:level=3``.
    """
    choices = ("split", "seed", "size", *own)

    def strict(**settings: object) -> ProblemSource:
        if unknown := [name for name in settings if name not in choices]:
            raise ConfigError(
                f"unknown setting {unknown[0]}={settings[unknown[0]]!r}; "
                f"choose one of: {', '.join(choices)}"
            )
        return make(**settings)

    def named(text: str = "", /, **settings: object) -> ProblemSource:
        given = dict(setting_of(part) for part in text.split(",") if text)
        if wrong := sorted(given.keys() - set(own)):
            raise ConfigError(f"setting {wrong[0]!r} in a name; choose one of: {', '.join(own)}")
        if twice := sorted(given.keys() & settings.keys()):
            raise ConfigError(f"{twice[0]} is given twice, in the name and beside it: give one")
        return strict(**given, **settings)

    return named if own else strict


def setting_of(text: str) -> tuple[str, int | str]:
    """A source's setting as it is typed; what looks like a whole number is one.

    Raises:
        ConfigError: it is no NAME=VALUE.

    >>> setting_of("level=3")
    ('level', 3)
    """
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ConfigError(f"setting {text!r}: write NAME=VALUE, such as level=3")
    with suppress(ValueError):
        return name, int(value)
    return name, value


for _symbol, _name in OPERATORS.items():
    PROBLEMS.add(f"chain-{_name}", _of(ChainFamily, operator=_symbol))

LEVEL_FAMILIES: tuple[type[LevelFamily], ...] = (
    ArithmeticFamily,
    FractionFamily,
    LinearFamily,
    QuadraticFamily,
    SystemFamily,
    ModularFamily,
    NumberTheoryFamily,
    CombinatoricsFamily,
    SequenceFamily,
    CalculusFamily,
    ProbabilityFamily,
    GeometryFamily,
)
for _family in LEVEL_FAMILIES:
    PROBLEMS.add(_family.kind, _of(_family))
PROBLEMS.add("sample", _strict(sample_problems))


@dataclass(frozen=True)
class Mixture(Sequence[Problem]):
    """Problems drawn from several sources in fixed proportions, in a fixed order.

    Entry i picks a source by the weights and takes that source's next problem; a source that runs
    out starts again. The order depends on ``seed`` alone.

    Raises:
        ConfigError: no source, an empty source, or weights that are not positive.

    >>> from hdpo_env.problems.chain import ChainFamily
    >>> easy, hard = ChainFamily("+", 2).source(size=9), ChainFamily("#", 2).source(size=9)
    >>> mixed = Mixture({"easy": easy, "hard": hard}, size=6, seed=0)
    >>> len(mixed), {p.subject for p in mixed} <= {"add", "table"}
    (6, True)
    """

    sources: Mapping[str, ProblemSource]
    size: int
    weights: Mapping[str, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("a mixture needs at least one source")
        weights = self.weights or dict.fromkeys(self.sources, 1.0)
        if set(weights) != set(self.sources) or min(weights.values()) <= 0:
            raise ConfigError(
                f"weights {weights} must be positive, one for each of {list(self.sources)}"
            )
        if empty := [name for name, source in self.sources.items() if not len(source)]:
            raise ConfigError(f"sources {empty} are empty: remove them from the mixture")
        object.__setattr__(self, "_plan", self._lay_out(weights))

    def _lay_out(self, weights: Mapping[str, float]) -> list[tuple[str, int]]:
        names = list(self.sources)
        bounds = list(accumulate(weights[name] for name in names))
        rng = Random(derive_seed("mixture", self.seed, *names))
        taken = dict.fromkeys(names, 0)
        plan = []
        for name in rng.choices(names, cum_weights=bounds, k=self.size):
            plan.append((name, taken[name] % len(self.sources[name])))
            taken[name] += 1
        return plan

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Problem:  # pyright: ignore[reportIncompatibleMethodOverride]
        name, i = self._plan[index]  # pyright: ignore[reportAttributeAccessIssue]
        return self.sources[name][i]
