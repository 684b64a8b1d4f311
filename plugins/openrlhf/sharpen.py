"""Expand, then sharpen: former cliffs come back into the prompt stream after a delay."""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

log = logging.getLogger(__name__)


class Reentry:
    """A queue of distilled problems, each due ``delay`` steps after it was distilled.

    HDPO expands what the model can do at all; whether that lasts, and sharpening it by RL, wants
    the prompt again once its distillation is no longer fresh. A problem that somebody solves when
    it comes back has re-entered for good: from then on it is the loader's like any other. One that
    nobody solves, and that is distilled again, waits twice as long as before (as in
    `hdpo_env.cliffs.CliffSampler`), until it has come back ``tries`` times in a row in vain.

    An episode stays as long as it was planned: each return takes the place of a new prompt, and
    the last new ones are left out of the episode. Problems are rows of the data set: OpenRLHF
    prints its checkpoints' states, and no gold answer may be among them.

    Args:
        delay: steps from a distillation to the return; 0 leaves the loader's stream alone.
        tries: returns in vain, in a row, after which a problem is left to the loader.
        rows: prompts in an episode.
    """

    def __init__(self, delay: int, *, tries: int, rows: int) -> None:
        self.delay, self._tries, self._rows = delay, tries, rows
        self._served = 0  # prompts of this episode
        self._waiting: list[tuple[int, int]] = []  # (step when due, row), the first one first
        self._in_vain: dict[int, int] = {}  # row -> returns since somebody solved it
        self._out: set[int] = set()  # rows that came back in the current batch

    def add(self, row: int, step: int) -> None:
        """Note a cliff that was distilled in this step; each row waits at most once."""
        times = self._in_vain.get(row, 0)
        if self.delay and times < self._tries and all(row != other for _, other in self._waiting):
            insort(self._waiting, (step + self.delay * 2**times, row))

    def solved(self, row: int | None) -> None:
        """Note that somebody solved this row, wherever its prompt came from."""
        if row is not None:
            self._in_vain.pop(row, None)

    def stream(
        self, fresh: Iterator[Any], step: int, size: int, item: Callable[[int], Any]
    ) -> Iterator[Any]:
        """The items of rows that are due, at most half a batch of ``size``, then the loader's own.

        It ends with the episode, and then takes from the loader what had no place in it, so that
        the loader's state is that of an episode which is over.
        """
        self._out = set()
        if not self.delay:
            yield from fresh
            return
        left = self._rows - self._served
        back = self._come_back(step, min(size, left) // 2)
        for each in islice(chain(map(item, back), fresh), left):
            self._served += 1
            yield each
        self._served = 0
        if num_left_out := sum(1 for _ in fresh):
            text = "former cliffs took the places of %d prompts, left out of this episode"
            log.warning(text, num_left_out)

    def _come_back(self, step: int, room: int) -> list[int]:
        due = [row for when, row in self._waiting if when <= step][:room]
        del self._waiting[: len(due)]
        for row in due:
            self._in_vain[row] = self._in_vain.get(row, 0) + 1
        self._out = set(due)
        return due

    def came_back(self, row: int | None) -> bool:
        """Whether this row of the current batch is a former cliff."""
        return row in self._out

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "served": self._served,
            "waiting": [list(entry) for entry in self._waiting],
            "in_vain": [list(entry) for entry in self._in_vain.items()],
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint; of one without a state of ours only ``served`` is known."""
        self._served = state.get("served", 0)
        self._waiting = [(due, row) for due, row in state.get("waiting", ())]
        self._in_vain = dict(state.get("in_vain", ()))
