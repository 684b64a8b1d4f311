"""Expand, then sharpen: former cliffs come back into the prompt stream after a delay."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, cycle
from typing import Any


class Reentry:
    """A queue of distilled problems, each due ``delay`` steps after it was distilled.

    HDPO expands what the model can do at all; whether that lasts, and sharpening it by RL, wants
    the prompt again once its distillation is no longer fresh. Problems are rows of the data set:
    OpenRLHF prints its checkpoints' states, and no gold answer may be among them.
    """

    def __init__(self, delay: int) -> None:
        self.delay = delay
        self._waiting: deque[tuple[int, int]] = deque()  # step when due, row
        self._out: set[int] = set()
        self._past: dict[int, None] = {}  # every row that ever waited, first come first

    def add(self, row: int, step: int) -> None:
        """Note a cliff that was distilled in this step; each row waits at most once."""
        if self.delay and all(row != waiting for _, waiting in self._waiting):
            self._waiting.append((step + self.delay, row))
            self._past[row] = None

    def stream(
        self, fresh: Iterator[Any], step: int, size: int, item: Callable[[int], Any]
    ) -> Iterator[Any]:
        """The items of rows that are due, at most half a batch, before the loader's own.

        OpenRLHF deals whole batches out to its ranks. Where the loader ends inside a batch of
        ``size``, former cliffs fill it up; where it has already ended nothing comes.
        """
        self._out = set()
        if not self.delay:
            yield from fresh
            return
        first = next(fresh, None)
        if first is None:
            return
        while self._waiting and self._waiting[0][0] <= step and len(self._out) < size // 2:
            self._out.add(self._waiting.popleft()[1])
        served = 0
        for each in chain(map(item, self._out), [first], fresh):
            served += 1
            yield each
        absent = [row for row in self._past if row not in self._out]
        past = chain(absent, cycle(self._past))  # a group twice in one batch only if it must be
        while self._past and served % size:
            served += 1
            yield item(next(past))

    def came_back(self, row: int | None) -> bool:
        """Whether this row of the current batch is a former cliff."""
        return row in self._out

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"waiting": [list(entry) for entry in self._waiting], "past": list(self._past)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint."""
        self._waiting = deque((due, row) for due, row in state.get("waiting", ()))
        self._past = dict.fromkeys(state.get("past", ()))
