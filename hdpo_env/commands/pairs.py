"""Completions with their gold answers, from the lines of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hdpo_env.commands.dialects import golds_of
from hdpo_env.commands.places import check_limit
from hdpo_env.commands.tally import parquet_lines, refuse_packed
from hdpo_env.errors import DataError

_LABELS: dict[object, bool] = {
    **dict.fromkeys((True, "true", "yes", "correct", "1"), True),
    **dict.fromkeys((False, "false", "no", "wrong", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of a file; ``line`` is its number there, blank lines counted.

    ``gold`` is empty where the line's is null or no text, which verifiers call a bad gold;
    ``is_mislabelled`` says that a label is there which says neither right nor wrong.
    """

    completion: str
    gold: tuple[str, ...]
    label: bool | None
    finish_reason: str | None
    line: int
    is_mislabelled: bool = False


def read_pairs(
    path: Path,
    *,
    completion: str = "completion",
    gold: str = "gold",
    label: str = "correct",
    finish_reason: str = "finish_reason",
    limit: int | None = None,
) -> list[Pair]:
    """The lines of a .jsonl or .parquet file as pairs; a null completion is an empty one.

    Raises:
        ConfigError: ``limit`` is less than 1.
        DataError: the file is missing, broken or empty, or a line lacks a completion or a gold.
    """
    check_limit(limit)
    pairs = []
    for number, row in islice(_rows(path), limit):
        if not isinstance(row, Mapping):
            raise DataError(
                f"{path.name}:{number} is a {type(row).__name__}: give one JSON object a line"
            )
        if not {completion, gold} <= set(row):
            raise DataError(
                f"{path.name}:{number} lacks {completion!r} or {gold!r} (it has {', '.join(row)}): "
                "name the fields with --completion-field and --gold-field"
            )
        said = "" if row[completion] is None else row[completion]
        if isinstance(said, bool) or not isinstance(said, (str, int, float)):
            kind = type(said).__name__
            raise DataError(f"{path.name}:{number}: {completion!r} is a {kind}, not a string")
        reason = row.get(finish_reason)
        pairs.append(
            Pair(
                completion=str(said),
                gold=golds_of(row[gold]) or (),
                label=_label(row.get(label)),
                finish_reason=reason if isinstance(reason, str) else None,
                line=number,
                is_mislabelled=row.get(label) is not None and _label(row[label]) is None,
            )
        )
    if not pairs:
        raise DataError(f"{path} holds no lines to judge")
    return pairs


def _label(value: object) -> bool | None:
    known = value.strip().lower() if isinstance(value, str) else value
    return _LABELS.get(known) if isinstance(known, (str, int, float)) else None


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if str(path) == "-":
        yield from json_lines(sys.stdin.buffer, "standard input")
        return
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder: give a .jsonl or .parquet file of it")
    if not path.exists():
        raise DataError(f"there is no file {str(path)!r}: give a .jsonl or .parquet file")
    if path.suffix == ".parquet":
        yield from json_lines(parquet_lines(path), path.name)
        return
    with path.open("rb") as lines:
        refuse_packed(path, lines)
        yield from json_lines(lines, path.name)


def json_lines(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, Any]]:
    """The number and the value of every line that is not blank.

    Raises:
        DataError: a line is not JSON, or not in UTF-8.
    """
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}:{number} is not JSON ({error})") from None
