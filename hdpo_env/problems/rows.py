"""Problems from files and hub data sets. A bad row is reported and counted, never fatal.

Gold answers and solutions stay out of every report: it names file, line, field and remedy only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from hdpo_env.errors import DataError
from hdpo_env.problems.convert import RowFault, problem_of
from hdpo_env.problems.fieldmap import FieldMap
from hdpo_env.problems.known import find_known
from hdpo_env.problems.readers import read_rows
from hdpo_env.types import Problem


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
    """What a load found: problems, bad rows, and how many rows the map's filter left out."""

    problems: tuple[Problem, ...] = field(repr=False)
    bad_rows: tuple[BadRow, ...]
    num_skipped: int = 0

    def __str__(self) -> str:
        faults: dict[str, int] = {}
        for bad in self.bad_rows:
            faults[f"{bad.field}: {bad.fault}"] = faults.get(f"{bad.field}: {bad.fault}", 0) + 1
        details = "".join(f"\n  {n} x {fault}" for fault, n in sorted(faults.items()))
        return (
            f"{len(self.problems)} problems, {len(self.bad_rows)} bad rows, "
            f"{self.num_skipped} left out by the field map{details}"
        )


class RowStream:
    """Problems one after the other, without holding them: for data sets larger than memory.

    What `load_problems` says of its arguments holds here. ``bad_rows`` and ``num_skipped`` grow as
    the stream is read. Ids of problems already seen are kept, to find duplicates.

    Raises:
        DataError: while reading, as `load_problems`.
        MissingDependencyError: while reading, as `load_problems`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        field_map: FieldMap | str = "plain",
        split: str = "train",
        config: str | None = None,
        limit: int | None = None,
        max_rows: int | None = None,
        strict: bool = False,
        check: Callable[[Problem], str | None] | None = None,
    ) -> None:
        known = None if Path(path).exists() else find_known(str(path))
        if known:
            path, config, split = known.path, config or known.config, known.split(split)
            field_map = known.field_map if field_map == "plain" else field_map
        self._path, self._split, self._config = str(path), split, config
        self._columns = FieldMap.parse(field_map) if isinstance(field_map, str) else field_map
        self._source = Path(path).stem if Path(path).exists() else str(path)
        self._limit, self._max_rows, self._strict, self._check = limit, max_rows, strict, check
        self.bad_rows: list[BadRow] = []
        self.num_skipped = 0

    def __iter__(self) -> Iterator[Problem]:
        self.bad_rows, self.num_skipped = [], 0
        seen: set[str] = set()
        keep = self._columns.keep
        for line, row in islice(read_rows(self._path, self._split, self._config), self._max_rows):
            if len(seen) == self._limit:
                return
            try:
                if keep and isinstance(row, Mapping) and not keep(row):
                    self.num_skipped += 1
                    continue
                problem = problem_of(row, self._columns, self._source, self._split)
                self._check_new(problem, seen)
            except RowFault as fault:
                self._report(BadRow(Path(self._path).name, line, *fault.args))
                continue
            seen.add(problem.id)
            yield problem

    def _check_new(self, problem: Problem, seen: set[str]) -> None:
        if problem.id in seen:  # the words name no id: a file may repeat itself a million times
            raise RowFault("id", "it is a duplicate", "remove the row or give it its own id")
        if self._check and (complaint := self._check(problem)):
            raise RowFault(
                "answer", _without(problem.answers, complaint), "correct the gold answer"
            )

    def _report(self, bad: BadRow) -> None:
        if self._strict:
            raise DataError(f"{bad} (or load without strict to skip bad rows)")
        self.bad_rows.append(bad)


def load_problems(
    path: str | Path,
    *,
    field_map: FieldMap | str = "plain",
    split: str = "train",
    config: str | None = None,
    limit: int | None = None,
    max_rows: int | None = None,
    strict: bool = False,
    check: Callable[[Problem], str | None] | None = None,
) -> LoadReport:
    """Read problems from a ``.jsonl``, ``.json`` or ``.parquet`` file, a folder or a hub id.

    Args:
        path: a file, a folder written by ``datasets.save_to_disk``, a folder with a copy of a hub
            data set, a hub id ``owner/name``, or a name in ``DATASETS`` such as ``math500``.
        field_map: a ready map's name, ``field=column,...`` or a `FieldMap`; "plain", our own
            columns, stands for the data set's own map where the data set is a known one.
        split: the split to ask a hub data set for; it is noted in every problem.
        config: the hub data set's configuration, such as ``main``.
        limit: stop after this many problems, however many rows are duplicates, bad or left out.
        max_rows: read at most this many rows.
        strict: raise at the first bad row instead of reporting it.
        check: called with each problem; a sentence it returns makes the row bad. Pass a verifier's
            gold check to find unparsable gold answers.

    Raises:
        DataError: nothing is at this path, or ``strict`` and a row is bad.
        MissingDependencyError: the path needs the ``datasets`` package.

    >>> from hdpo_env.verifiers import VERIFIERS, check_gold
    >>> math = VERIFIERS["math"]()
    >>> print(load_problems("sample", check=lambda p: check_gold(math, p.answers)))
    138 problems, 0 bad rows, 0 left out by the field map
    """
    stream = RowStream(
        path, field_map=field_map, split=split, config=config,
        limit=limit, max_rows=max_rows, strict=strict, check=check,
    )  # fmt: skip
    return LoadReport(tuple(stream), tuple(stream.bad_rows), stream.num_skipped)


def _without(golds: tuple[str, ...], complaint: str) -> str:
    """A verifier's complaint without the gold answer it may quote."""
    for gold in golds:
        for quoted in (repr(gold), repr(gold[:60])):
            complaint = complaint.replace(f"the gold answer {quoted}", "it").replace(quoted, "it")
    return complaint
