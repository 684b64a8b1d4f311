"""Rows of files, folders and hub data sets, one after the other, each with its file and line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hdpo_env.errors import DataError, MissingDependencyError
from hdpo_env.problems.files import READERS, Unreadable, read_file

Row = Mapping[str, Any]
Placed = tuple[str, int, Any]

_KINDS = "a .jsonl, .json, .csv or .parquet file"


def read_rows(path: str, split: str, config: str | None) -> Iterator[Placed]:
    """Each row with the name of its file and its line (or row) number, from 1.

    Raises:
        DataError: nothing is at this path, it is not a problem file, or it has no such split.
        MissingDependencyError: the path needs the ``datasets`` or ``pyarrow`` package.
    """
    place = Path(path)
    if place.is_file():
        if place.suffix not in READERS:
            raise _no_problem_file(path)
        yield from ((place.name, line, row) for line, row in read_file(place))
        return
    if not place.exists() and (path.count("/") != 1 or place.suffix in READERS):
        raise DataError(f"nothing is at {path!r}: {_advice(path)}")
    try:
        import datasets
    except ImportError:
        raise MissingDependencyError(
            f"reading {path!r} needs the datasets package: pip install 'hdpo_env[data]'"
        ) from None
    if place.exists():
        yield from _folder_rows(datasets, path, split, config)
    else:
        yield from _numbered(path, _hub_rows(datasets, path, split, config))


def _numbered(path: str, rows: Iterable[Row]) -> Iterator[Placed]:
    try:
        yield from ((Path(path).name, line, row) for line, row in enumerate(rows, start=1))
    except DataError:
        raise
    except (ValueError, OSError) as error:
        why = str(error).partition("\n")[0]
        raise DataError(f"{path!r} cannot be read ({why}): mend it, or give {_KINDS}") from error


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


def _folder_rows(datasets: Any, path: str, split: str, config: str | None) -> Iterator[Placed]:
    """A folder that ``save_to_disk`` wrote, or a copy of a hub data set with its data files."""
    try:
        saved: Any = datasets.load_from_disk(path)
    except FileNotFoundError:
        yield from _copy_rows(datasets, path, split, config)
        return
    except (ValueError, OSError) as error:
        raise DataError(f"{path!r} cannot be read ({error}): save it again") from error
    if isinstance(saved, Mapping):
        saved = saved[_chosen(path, "split", split, list(saved))]
    yield from _numbered(path, saved)


def _copy_rows(datasets: Any, path: str, split: str, config: str | None) -> Iterator[Placed]:
    """``datasets`` says which files a split has; we read them, so that a fault costs one row."""
    folder = Path(path).resolve()  # "." has no name to call a data set by
    try:
        if config is not None:
            _chosen(path, "configuration", config, datasets.get_dataset_config_names(str(folder)))
        builder = datasets.load_dataset_builder(str(folder), config)
    except DataError:
        raise
    except FileNotFoundError as error:  # no data files
        raise _no_problem_file(path) from error
    except (ValueError, OSError) as error:  # files of no one format, several configurations
        why = str(error).partition("\n")[0]
        raise DataError(f"{path!r} cannot be read ({why}): give one file of it") from error
    by_split = {str(name): files for name, files in (builder.config.data_files or {}).items()}
    files = [Path(file) for file in by_split[_chosen(path, "split", split, list(by_split))]]
    if any(file.suffix not in READERS for file in files):
        rows = datasets.load_dataset(str(folder), config, split=split, streaming=True)
        yield from _numbered(path, rows)
        return
    for file in files:
        name = str(file.relative_to(folder) if file.is_relative_to(folder) else file.name)
        try:
            yield from ((name, line, row) for line, row in read_file(file))
        except DataError as error:  # one broken file does not cost the others
            yield name, 1, Unreadable(str(error), "mend or remove the file")


def _chosen(path: str, what: str, wanted: str, there: Sequence[str]) -> str:
    if wanted not in there:
        raise DataError(f"{path!r} has no {what} {wanted!r}: choose one of {', '.join(there)}")
    return wanted


def _no_problem_file(path: str) -> DataError:
    return DataError(
        f"{path!r} is not a problem file: give {_KINDS}, a folder "
        "written by datasets.save_to_disk, or a hub id owner/name"
    )
