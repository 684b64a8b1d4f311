"""Reading ledgers: events of all writers together, and counts per problem."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hdpo_env.cliffs.ledger import HEADER, RECORD, is_sound, parse_names
from hdpo_env.cliffs.transitions import Transitions, find_transitions
from hdpo_env.errors import DataError

_KEPT = ["problem", "policy", "step", "num_correct", "num_wrong", "num_abstained"]


@dataclass(frozen=True)
class Ledger:
    """The events of one or more ledgers, in the order of their steps.

    ``names`` gives the problem ids and policy names behind the keys. ``faults`` says what was
    skipped, and where; nothing is lost silently.
    """

    events: np.ndarray
    names: dict[int, str]
    faults: tuple[str, ...] = ()

    @cached_property
    def by_problem(self) -> np.ndarray:
        """The order that sorts the events by problem, and by step within each."""
        return np.argsort(self.events["problem"], kind="stable")

    @property
    def num_events(self) -> int:
        """How many groups were noted."""
        return len(self.events)

    def name(self, key: int) -> str:
        """The problem id or policy name behind a key; the key in hex digits if it was lost."""
        return self.names.get(key, f"{key:016x}")

    def columns(self) -> dict[str, np.ndarray]:
        """The events as columns with names instead of keys: pandas, `datasets` and DuckDB read it.

        For example ``pandas.DataFrame(ledger.columns())``.
        """
        columns: dict[str, np.ndarray] = {}
        for field in ("problem", "policy"):
            keys, place = np.unique(self.events[field], return_inverse=True)
            texts = np.array([self.name(key) for key in keys.tolist()], dtype=object)
            columns[f"{field}_id" if field == "problem" else field] = texts[place]
        return columns | {field: self.events[field].copy() for field in _KEPT[2:]}

    def to_jsonl(self, path: str | Path) -> None:
        """Write one JSON object per event."""
        columns = {name: column.tolist() for name, column in self.columns().items()}
        with Path(path).open("w", encoding="utf-8") as file:
            for values in zip(*columns.values(), strict=True):
                row = dict(zip(columns, values, strict=True))
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def totals(self) -> list[ProblemTotals]:
        """Everything known about each problem, in the order of their keys."""
        return _totals(self)

    def transitions(self, *, threshold: float = 0.0) -> Transitions:
        """When each problem became a cliff, stopped being one, and fell back, for each policy.

        A problem is *born* a cliff at its first cliff group, has *escaped* at the first group
        after that which is certainly none, and has *relapsed* at a cliff group after an escape.
        Groups whose abstentions leave open whether they are cliffs change nothing.
        """
        return find_transitions(self, threshold)


@dataclass(frozen=True)
class ProblemTotals:
    """The counts of one problem over all its groups."""

    problem_id: str
    num_groups: int
    num_correct: int
    num_wrong: int
    num_abstained: int
    first_step: int
    last_step: int


def read_ledger(*folders: str | Path, writer: str = "*") -> Ledger:
    """Read and merge the ledgers in these folders: every writer, rank, run and model.

    ``writer`` names the only one to read, such as ``eval``; it may be a pattern.

    Torn and damaged records are skipped and reported in ``faults``.

    Raises:
        DataError: a folder holds no ledger, or none of this writer.
    """
    parts: list[np.ndarray] = []
    names: dict[int, str] = {}
    faults: list[str] = []
    for folder in map(Path, folders):
        files = sorted(folder.glob(f"{writer}.events"))
        if not files:
            raise DataError(
                f"{folder.name!r} holds no ledger: give a folder with {writer}.events files"
            )
        for file in files:
            parts.append(_records(file, faults))
            _read_names(file.with_suffix(".names.jsonl"), names, faults)
    events = parts[0] if len(parts) == 1 else np.concatenate(parts)
    parts.clear()  # ten million events are 320 MB: do not hold them twice
    if (events["step"][1:] < events["step"][:-1]).any():
        events = events[np.argsort(events["step"], kind="stable")]
    return Ledger(events, names, tuple(faults))


def _records(file: Path, faults: list[str]) -> np.ndarray:
    with file.open("rb") as content:
        if content.read(len(HEADER)) != HEADER:
            faults.append(f"{file.name}: not a ledger of this version; skipped")
            return np.empty(0, RECORD)
    size = file.stat().st_size - len(HEADER)
    if torn := size % RECORD.itemsize:
        faults.append(f"{file.name}: the last record is torn ({torn} bytes); skipped")
    records = np.fromfile(file, RECORD, count=size // RECORD.itemsize, offset=len(HEADER))
    sound = is_sound(records)
    if not sound.all():
        damaged = np.flatnonzero(~sound)
        faults.append(
            f"{file.name}: {len(damaged)} damaged records, the first is number {damaged[0] + 1}; "
            "skipped"
        )
        records = records[sound]
    return records


def _read_names(file: Path, names: dict[int, str], faults: list[str]) -> None:
    if not file.exists():
        faults.append(f"{file.name}: missing; problems are named by their keys")
        return
    for key, name in parse_names(file.read_bytes()):
        if name is None:
            faults.append(f"{file.name}:{key}: not a name; skipped")
        else:
            names[key] = name


def _by_problem(ledger: Ledger) -> tuple[np.ndarray, np.ndarray]:
    # Events sorted by problem, steps in order within each, and where each problem begins.
    order = ledger.by_problem
    keys = ledger.events["problem"][order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else order
    return order, starts


def _totals(ledger: Ledger) -> list[ProblemTotals]:
    order, starts = _by_problem(ledger)
    if not len(order):
        return []
    ends = np.r_[starts[1:], len(order)]

    def summed(field: str) -> np.ndarray:
        return np.add.reduceat(ledger.events[field][order].astype(np.int64), starts)

    columns = (
        (ends - starts).tolist(),
        *(summed(field).tolist() for field in _KEPT[3:]),
        ledger.events["step"][order[starts]].tolist(),
        ledger.events["step"][order[ends - 1]].tolist(),
    )
    keys = ledger.events["problem"][order[starts]].tolist()
    return [
        ProblemTotals(ledger.name(key), *row)
        for key, row in zip(keys, zip(*columns, strict=True), strict=True)
    ]
