"""What became of each problem in training: its groups in order, from the ledger of the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hdpo_env.cliffs import Ledger, classify_correct, read_ledger
from hdpo_env.cliffs.ledger import RECORD, key_of
from hdpo_env.report.records import GroupRow, Run

#: The first and the last window of a run: the groups of its first and of its last third of steps.
WINDOW = 1 / 3


class Visit(NamedTuple):
    """One group of a problem, and its kind under the run's threshold."""

    step: int
    num_correct: int
    num_wrong: int
    num_abstained: int
    kind: str


@dataclass(frozen=True, slots=True)
class History:
    """All groups of one problem in one run, in the order of their steps; there is at least one."""

    problem_id: str
    visits: tuple[Visit, ...]

    @property
    def first(self) -> Visit:
        """The earliest group."""
        return self.visits[0]

    @property
    def last(self) -> Visit:
        """The latest group."""
        return self.visits[-1]

    def counts(self, start: float = 0, end: float = float("inf")) -> tuple[int, int]:
        """Rollouts judged correct and wrong in the groups of steps ``start <= step < end``."""
        seen = [v for v in self.visits if start <= v.step < end]
        return sum(v.num_correct for v in seen), sum(v.num_wrong for v in seen)


def training_ledger(folder: Path) -> Ledger | None:
    """The ledger of a run's training groups; None if it kept none.

    Raises:
        DataError: a file cannot be read as a ledger.
    """
    writers = {file.stem for file in (folder / "ledger").glob("*.events")} - {"eval"}
    if not writers:
        return None
    return read_ledger(folder / "ledger", writer="train" if "train" in writers else "*")


def ledger_of(rows: Iterable[GroupRow]) -> Ledger | None:
    """The ledger that a run without one would have written, from its ``groups.jsonl``."""
    names: dict[int, str] = {}
    keys: dict[str, int] = {}
    records = []
    for row in rows:
        if row.counts is None or not sum(row.counts):
            continue
        if row.problem_id not in keys:
            key = keys[row.problem_id] = key_of(row.problem_id)
            names[key] = row.problem_id
        records.append((keys[row.problem_id], 0, row.step, *row.counts, 0, 0))
    if not records:
        return None
    events = np.array(records, dtype=RECORD)
    return Ledger(events[np.argsort(events["step"], kind="stable")], names)


def histories(run: Run) -> tuple[History, ...]:
    """Every problem of a run with its groups, in the order of problem ids."""
    if run.ledger is None:
        return ()
    columns = run.ledger.columns()
    fields = ("step", "num_correct", "num_wrong", "num_abstained")
    rows = zip(*(columns[field].tolist() for field in fields), strict=True)
    visits: dict[str, list[Visit]] = {}
    for problem_id, (step, c, w, a) in zip(columns["problem_id"], rows, strict=True):
        kind = kind_of_counts(c, w, a, threshold=run.cliff_threshold)
        visits.setdefault(problem_id, []).append(Visit(step, c, w, a, kind))
    return tuple(History(problem_id, tuple(visits[problem_id])) for problem_id in sorted(visits))


@cache
def kind_of_counts(
    num_correct: int, num_wrong: int, num_abstained: int = 0, *, threshold: float = 0.0
) -> str:
    """The kind of a group with these counts.

    >>> kind_of_counts(0, 8), kind_of_counts(1, 7), kind_of_counts(0, 7, 1)
    ('cliff', 'mixed', 'undecided')
    """
    correct = [True] * num_correct + [False] * num_wrong + [None] * num_abstained
    return classify_correct(correct, threshold=threshold).value


def windows(run: Run) -> tuple[tuple[float, float], tuple[float, float]]:
    """The steps of the first and of the last window of a run, each ``start <= step < end``."""
    last = run.last_step + 1
    return (0, last * WINDOW), (last * (1 - WINDOW), last)


def window_counts(run: Run, found: Sequence[History]) -> tuple[list[tuple[int, int]], ...]:
    """Judged (correct, wrong) of each problem in the first and the last window, where it has any.

    Problems without a judged rollout in a window are left out of that window.
    """
    return tuple(
        [counts for h in found if sum(counts := h.counts(start, end))]
        for start, end in windows(run)
    )
