"""The rows of one file: JSON lines, a JSON list, a table of separated values, or parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hdpo_env.errors import DataError, MissingDependencyError

Numbered = Iterator[tuple[int, Any]]


@dataclass(frozen=True)
class Unreadable:
    """A line that is no row: what is wrong with it."""

    fault: str
    remedy: str = "mend or remove the line"


def read_file(file: Path) -> Numbered:
    """Line (or row) numbers from 1, each with what stands there; blank lines are passed over.

    Raises:
        DataError: the file as a whole cannot be read.
        MissingDependencyError: parquet needs pyarrow, which is not installed.
    """
    return READERS[file.suffix](file)


def _lines(file: Path) -> Numbered:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, _parsed(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, brackets without end
        return Unreadable(f"it is not JSON ({type(error).__name__})")


def _json(file: Path) -> Numbered:
    content = file.read_bytes()
    rows = _parsed(content)
    if isinstance(rows, list):
        yield from enumerate(rows, start=1)
    elif not isinstance(rows, Unreadable):
        raise DataError(
            f"{file.name} is not a JSON list of objects: use .jsonl for one object a line"
        )
    elif isinstance(_parsed(content.lstrip().partition(b"\n")[0]), Mapping):
        yield from _lines(file)  # many people's .json
    else:
        raise DataError(f"{file.name}: {rows.fault}; mend the file, or use .jsonl")


def _table(file: Path) -> Numbered:
    # Broken bytes become half characters, which cost the row that has them.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        table = csv.reader(text, delimiter="\t" if file.suffix == ".tsv" else ",", strict=True)
        try:
            header = next(table, [])
        except csv.Error as error:
            raise DataError(f"{file.name}: its first line names no columns ({error})") from None
        while True:
            number = table.line_num + 1
            try:
                values = next(table, None)
            except csv.Error as error:
                yield number, Unreadable(f"it is no line of a table ({error})")
                continue
            if values is None:
                return
            if values:
                yield number, _cells(header, values)


def _cells(header: list[str], values: list[str]) -> dict[str, str | None] | Unreadable:
    if len(values) > len(header):
        told = f"it has {len(values)} values for {len(header)} columns"
        return Unreadable(told, "quote the value that holds a separator")
    # Every value is text, so 007 stays 007; an empty one is none.
    return {name: value or None for name, value in zip(header, values, strict=False)}


def _parquet(file: Path) -> Numbered:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"reading {file.name!r} needs pyarrow: pip install 'hdpo_env[data]'"
        ) from None
    if not file.stat().st_size:
        raise DataError(f"{file.name!r} is empty, not even a parquet file: write it again")
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise DataError(
            f"{file.name!r} cannot be read after row {number} ({why}): mend it, or write it again"
        ) from error


READERS: dict[str, Callable[[Path], Numbered]] = {
    ".jsonl": _lines,
    ".json": _json,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}
