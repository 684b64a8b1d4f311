"""Problems from files and hub data sets. A bad row is reported and counted, never fatal.

Gold answers and solutions stay out of every report: it names file, line, field and remedy only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from hdpo_env.errors import DataError, MissingDependencyError
from hdpo_env.problems.fieldmap import FIELD_MAPS, Column, FieldMap
from hdpo_env.types import Problem

Row = Mapping[str, Any]


@dataclass(frozen=True)
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


class _RowError(Exception):
    """A row's fault on its way to a `BadRow`."""

    def __init__(self, field: str, fault: str, remedy: str) -> None:
        super().__init__(field, fault, remedy)


def load_problems(
    path: str | Path,
    *,
    field_map: FieldMap | str = "plain",
    split: str = "train",
    config: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    check: Callable[[Problem], str | None] | None = None,
) -> LoadReport:
    """Read problems from a ``.jsonl``, ``.json`` or ``.parquet`` file, a folder or a hub id.

    Args:
        path: a file, a folder written by ``datasets.save_to_disk``, or a hub id ``owner/name``.
        field_map: a ready map's name, ``field=column,...`` or a `FieldMap`.
        split: the split to ask a hub data set for; it is noted in every problem.
        config: the hub data set's configuration, such as ``main``.
        limit: read at most this many rows.
        strict: raise at the first bad row instead of reporting it.
        check: called with each problem; a sentence it returns makes the row bad. Pass a verifier's
            gold check to find unparsable gold answers.

    Raises:
        DataError: nothing is at this path, or ``strict`` and a row is bad.
        MissingDependencyError: the path needs the ``datasets`` package.
    """
    columns = FieldMap.parse(field_map) if isinstance(field_map, str) else field_map
    source = Path(path).stem if Path(path).exists() else str(path)
    problems: dict[str, Problem] = {}
    bad_rows: list[BadRow] = []
    num_skipped = 0
    for line, row in islice(_rows(str(path), split, config), limit):
        try:
            if columns.keep and isinstance(row, Mapping) and not columns.keep(row):
                num_skipped += 1
                continue
            problem = _problem(row, columns, source, split)
            _check_new(problem, problems, check)
            problems[problem.id] = problem
        except _RowError as fault:
            bad = BadRow(Path(path).name, line, *fault.args)
            if strict:
                raise DataError(f"{bad} (or load without strict to skip bad rows)") from None
            bad_rows.append(bad)
    return LoadReport(tuple(problems.values()), tuple(bad_rows), num_skipped)


def _check_new(
    problem: Problem, seen: Mapping[str, Problem], check: Callable[[Problem], str | None] | None
) -> None:
    if problem.id in seen:
        raise _RowError(
            "id", f"{problem.id} is a duplicate", "remove the row or give it its own id"
        )
    if check and (complaint := check(problem)):
        raise _RowError("answer", complaint, "correct the gold answer")


def _problem(row: Row | _RowError, columns: FieldMap, source: str, split: str) -> Problem:
    if isinstance(row, _RowError):
        raise row
    if not isinstance(row, Mapping):
        raise _RowError("(row)", f"it is a {type(row).__name__}", "write one JSON object a line")
    return Problem(
        question=_text(row, columns, "question"),
        answers=_answers(row, columns),
        solution=_text(row, columns, "solution"),
        hints=_hints(row, columns),
        source=source,
        split=split,
        subject=str(_value(row, columns, "subject") or ""),
        difficulty=_number(row, columns),
        verifier=columns.verifier,
        id=_identity(row, columns),
    )


def _value(row: Row, columns: FieldMap, name: str) -> Any:
    column: Column | None = getattr(columns, name)
    if column is None:
        return None
    try:
        return column.read(row)
    except (TypeError, ValueError, AttributeError, KeyError):
        raise _RowError(
            name, f"column {column.path!r} cannot be read", "check the field map's transform"
        ) from None


def _text(row: Row, columns: FieldMap, name: str) -> Any:
    value = _value(row, columns, name)
    if value is None and name == "solution":
        return None
    if value is None:
        raise _RowError(name, f"column {_path(columns, name)!r} is missing", _suggest(row))
    if not isinstance(value, str):
        raise _RowError(name, f"it is a {type(value).__name__}", "give a string")
    if not value.strip():
        if name == "solution":
            return None
        raise _RowError(name, "it is blank", "give a non-empty string or remove the row")
    return value


def _answers(row: Row, columns: FieldMap) -> tuple[str, ...]:
    value = _value(row, columns, "answer")
    if value is None:
        raise _RowError(
            "answer", f"column {_path(columns, 'answer')!r} holds no gold answer", _suggest(row)
        )
    several = value if isinstance(value, (list, tuple)) else [value]
    answers = tuple(_answer_text(v) for v in several)
    if not any(answers):
        raise _RowError("answer", "it is empty", "give a gold answer or remove the row")
    return tuple(a for a in answers if a)


def _answer_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _RowError("answer", f"it is a {type(value).__name__}", "give a string or a number")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _hints(row: Row, columns: FieldMap) -> tuple[str, ...]:
    value = _value(row, columns, "hints") or ()
    if isinstance(value, str) or not all(isinstance(v, str) for v in value):
        raise _RowError("hints", "it is not a list of strings", "give a list, vague to telling")
    return tuple(value)


def _number(row: Row, columns: FieldMap) -> float | None:
    value = _value(row, columns, "difficulty")
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise _RowError("difficulty", f"it is a {type(value).__name__}", "give a number") from None


def _identity(row: Row, columns: FieldMap) -> str:
    value = _value(row, columns, "id")
    if not isinstance(value, (str, int, type(None))):
        raise _RowError("id", f"it is a {type(value).__name__}", "give a string or an integer")
    return "" if value is None else str(value)


def _path(columns: FieldMap, name: str) -> str:
    return getattr(columns, name).path


def _suggest(row: Row) -> str:
    fitting = [
        name
        for name in FIELD_MAPS
        if all(_reads(FIELD_MAPS[name], field, row) for field in ("question", "answer"))
    ]
    found = f"the row has {', '.join(map(str, row)) or 'no columns'}"
    return f"{found}: use field_map={fitting[0]!r}" if fitting else f"{found}: pass a FieldMap"


def _reads(columns: FieldMap, name: str, row: Row) -> bool:
    try:
        return bool(_value(row, columns, name))
    except _RowError:
        return False


def _rows(path: str, split: str, config: str | None) -> Iterator[tuple[int, Any]]:
    file = Path(path)
    if file.suffix in (".jsonl", ".json") and file.is_file():
        return _json_rows(file)
    return enumerate(_dataset_rows(path, split, config), start=1)


def _json_rows(file: Path) -> Iterator[tuple[int, Any]]:
    with file.open("rb") as lines:
        if file.suffix == ".json":
            yield from enumerate(_whole_json(file, lines.read()), start=1)
            return
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, _parsed(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are both ValueErrors
        return _RowError(
            "(row)", f"it is not JSON ({type(error).__name__})", "mend or remove the line"
        )


def _whole_json(file: Path, content: bytes) -> list[Any]:
    rows = _parsed(content)
    if not isinstance(rows, list):
        raise DataError(
            f"{file.name} is not a JSON list of objects: use .jsonl for one object a line"
        )
    return rows


def _dataset_rows(path: str, split: str, config: str | None) -> Iterable[Row]:
    exists = Path(path).exists()
    if not exists and (
        path.count("/") != 1 or Path(path).suffix in (".jsonl", ".json", ".parquet")
    ):
        raise DataError(f"nothing is at {path!r}: give a file, a folder or a hub id owner/name")
    try:
        import datasets
    except ImportError:
        raise MissingDependencyError(
            f"reading {path!r} needs the datasets package: pip install 'hdpo_env[data]'"
        ) from None
    if Path(path).suffix == ".parquet":
        return datasets.load_dataset("parquet", data_files=path, split="train", streaming=True)
    if not exists:
        return datasets.load_dataset(path, config, split=split, streaming=True)
    try:
        loaded: Any = datasets.load_from_disk(path)
    except FileNotFoundError as error:
        raise DataError(
            f"{path!r} is not a problem file: give a .jsonl, .json or .parquet file, a folder "
            "written by datasets.save_to_disk, or a hub id owner/name"
        ) from error
    return loaded[split] if isinstance(loaded, Mapping) else loaded
