"""What goes through a pool: items of plain types, and jobs that collect their verdicts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import gold_texts, plain

Item: TypeAlias = "tuple[str, str | tuple[str, ...], str | None]"


def failed(reason: str) -> Verdict:
    """ERROR by the pool itself: an abstention."""
    return Verdict(Outcome.ERROR, reason=reason, stage="pool")


def normal(given: Any) -> Item | Verdict:
    r"""One item with plain types only, or ERROR if it is none: it must cost nobody but itself.

    >>> normal(("a", ["1", "2"]))
    ('a', ('1', '2'), None)
    >>> normal((None, "1")).reason
    'the completion is NoneType, not text'
    """
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        return failed("an item is (completion, gold) or (completion, gold, finish_reason)")
    gold = plain(given[1]) if isinstance(given[1], str) else gold_texts(given[1])
    try:
        completion = plain(given[0])
    except TypeError as error:
        return failed(f"the completion is {error}")
    if len(given) == 2 or given[2] is None:
        return completion, gold, None
    try:
        return completion, gold, plain(given[2])
    except TypeError as error:
        return failed(f"the finish reason is {error}")


def spread(
    rows: Sequence[Item | Verdict], distinct: Sequence[Item], verdicts: Sequence[Verdict]
) -> list[Verdict]:
    """The verdict of every row, from those of the distinct items; some rows have theirs."""
    known = dict(zip(distinct, verdicts, strict=True))
    return [row if isinstance(row, Verdict) else known[row] for row in rows]


@dataclass(eq=False)
class Job:
    """The items of one call, their verdicts as they come in, and the future of them all."""

    items: list[Item]
    verdicts: list[Verdict | None] = field(init=False)
    attempts: dict[int, int] = field(default_factory=dict)
    future: Future[list[Verdict]] = field(default_factory=Future)
    cursor: int = 0
    missing: int = field(init=False)
    dropped: bool = False  # the caller stopped waiting

    def __post_init__(self) -> None:
        self.verdicts = [None] * len(self.items)
        self.missing = len(self.items)

    def settle(self, index: int, verdict: Verdict) -> None:
        """Store a verdict unless the item has one."""
        if self.verdicts[index] is not None:
            return
        self.verdicts[index] = verdict
        self.missing -= 1
        if not self.missing and not self.future.cancelled():
            with contextlib.suppress(Exception):  # cancelled between the check and here
                self.future.set_result(self.verdicts)  # type: ignore[arg-type]

    def fail(self, reason: str) -> None:
        """ERROR for every item that has no verdict."""
        for index in range(len(self.items)):
            self.settle(index, failed(reason))

    def drop(self) -> None:
        """Nobody waits any more: what is not judged need not be."""
        self.dropped = True
        self.future.cancel()


Ticket: TypeAlias = tuple[Job, int]
