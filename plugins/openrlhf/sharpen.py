"""Expand, then sharpen: former cliffs come back into the prompt stream after a delay."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any


class Reentry:
    """A queue of distilled prompts, each due ``delay`` steps after it was distilled.

    HDPO expands what the model can do at all; whether that lasts, and sharpening it by RL, wants
    the prompt again once its distillation is no longer fresh. Each prompt waits at most once.
    """

    def __init__(self, delay: int) -> None:
        self.delay = delay
        self._waiting: deque[tuple[int, str, Any]] = deque()
        self._out: set[str] = set()

    def add(self, prompt: str, label: Any, step: int) -> None:
        """Note a cliff that was distilled in this step."""
        if self.delay and all(prompt != waiting for _, waiting, _ in self._waiting):
            self._waiting.append((step + self.delay, prompt, label))

    def stream(self, fresh: Iterator[Any], step: int, limit: int) -> Iterator[Any]:
        """The prompts that are due, at most ``limit``, before the loader's own items."""
        self._out = set()
        while self._waiting and self._waiting[0][0] <= step and len(self._out) < limit:
            _, prompt, label = self._waiting.popleft()
            self._out.add(prompt)
            yield ["reentry"], [prompt], [label], [None]
        yield from fresh

    def came_back(self, prompt: str) -> bool:
        """Whether this prompt of the current batch is a former cliff."""
        return prompt in self._out

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"waiting": list(self._waiting)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint."""
        self._waiting = deque(tuple(item) for item in state.get("waiting", ()))
