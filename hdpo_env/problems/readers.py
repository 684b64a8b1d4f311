"""Rows of files, folders and hub data sets, one after the other, each with its line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hdpo_env.errors import DataError, MissingDependencyError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """A line that is no row: what is wrong with it."""

    fault: str
    remedy: str = "mend or remove the line"


def read_rows(path: str, split: str, config: str | None) -> Iterator[tuple[int, Any]]:
    """Line (or row) numbers from 1, each with what stands there.

    Raises:
        DataError: nothing is at this path, or it is not a problem file.
        MissingDependencyError: the path needs the ``datasets`` package.
    """
    file = Path(path)
    if file.suffix in (".jsonl", ".json") and file.is_file():
        return _json_rows(file)
    return enumerate(_whole(path, split, config), start=1)


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
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, brackets without end
        return Unreadable(f"it is not JSON ({type(error).__name__})")


def _whole_json(file: Path, content: bytes) -> list[Any]:
    rows = _parsed(content)
    if isinstance(rows, Unreadable):
        raise DataError(f"{file.name}: {rows.fault}; mend the file, or use .jsonl")
    if not isinstance(rows, list):
        raise DataError(
            f"{file.name} is not a JSON list of objects: use .jsonl for one object a line"
        )
    return rows


def _whole(path: str, split: str, config: str | None) -> Iterator[Row]:
    try:
        yield from _dataset_rows(path, split, config)
    except DataError:
        raise
    except (ValueError, OSError) as error:  # no parquet, or a folder of files that differ
        why = str(error).partition("\n")[0]
        raise DataError(
            f"{path!r} cannot be read ({why}): mend it, or give one .jsonl, .json or .parquet file"
        ) from error


def _dataset_rows(path: str, split: str, config: str | None) -> Iterable[Row]:
    exists = Path(path).exists()
    if not exists and (
        path.count("/") != 1 or Path(path).suffix in (".jsonl", ".json", ".parquet")
    ):
        raise DataError(f"nothing is at {path!r}: {_advice(path)}")
    if exists and not Path(path).is_dir() and Path(path).suffix != ".parquet":
        raise _no_problem_file(path)
    try:
        import datasets
    except ImportError:
        raise MissingDependencyError(
            f"reading {path!r} needs the datasets package: pip install 'hdpo_env[data]'"
        ) from None
    if Path(path).suffix == ".parquet":
        return datasets.load_dataset("parquet", data_files=path, split="train", streaming=True)
    if not exists:
        return _hub_rows(datasets, path, split, config)
    return _folder_rows(datasets, path, split, config)


def _advice(path: str) -> str:
    """What to give instead of a path or name where nothing is."""
    if "/" in path or Path(path).suffix:
        return "give a file, a folder or a hub id owner/name"
    from hdpo_env.problems.known import DATASETS
    from hdpo_env.problems.source import PROBLEMS  # its families are made, the sample is read here

    if path in PROBLEMS:
        return (
            "it is a family, whose problems are made, not read: give a file, a folder or a hub id"
        )
    near = difflib.get_close_matches(path, [*PROBLEMS, *DATASETS], 1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? Else " if near else ""
    return f"{guess}give a file, a folder, a hub id owner/name, or one of: {', '.join(PROBLEMS)}"


def _hub_rows(datasets: Any, path: str, split: str, config: str | None) -> Iterable[Row]:
    try:
        return datasets.load_dataset(path, config, split=split, streaming=True)
    except (OSError, ValueError) as error:  # not there, gated, offline; unknown split or config
        raise DataError(
            f"{path!r} cannot be opened on the hub ({error}): check the name, the split {split!r} "
            f"and config {config!r}, log in if it is gated, or give the folder of a download"
        ) from error


def _folder_rows(datasets: Any, path: str, split: str, config: str | None) -> Iterable[Row]:
    """A folder that ``save_to_disk`` wrote, or a copy of a hub data set with its data files."""
    try:
        loaded: Any = datasets.load_from_disk(path)
    except FileNotFoundError:
        try:
            folder = str(Path(path).resolve())  # "." has no name to call a data set by
            return datasets.load_dataset(folder, config, split=split, streaming=True)
        except (FileNotFoundError, ValueError) as error:  # no data files, or of no one format
            raise _no_problem_file(path) from error
    if not isinstance(loaded, Mapping):
        return loaded
    if split not in loaded:
        raise DataError(f"{path!r} has no split {split!r}: choose one of {', '.join(loaded)}")
    return loaded[split]


def _no_problem_file(path: str) -> DataError:
    return DataError(
        f"{path!r} is not a problem file: give a .jsonl, .json or .parquet file, a folder "
        "written by datasets.save_to_disk, or a hub id owner/name"
    )
