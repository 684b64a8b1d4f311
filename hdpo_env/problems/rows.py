"""Problems from files and hub data sets. A bad row is reported and counted, never fatal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.convert import RowFault, problem_of
from hdpo_env.problems.fieldmap import FieldMap
from hdpo_env.problems.known import find_known
from hdpo_env.problems.readers import read_rows
from hdpo_env.problems.report import KEPT, BadRow, LoadReport
from hdpo_env.types import Problem
from hdpo_env.verifiers.protocol import VERIFIERS


class RowStream:
    """Problems one after the other, without holding them: for data sets larger than memory.

    What `load_problems` says of its arguments holds here. The counts grow as the stream is read;
    of the bad rows the first `KEPT` are listed. Ids of problems already seen are kept, to find
    duplicates.

    Raises:
        RegistryError: the field map, or the verifier that it names for all rows, is unknown.
        ConfigError: ``limit`` or ``max_rows`` is negative.
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
        if isinstance(self._columns.verifier, str):
            VERIFIERS[self._columns.verifier]  # an unknown name is refused before a row is read
        for name, most in (("limit", limit), ("max_rows", max_rows)):
            if most is not None and most < 0:
                raise ConfigError(f"{name} is {most}: choose at least 0, or None to read all")
        self._limit, self._max_rows, self._strict, self._check = limit, max_rows, strict, check
        self._begin()

    def _begin(self) -> None:
        self.bad_rows: list[BadRow] = []
        self.num_skipped = self.num_repeats = self.num_unlisted = 0

    def __iter__(self) -> Iterator[Problem]:
        self._begin()
        seen: dict[str, tuple[int, int]] = {}
        keep = self._columns.keep
        placed = read_rows(self._path, self._split, self._config)
        for file, line, row in islice(placed, self._max_rows):
            if len(seen) == self._limit:
                return
            try:
                if keep and isinstance(row, Mapping) and not keep(row):
                    self.num_skipped += 1
                    continue
                problem = problem_of(row, self._columns, self._source, self._split)
                is_new = self._is_new(problem, seen)
            except RowFault as fault:
                self._report(BadRow(file, line, *fault.args))
                continue
            if is_new:
                yield problem
            self.num_repeats += not is_new

    def _is_new(self, problem: Problem, seen: dict[str, tuple[int, int]]) -> bool:
        """Whether the problem is not among those seen yet; another solution of one makes it no new.

        Raises:
            RowFault: its row or its id is a duplicate, or its gold answers cannot be used.
        """
        asked, solved = hash((problem.question, problem.answers)), hash(problem.solution)
        before = seen.get(problem.id)
        if before is not None and before[0] != asked:
            raise RowFault("id", "another problem has it", "give each problem its own id, or none")
        if before is not None and before[1] == solved:
            # The words name no id: a file may repeat itself a million times.
            raise RowFault("id", "it is a duplicate", "remove the row or give it its own id")
        if before is None and self._check and (complaint := self._check(problem)):
            raise RowFault(
                "answer", _without(problem.answers, complaint), "correct the gold answer"
            )
        seen.setdefault(problem.id, (asked, solved))
        return before is None

    def _report(self, bad: BadRow) -> None:
        if self._strict:
            raise DataError(f"{bad} (or load without strict to skip bad rows)")
        if len(self.bad_rows) < KEPT:
            self.bad_rows.append(bad)
        else:
            self.num_unlisted += 1


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
    """Read problems from a ``.jsonl``, ``.json``, ``.csv`` or ``.parquet`` file, a folder or a hub.

    Args:
        path: a file, a folder written by ``datasets.save_to_disk``, a folder with a copy of a hub
            data set, a hub id ``owner/name``, or a name in ``DATASETS`` such as ``math500``.
            ``.json`` holds a list of objects, or one a line.
        field_map: a ready map's name, ``field=column,...`` or a `FieldMap`; "plain", our own
            columns, stands for the data set's own map where the data set is a known one.
        split: the split to ask a hub data set for; it is noted in every problem.
        config: the hub data set's configuration, such as ``main``.
        limit: stop after this many problems, however many rows are duplicates, bad or left out.
        max_rows: read at most this many rows.
        strict: raise at the first bad row instead of reporting it.
        check: called with each problem; a sentence it returns makes the row bad. `gold_fault` finds
            gold answers that the problem's verifier cannot use; commands load with it.

    Raises:
        DataError: nothing is at this path, the folder has no such split or configuration, or
            ``strict`` and a row is bad.
        MissingDependencyError: the path needs the ``datasets`` or ``pyarrow`` package.

    >>> from hdpo_env.problems import gold_fault
    >>> print(load_problems("sample", check=gold_fault))
    138 problems, 0 bad rows, 0 left out by the field map
    """
    stream = RowStream(
        path, field_map=field_map, split=split, config=config,
        limit=limit, max_rows=max_rows, strict=strict, check=check,
    )  # fmt: skip
    problems = tuple(stream)
    bad_rows, passed_over = tuple(stream.bad_rows), (stream.num_skipped, stream.num_repeats)
    return LoadReport(problems, bad_rows, *passed_over, stream.num_unlisted)


def _without(golds: tuple[str, ...], complaint: str) -> str:
    """A check's complaint, unless it quotes a gold answer."""
    is_told = any(
        repr(gold) in complaint or (len(gold.strip()) > 2 and gold.strip() in complaint)
        for gold in golds
    )
    return "the check refuses the gold answer" if is_told else complaint
