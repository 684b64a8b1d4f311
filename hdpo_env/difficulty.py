r"""Difficulty on demand: a controller that holds the share of cliffs at the rate asked for.

The level is a real number x between 1 and the number of levels: a problem comes from the level
below x or, with probability x - floor(x), from the one above, so the cliff rate is continuous in x.
After every judged group

    x <- clip(x + gain * (target - [the group is a cliff]))

(Robbins and Monro 1951, with a constant gain, so that it follows a policy that learns). Summed over
N groups in which no bound was met, the gains give a guarantee whatever the verdicts are:

    |observed cliff rate - target| = |x_end - x_start| / (gain * N) <= (levels - 1) / (gain * N)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import floor
from random import Random
from typing import Any

from hdpo_env.cliffs import classify
from hdpo_env.errors import ConfigError
from hdpo_env.problems.source import PROBLEMS
from hdpo_env.types import Group, GroupKind, Problem, derive_seed


class LevelController:
    """Moves a level so that a requested share of groups are cliffs.

    Args:
        target: the cliff rate asked for, between 0 and 1.
        num_levels: levels are 1 to this, harder ones later.
        gain: levels moved per unit of surprise; the error after N groups falls as 1 / (gain N),
            and the level wanders by about sqrt(gain).
        start: the first level.
        threshold: successes up to which a group is a cliff, as in `hdpo_env.cliffs.classify`.
        seed: of the choice between the two neighbouring levels.

    Undecided groups teach it nothing. When the easiest level has more cliffs than asked for, or
    the hardest fewer, the level stays at that bound and ``is_at_bound`` is True.

    Raises:
        ConfigError: a setting is outside its range.

    >>> controller = LevelController(target=0.25, gain=0.25, start=3.0)
    >>> controller.update(True), controller.update(False)
    (2.8125, 2.875)
    """

    def __init__(
        self,
        target: float,
        *,
        num_levels: int = 5,
        gain: float = 0.1,
        start: float = 1.0,
        threshold: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not 0 < target < 1:
            raise ConfigError(f"target {target} is not a rate strictly between 0 and 1")
        if num_levels < 1 or not 1 <= start <= num_levels:
            raise ConfigError(f"start {start} is not a level between 1 and {num_levels}")
        if not 0 < gain <= 1:
            raise ConfigError(f"gain {gain} is outside (0, 1]: 0.1 moves a tenth of a level")
        self.target, self.num_levels, self.gain = target, num_levels, gain
        self.threshold, self.seed = threshold, seed
        self.level = start
        self.num_drawn = 0
        self.counts: Counter[str] = Counter()  # observed groups by kind

    @property
    def is_at_bound(self) -> bool:
        """Whether the level is the easiest or the hardest: the target may be out of reach."""
        return self.level in (1, self.num_levels)

    @property
    def cliff_rate(self) -> float | None:
        """Cliffs among all decided groups so far; None before the first."""
        decided = self.counts.total() - self.counts["undecided"]
        return self.counts["cliff"] / decided if decided else None

    def draw(self) -> int:
        """The level of the next problem: a neighbour of the level, at random in proportion."""
        rng = Random(derive_seed("difficulty", self.seed, self.num_drawn))
        self.num_drawn += 1
        below = floor(self.level)
        return below + (rng.random() < self.level - below)

    def observe(self, groups: Iterable[Group]) -> None:
        """Learn from judged groups, in their order."""
        for group in groups:
            kind = classify(group, threshold=self.threshold)
            self.counts[kind.value] += 1
            if kind is not GroupKind.UNDECIDED:
                self.update(kind is GroupKind.CLIFF)

    def update(self, is_cliff: bool) -> float:
        """One step after one group; returns the new level."""
        moved = self.level + self.gain * (self.target - is_cliff)
        self.level = min(float(self.num_levels), max(1.0, moved))
        return self.level

    def metrics(self) -> dict[str, float]:
        """``difficulty/level``, ``difficulty/target`` and the cliff rate so far, for logs."""
        known = {} if self.cliff_rate is None else {"difficulty/cliff_rate": self.cliff_rate}
        return {"difficulty/level": self.level, "difficulty/target": self.target, **known}

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to go on later."""
        return {"level": self.level, "num_drawn": self.num_drawn, "counts": dict(self.counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that ``state_dict`` returned."""
        self.level, self.num_drawn = state["level"], state["num_drawn"]
        self.counts = Counter(state["counts"])


class Ladder:
    """Problems of a named source whose difficulty follows the policy.

    Args:
        name: a source in ``PROBLEMS``.
        controller: how hard the problems shall be.
        setting: the source's setting that makes problems harder.
        values: what the setting is at each of the controller's levels.
        split: as in the source.
        seed: as in the source.

    The stream of every level goes on where it stopped.

    Raises:
        ConfigError: there is not one value for each level.

    >>> ladder = Ladder("linear", LevelController(target=0.3, start=2.0))
    >>> [problem.difficulty for problem in ladder.take(3)]
    [2.0, 2.0, 2.0]
    """

    def __init__(
        self,
        name: str,
        controller: LevelController,
        *,
        setting: str = "level",
        values: Sequence[Any] = (1, 2, 3, 4, 5),
        split: str = "train",
        seed: int = 0,
    ) -> None:
        if len(values) != controller.num_levels:
            raise ConfigError(
                f"{len(values)} values of {setting!r} for {controller.num_levels} levels: "
                "give one value for each level"
            )
        self.name, self.controller = name, controller
        self.setting, self.values = setting, tuple(values)
        self.split, self.seed = split, seed
        self.taken = [0] * len(self.values)

    def take(self, num: int) -> list[Problem]:
        """The next problems, at the level the controller is at now."""
        return [self._next(self.controller.draw() - 1) for _ in range(num)]

    def observe(self, groups: Iterable[Group]) -> None:
        """Pass the judged groups of these problems to the controller."""
        self.controller.observe(groups)

    def _next(self, rung: int) -> Problem:
        place = self.taken[rung]
        self.taken[rung] += 1
        setting: dict[str, Any] = {self.setting: self.values[rung]}
        return PROBLEMS[self.name](split=self.split, seed=self.seed, size=place + 1, **setting)[
            place
        ]

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to go on later, the controller's state included."""
        return {"taken": list(self.taken), "controller": self.controller.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state that ``state_dict`` returned."""
        self.taken = list(state["taken"])
        self.controller.load_state_dict(state["controller"])
