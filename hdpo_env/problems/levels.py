"""Families with five levels of difficulty, worked solutions, and hints that hold no answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import ClassVar, NamedTuple

from hdpo_env.errors import ConfigError
from hdpo_env.problems.family import SEED_CLASSES, Family, check_whole
from hdpo_env.types import Problem

MAX_LEVEL = 5


class Worked(NamedTuple):
    """A question with its worked answer, as a family drew it."""

    question: str
    gold: str
    derivation: str  # ends just before the boxed gold answer
    hints: tuple[str, ...]  # vague to telling


@dataclass(frozen=True)
class LevelFamily(Family):
    """A family with five levels of difficulty, worked solutions and ladders of hints.

    A subclass names its ``kind`` and ``subject`` and has one maker per level, or a ``worked`` of
    its own. A rung that happens to state the gold answer is left out of the ladder. Seeds that
    differ modulo 17 (``SEED_CLASSES``) share no question.

    Raises:
        ConfigError: the level is no whole number from 1 to 5.
    """

    level: int = 1
    kind: ClassVar[str]
    subject: ClassVar[str]
    makers: ClassVar[tuple[Callable[[Random], Worked], ...]] = ()

    def __post_init__(self) -> None:
        check_whole("level", self.level)
        if not 1 <= self.level <= MAX_LEVEL:
            raise ConfigError(
                f"level {self.level} is outside 1 to {MAX_LEVEL}: choose one in between"
            )

    @property
    def name(self) -> str:
        """Kind and level."""
        return f"{self.kind}-{self.level}"

    @property
    def seed_classes(self) -> int:
        """17 for every level."""
        return SEED_CLASSES

    def worked(self, rng: Random) -> Worked:
        """One question of this level with its derivation."""
        return self.makers[self.level - 1](rng)

    def draw(self, rng: Random) -> Problem:
        """The worked question as a problem whose solution ends in the boxed gold answer."""
        return self._told(self.worked(rng))

    def sketch(self, rng: Random) -> tuple[str, Callable[[], Problem]]:
        """The worked question, without the search of its hints for the gold answer."""
        worked = self.worked(rng)
        return worked.question, partial(self._told, worked)

    def _told(self, worked: Worked) -> Problem:
        question, gold, derivation, hints = worked
        return Problem(
            question,
            (gold,),
            solution=rf"{derivation} \boxed{{{gold}}}.",
            hints=tuple(hint for hint in hints if not states(hint, gold)),
            source=self.kind,
            subject=self.subject,
            difficulty=float(self.level),
        )


def states(text: str, gold: str) -> bool:
    """Whether a text holds this answer as a number or formula of its own.

    >>> states("Add 3 and 12.", "12"), states("Add 3 and 120.", "12"), states("x = 5/12", "12")
    (True, False, False)
    """
    return bool(re.search(rf"(?<![\d./]){re.escape(gold)}(?![\d/]|[.,]\d)", text))
