"""How problems are named on the command line, and outputs kept off inputs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated

import tyro

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems import (
    FIELD_MAPS,
    PROBLEMS,
    FieldMap,
    LoadReport,
    gold_fault,
    load_problems,
)
from hdpo_env.problems.chain import OPERATORS
from hdpo_env.types import Problem
from hdpo_env.verifiers import VERIFIERS

ColumnsOption = Annotated[
    str,
    tyro.conf.arg(help=f"Columns of the file: {', '.join(FIELD_MAPS)}, or question=COL,..."),
]
_FAMILY_SIZE = 1000  # families have no end
_CHAIN = re.compile(r"chain([+#*@])(\d+)")


def check_limit(limit: int | None) -> None:
    """Refuse to read less than one problem.

    Raises:
        ConfigError: the limit is less than 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit is {limit}: choose at least 1, or leave it out to read all")


def check_out(option: str, out: str | Path | None, inputs: Iterable[str | Path]) -> None:
    """Refuse, before any work, an output that cannot be written or that a command reads.

    Its folder is made, so that the work is not lost for want of it.

    Raises:
        ConfigError: it is a folder, the same file as an input by whatever name, or not writable.
    """
    if out is None:
        return
    if Path(out).is_dir():
        raise ConfigError(f"{option} {out} is a folder: name a file")
    for path in map(Path, inputs):
        if path.exists() and Path(out).exists() and path.samefile(out):
            raise ConfigError(f"{option} {out} would overwrite what is read: name another file")
    if not Path(out).exists():
        check_folder(option, Path(out).parent)
    elif not os.access(out, os.W_OK):
        raise ConfigError(f"{option} {out} is read-only: name another file")


def check_folder(option: str, folder: Path) -> None:
    """Make the folder of an output before any work.

    Raises:
        ConfigError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{option}: nothing can be written in {folder} ({error.strerror}): name another place"
        ) from None


def columns_of(field_map: str) -> FieldMap:
    """A field map as it is typed, whose verifier there is.

    Raises:
        ConfigError, RegistryError: it cannot be read, or names what is unknown.
    """
    columns = FieldMap.parse(field_map)
    if isinstance(columns.verifier, str):
        VERIFIERS[columns.verifier]  # before a row is read, let alone sampled for
    return columns


def family_of(data: str) -> str:
    """A chain with operator and length by its name in ``PROBLEMS``; anything else as it is.

    >>> family_of("chain#6"), family_of("linear:level=3")
    ('chain-table:length=6', 'linear:level=3')
    """
    chain = _CHAIN.fullmatch(data)
    return f"chain-{OPERATORS[chain[1]]}:length={chain[2]}" if chain else data


def find_problem(place: str, *, field_map: str = "plain", split: str = "train") -> Problem:
    """One problem by its place: ``FILE:ROW`` (1 is the first row) or ``FAMILY:INDEX``.

    A family is a name of ``PROBLEMS``, with settings or without (``linear:level=3``), or a chain
    with operator and length (``chain#6``).

    Raises:
        DataError: there is no such row, or it cannot be a problem.

    >>> find_problem("chain#6:3") == find_problem("chain-table:3")
    True
    """
    found = re.fullmatch(r"(.+):(-?\d+)", place)
    name, number = found.groups() if found else (place, "")
    if number.startswith("-"):
        raise DataError(
            f"{place}: the index is negative; a family's begin with 0, the rows of a file with 1"
        )
    name = family_of(name)
    if name in PROBLEMS:
        index = int(number or 0)
        problems = PROBLEMS[name](split=split, size=index + 1)
        if index >= len(problems):
            raise DataError(f"{place}: {name} has {len(problems)} problems of split {split!r}")
        return problems[index]
    return _row(name, int(number or 1), field_map, split)


def _row(path: str, row: int, field_map: str, split: str) -> Problem:
    if row < 1:
        raise DataError(f"row {row} of {path}: rows are counted from 1")
    upto = load_problems(path, field_map=field_map, split=split, max_rows=row)
    before = load_problems(path, field_map=field_map, split=split, max_rows=row - 1)
    if len(upto.problems) > len(before.problems):
        return upto.problems[-1]
    if len(upto.bad_rows) > len(before.bad_rows):
        raise DataError(str(upto.bad_rows[-1]))
    if upto.num_bad > before.num_bad:
        raise DataError(f"row {row} of {path} is bad, as are over {len(upto.bad_rows)} before it")
    if upto.num_repeats > before.num_repeats:
        raise DataError(f"row {row} of {path} holds another solution of a problem before it")
    rows = len(before.problems) + before.num_bad + before.num_skipped + before.num_repeats
    raise DataError(f"{path} has no row {row}: it has {rows} or the field map leaves that row out")


def find_problems(
    data: str,
    *,
    field_map: str = "plain",
    split: str,
    limit: int | None,
    seed: int = 0,
    strict: bool = False,
) -> Sequence[Problem]:
    """The problems of `find_report`."""
    report = find_report(
        data, field_map=field_map, split=split, limit=limit, seed=seed, strict=strict
    )
    return report.problems


def find_report(
    data: str,
    *,
    field_map: str = "plain",
    split: str,
    limit: int | None,
    seed: int = 0,
    strict: bool = False,
) -> LoadReport:
    """Up to ``limit`` problems of a file, a hub data set or a family, their golds checked.

    Bad rows are told on standard error, the first ten by line. Without a limit, all rows of a file
    or data set and 1000 problems of a family.

    Raises:
        ConfigError: the limit is less than 1.
        DataError: nothing is there, no row can be a problem, or ``strict`` and one cannot.
    """
    check_limit(limit)
    columns_of(field_map)
    size = _FAMILY_SIZE if limit is None else limit
    if (family := family_of(data)) in PROBLEMS:
        return LoadReport(tuple(PROBLEMS[family](split=split, seed=seed, size=size)), ())
    report = load_problems(
        data, field_map=field_map, split=split, limit=limit, strict=strict, check=gold_fault
    )
    if report.bad_rows:
        print(report.listing(), file=sys.stderr)
    if report == LoadReport((), ()):
        raise DataError(f"{data} holds no rows: give a file with at least one problem")
    if not report.problems:
        raise DataError(f"{data} holds no usable problem: {report}")
    if len(report.problems) == limit:
        print(f"note: stopped at --limit {limit}: {data} may hold more rows", file=sys.stderr)
    return report
