"""When cliffs are born, escape and relapse, and how long an escape takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from hdpo_env.cliffs.summary import Ledger

KINDS = ("born", "escaped", "relapsed")
_BORN, _ESCAPED, _RELAPSED = range(3)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing


class Transition(NamedTuple):
    """One change of a problem's standing with one policy."""

    problem_id: str
    kind: str  # born, escaped or relapsed
    step: int
    policy: str


class EscapeTime(NamedTuple):
    """How long a problem was a cliff; ``escaped_step`` is None while it still is one.

    Then the time is only known to be longer than ``last_step - born_step`` (right-censored).
    """

    problem_id: str
    policy: str
    born_step: int
    escaped_step: int | None
    last_step: int


@dataclass(frozen=True)
class Transitions:
    """Changes of standing, history by history and in the order of their steps within each.

    A history is one problem under one policy: another model that solves a problem does not make
    it an escape. Iterating gives `Transition` records. ``places`` are indices into the ledger's
    events, ``kinds`` places in `KINDS`, ``last_steps`` the steps at which the histories end.
    """

    ledger: Ledger
    places: np.ndarray
    kinds: np.ndarray
    last_steps: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Transition]:
        name = self.ledger.name
        for place, kind in zip(self.places, self.kinds, strict=True):
            event = self.ledger.events[place]
            problem, policy = name(int(event["problem"])), name(int(event["policy"]))
            yield Transition(problem, KINDS[kind], int(event["step"]), policy)

    def counts(self) -> dict[str, int]:
        """How many problems were born, escaped and relapsed, in events."""
        numbers = np.bincount(self.kinds, minlength=len(KINDS)).tolist()
        return dict(zip(KINDS, numbers, strict=True))

    def escape_times(self) -> list[EscapeTime]:
        """From birth to the first escape of every history that was ever a cliff."""
        times, last = list(self), self.last_steps.tolist()
        # Within a history the transition after a birth, if there is one, is its escape.
        after = [*times, None][1:]
        return [
            EscapeTime(
                born.problem_id,
                born.policy,
                born.step,
                then.step if then is not None and then.kind == "escaped" else None,
                end,
            )
            for born, then, end in zip(times, after, last, strict=True)
            if born.kind == "born"
        ]


def _histories(ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    # Which order sorts events by problem and policy, and the number of each one's history.
    events, order = ledger.events, ledger.by_problem
    keys = events["problem"]
    if len(keys) and (events["policy"] != events["policy"][0]).any():
        keys = keys ^ (events["policy"] * _MIX)
        order = np.argsort(keys, kind="stable")
    keys = keys[order]
    begins = np.r_[True, keys[1:] != keys[:-1]][: len(order)]
    return order, np.cumsum(begins, dtype=np.int32)


def find_transitions(ledger: Ledger, threshold: float) -> Transitions:
    """The changes of standing of every history; see `Ledger.transitions`."""
    cliff, not_cliff = _standing(ledger.events, threshold)
    order, history = _histories(ledger)
    decided = (cliff | not_cliff)[order]
    order, history = order[decided], history[decided]
    begins = np.r_[True, history[1:] != history[:-1]][: len(order)]
    is_cliff = cliff[order]
    before = np.r_[False, is_cliff[:-1]][: len(order)] & ~begins
    # How many cliff groups of the same history came earlier; 32 bits keep ten million small.
    running = np.cumsum(is_cliff, dtype=np.int32) - is_cliff
    running -= np.maximum.accumulate(np.where(begins, running, 0))
    kinds = np.full(len(order), -1, dtype=np.int8)
    kinds[is_cliff & (running == 0)] = _BORN
    kinds[~is_cliff & before] = _ESCAPED
    kinds[is_cliff & ~before & (running > 0)] = _RELAPSED
    changed = np.flatnonzero(kinds >= 0)
    # The last event of a history stands before the next one's first.
    starts = np.flatnonzero(begins)
    ends = np.r_[starts[1:], len(order)] - 1
    own = ends[np.searchsorted(starts, changed, side="right") - 1] if len(starts) else changed
    last = ledger.events["step"][order[own]]
    return Transitions(ledger, order[changed], kinds[changed], last)


def _standing(events: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    # Certainly a cliff, certainly none: the kind is monotone in the successes (classify_correct),
    # so the fewest and the most that the abstentions allow decide.
    fewest = events["num_correct"]
    most = fewest.astype(np.uint32) + events["num_abstained"]
    failed = events["num_wrong"] > 0
    all_passed = ~failed & (events["num_abstained"] == 0)
    return (most <= threshold) & failed, (fewest > threshold) | all_passed
