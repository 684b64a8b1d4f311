"""What a load found: problems, and every row that could not be one.

Gold answers and solutions stay out of every report: it names file, line, field and remedy only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hdpo_env.types import Problem

KEPT = 1000  # bad rows that a load lists; the others are counted


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that could not become a problem.

    >>> print(BadRow("a.jsonl", 3, "answer", "it is empty", "give a gold answer"))
    a.jsonl:3: field 'answer': it is empty; give a gold answer
    """

    file: str
    line: int
    field: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: field {self.field!r}: {self.fault}; {self.remedy}"


@dataclass(frozen=True)
class LoadReport:
    """What a load found: problems, bad rows, and how many rows it passed over.

    ``num_skipped`` rows were left out by the map's filter; ``num_repeats`` hold another solution of
    a problem that is there, which keeps its first. ``bad_rows`` are the first `KEPT` of all
    ``num_bad``.
    """

    problems: tuple[Problem, ...] = field(repr=False)
    bad_rows: tuple[BadRow, ...]
    num_skipped: int = 0
    num_repeats: int = 0
    num_unlisted: int = 0  # bad rows beyond those that are listed

    @property
    def num_bad(self) -> int:
        """All bad rows, listed or not."""
        return len(self.bad_rows) + self.num_unlisted

    @property
    def summary(self) -> str:
        """The counts in a line."""
        more = f", {self.num_repeats} further solutions" if self.num_repeats else ""
        return (
            f"{len(self.problems)} problems, {self.num_bad} bad rows, "
            f"{self.num_skipped} left out by the field map{more}"
        )

    def __str__(self) -> str:
        faults = Counter(f"{bad.field}: {bad.fault}" for bad in self.bad_rows)
        lines = [f"{n} x {fault}" for fault, n in sorted(faults.items())]
        lines += [f"and {self.num_unlisted} more"] if self.num_unlisted else []
        return "\n  ".join([self.summary, *lines])

    def listing(self, num: int = 10) -> str:
        """The first bad rows with file, line, field and remedy, and how many more there are."""
        told = [str(bad) for bad in self.bad_rows[:num]]
        if (more := self.num_bad - len(told)) > 0:
            told.append(f"... and {more} more bad rows")
        return "\n".join([*told, self.summary])
