"""reasoning-gym tasks as problems: every entry a pure function of (task, settings, seed).

Three habits of the library are not passed on. Its item i of seed s is drawn from ``s + i``, so the
streams of seeds 1 and 2 share all but one item: here every problem has a seed of its own, derived
from (name, split, seed, index), and splits are disjoint by question. Its scorers expect the bare
answer, give fractions of a point to chatty or partial ones and raise on some texts: here the final
answer is extracted first, only a full point is correct, and a raise is an abstention.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

from hdpo_env.errors import DataError, MissingDependencyError
from hdpo_env.problems.family import Family
from hdpo_env.types import Outcome, Problem, Verdict, content_hash
from hdpo_env.verifiers.extract.final import final_answer
from hdpo_env.verifiers.protocol import VERIFIERS

Entry = dict[str, Any]


def _library() -> Any:
    try:
        import reasoning_gym
    except ImportError:
        raise MissingDependencyError(
            "reasoning-gym tasks need the library: pip install 'hdpo_env[reasoning-gym]'"
        ) from None
    return reasoning_gym


@lru_cache(maxsize=4096)
def _drawn(place: str) -> tuple[Any, Entry]:
    """The data set and the entry at a place ``{"task":, "seed":, "settings":}``, in JSON.

    A fresh data set per entry, because some draw their material when they are made.
    """
    where = json.loads(place)
    dataset = _library().create_dataset(
        where["task"], seed=where["seed"], size=1, **where["settings"]
    )
    return dataset, dataset[0]


class ReasoningGymFamily(Family):
    """One task of reasoning-gym with its settings.

    A problem's verifier is ``reasoning_gym:`` and the place of its entry, so it is scored by the
    task's own scorer wherever this module was imported. ``answer_cot``, where a task gives one, is
    the solution.

    Args:
        task: a registered task, such as ``chain_sum``.
        settings: the task's own configuration; ``seed`` and ``size`` are not among them.

    Raises:
        DataError: the task is unknown, refuses the settings, or (when drawn) has no gold answer.
        MissingDependencyError: reasoning-gym is not installed.
    """

    def __init__(self, task: str, **settings: Any) -> None:
        self.task, self.settings = task, settings
        if taken := sorted({"seed", "size"} & set(settings)):
            raise DataError(f"settings {taken} are decided by the source: leave them out")
        try:
            _drawn(self._place(0))
        except (ValueError, TypeError, AssertionError) as error:
            raise DataError(
                f"reasoning-gym refuses task {task!r} with {settings}: {error}"
            ) from None

    @property
    def name(self) -> str:
        """The task, and a hash of its settings where there are any."""
        settings = json.dumps(self.settings, sort_keys=True)
        return f"reasoning-gym-{self.task}" + (
            f"-{content_hash(settings)}" if self.settings else ""
        )

    def _place(self, seed: int) -> str:
        where = {"task": self.task, "seed": seed, "settings": self.settings}
        return json.dumps(where, sort_keys=True)

    def draw(self, rng: Random) -> Problem:
        """One entry with a seed of its own."""
        place = self._place(rng.randrange(2**31))
        _, entry = _drawn(place)
        if not isinstance(entry["answer"], str) or not entry["answer"].strip():
            raise DataError(
                f"reasoning-gym task {self.task!r} gives no gold answer for its entries: "
                "a problem needs one; choose another task"
            )
        solution = (entry.get("metadata") or {}).get("answer_cot")
        return Problem(
            entry["question"],
            (entry["answer"],),
            solution=solution if isinstance(solution, str) and solution.strip() else None,
            source="reasoning_gym",
            subject=self.task,
            verifier=f"reasoning_gym:{place}",
        )


class EntryVerifier:
    """Judges completions by the scorer of the task that one entry belongs to.

    Args:
        place: what follows ``reasoning_gym:`` in the name of a problem's verifier.
    """

    name = "reasoning_gym"
    version = "1"

    def __init__(self, place: str) -> None:
        self.place = place

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """CORRECT for a full point, WRONG below it; a scorer that fails is an abstention.

        BAD_GOLD when the scorer does not give its own answer a full point.
        """
        found = final_answer(completion, "lenient", finish_reason)
        if found.outcome is not None:
            return Verdict(found.outcome, reason=found.reason, stage="extract")
        try:
            if not _full_point(self.place, _drawn(self.place)[1]["answer"]):
                why = "the task's scorer rejects its own answer"
                return Verdict(Outcome.BAD_GOLD, reason=why, stage="gold")
        except Exception as error:
            return Verdict(Outcome.BAD_GOLD, reason=_failure(error), stage="gold")
        answer = found.answers[-1]
        try:
            points = {_full_point(self.place, text) for text in found.answers}
        except Exception as error:  # third-party scorers raise all kinds on free text
            return Verdict(Outcome.ERROR, answer, _failure(error), "score")
        if len(points) > 1:
            return Verdict(Outcome.AMBIGUOUS, answer, "several answers that disagree", "score")
        return Verdict(
            Outcome.CORRECT if points == {True} else Outcome.WRONG, answer, stage="score"
        )


def _full_point(place: str, answer: str) -> bool:
    dataset, entry = _drawn(place)
    return float(dataset.score_answer(answer, entry)) >= 1.0


def _failure(error: Exception) -> str:
    return f"the task's scorer failed ({type(error).__name__})"


if "reasoning_gym" not in VERIFIERS:
    VERIFIERS.add("reasoning_gym", EntryVerifier)  # pyright: ignore[reportArgumentType]
