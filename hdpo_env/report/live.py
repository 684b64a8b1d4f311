"""A run that is still going on, followed from its files: what is new since the last look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from hdpo_env.cliffs.transitions import KINDS
from hdpo_env.errors import DataError
from hdpo_env.report.histories import training_ledger
from hdpo_env.report.load import json_object, read_json, run_metrics

#: The time left is told from this many of the newest steps.
RECENT_STEPS = 20
#: Without a new line for this long, and for so many usual steps, a run is called silent.
SILENT_S, SILENT_STEPS = 60.0, 10
_PASS = re.compile(r"eval/(.+)/pass@(\d+)")


class Event(NamedTuple):
    """Something that happened at a step, in words."""

    step: int
    text: str


@dataclass
class Tail:
    """The whole new lines of a growing file. A torn last line is left until its end is there.

    A file that became shorter (a resumed run drops lines) is read again from its beginning, which
    ``restarts`` counts. What is no JSON object is counted in ``num_bad``.
    """

    path: Path
    offset: int = 0
    restarts: int = 0
    num_bad: int = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The objects that were completed since the last call."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return
        with self.path.open("rb") as file:
            if size < self.offset or not _is_line_start(file, self.offset):
                self.offset, self.num_bad = 0, 0
                self.restarts += 1
            file.seek(self.offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            row = json_object(line)
            if row is not None:
                yield row
            elif line.strip():
                self.num_bad += 1


def _is_line_start(file: BinaryIO, offset: int) -> bool:
    # A file that was cut and has grown beyond our place again betrays itself in the byte before.
    file.seek(max(0, offset - 1))
    return offset == 0 or file.read(1) == b"\n"


@dataclass
class LiveRun:
    """What is known of a run by now; `refresh` looks again. The folder need not exist yet."""

    folder: Path
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    _tail: Tail = field(init=False)
    _ledger_size: int = -1
    _ledger_events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tail = Tail(self.folder / "metrics.jsonl")

    def refresh(self) -> None:
        """Read what was written since the last call."""
        restarts = self._tail.restarts
        for row in self._tail.read():
            if self._tail.restarts != restarts:
                restarts = self._tail.restarts
                self.curves.clear()
            self._take(row)
        self._read_ledger()

    def _take(self, row: Mapping[str, Any]) -> None:
        step = row.get("step")
        if not isinstance(step, int):
            self._tail.num_bad += 1
            return
        for key, value in run_metrics(row):
            if isfinite(value):
                self.curves.setdefault(key, {})[step] = value

    def _read_ledger(self) -> None:
        files = sorted((self.folder / "ledger").glob("*.events"))
        size = sum(file.stat().st_size for file in files)
        if files and size != self._ledger_size:
            self._ledger_size = size
            self._ledger_events = cliff_events(self.folder, threshold=self.cliff_threshold)

    @property
    def num_bad(self) -> int:
        """Lines that were no JSON object with a step."""
        return self._tail.num_bad

    @property
    def step(self) -> int | None:
        """The last step with a number; None before the first."""
        return max((step for curve in self.curves.values() for step in curve), default=None)

    @property
    def done(self) -> int:
        """How many steps are done: they are numbered from 0, and a last evaluation is none."""
        known = 0 if self.step is None else self.step + 1
        return known if self.planned is None else min(known, self.planned)

    @property
    def cliff_threshold(self) -> float:
        """The number of successes up to which a group is a cliff; 0 if the run does not say."""
        found: object = self._config()
        for name in ("algo", "distill", "cliff_threshold"):
            found = found.get(name) if isinstance(found, Mapping) else None
        return float(found) if isinstance(found, (int, float)) else 0.0

    @property
    def planned(self) -> int | None:
        """How many steps the configuration asks for."""
        steps = self._config().get("steps")
        return steps if isinstance(steps, int) else None

    def _config(self) -> dict[str, Any]:
        try:
            return read_json(self.folder / "config.json")
        except DataError:  # it is being written this very moment
            return {}

    @property
    def is_finished(self) -> bool:
        """Whether the last planned step has left its numbers."""
        return self.step is not None and self.planned is not None and self.step >= self.planned

    def series(self, key: str) -> tuple[float, ...]:
        """A metric in the order of its steps."""
        return tuple(value for _, value in sorted(self.curves.get(key, {}).items()))

    @property
    def step_s(self) -> float | None:
        """Seconds a step, over the newest `RECENT_STEPS` steps; None before there are two."""
        times = sorted(self.curves.get("time_s", {}).items())[-RECENT_STEPS - 1 :]
        if len(times) < 2:
            return None
        (first, start), (last, end) = times[0], times[-1]
        return (end - start) / (last - first)

    @property
    def left_s(self) -> float | None:
        """Seconds until the last planned step at the present pace; None if nobody can know."""
        if self.planned is None or self.step_s is None:
            return None
        return (self.planned - self.done) * self.step_s

    def is_silent(self, now: float) -> bool:
        """Whether nothing was written for suspiciously long; ``now`` is in seconds since 1970."""
        try:
            idle = now - self._tail.path.stat().st_mtime
        except OSError:
            return False
        return not self.is_finished and idle > max(SILENT_S, SILENT_STEPS * (self.step_s or 0))

    def events(self, limit: int) -> list[Event]:
        """The newest evaluations and changes of cliffs, newest first."""
        found = sorted([*self._evaluations(), *self._ledger_events], key=lambda e: -e.step)
        return found[:limit]

    @property
    def pass_keys(self) -> dict[str, str]:
        """The pass@k with the largest k of each slice, as people say it -> its metric."""
        found = {m[1]: m for m in sorted(filter(None, map(_PASS.fullmatch, self.curves)), key=_k)}
        return {f"{m[1]} pass@{m[2]}": m[0] for m in found.values()}

    def _evaluations(self) -> Iterator[Event]:
        keys = self.pass_keys
        for step in sorted({step for key in keys.values() for step in self.curves[key]}):
            parts = [
                f"{name} {self.curves[key][step]:.3f}"
                for name, key in keys.items()
                if step in self.curves[key]
            ]
            yield Event(step, f"evaluated: {', '.join(parts)}")


def _k(found: re.Match[str]) -> int:
    return int(found[2])


def cliff_events(folder: Path, *, threshold: float = 0.0) -> list[Event]:
    """How many cliffs were born, escaped and relapsed at each step, from a run's ledger.

    A group with at most ``threshold`` successes is a cliff.
    """
    ledger = training_ledger(folder)
    if ledger is None:
        return []
    moves = ledger.transitions(threshold=threshold)
    steps = ledger.events["step"][moves.places]
    found, place = np.unique(steps, return_inverse=True)
    counts = np.zeros((len(found), len(KINDS)), dtype=int)
    np.add.at(counts, (place, moves.kinds), 1)
    return [
        Event(step, f"cliffs: {_counted(row)}")
        for step, row in zip(found.tolist(), counts.tolist(), strict=True)
    ]


def _counted(row: Sequence[int]) -> str:
    return ", ".join(f"{n} {kind}" for n, kind in zip(row, KINDS, strict=True) if n)
