"""Files of rollouts -> counts per group, on all cores where a file is large.

Every line is counted or reported with its number; nothing is dropped in silence.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from hdpo_env.commands.rollout_lines import (
    LOOKED_AT,
    GroupKey,
    LineError,
    LineFormat,
    LineReader,
    NoObjectError,
    first_rows,
)
from hdpo_env.errors import DataError, MissingDependencyError

MAX_NAMED = 10  # faults that are kept with their line unless all are asked for
_BITS = 40  # counts of three outcomes in one integer: a group costs one dict entry
_ONE = {True: 1, False: 1 << _BITS, None: 1 << 2 * _BITS}
Part = tuple[Path, int, int, LineFormat, int]  # a file from one byte to another, faults to keep
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": "parquet",
}
PART_BYTES = 32 << 20  # what one process reads at a time; smaller files stay in this process


_P = TypeVar("_P")
_R = TypeVar("_R")


class Fault(NamedTuple):
    """A line that could not be counted."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass
class Tally:
    """Counts per group, and what could not be counted.

    A group is the rollouts of one problem in one step; lines without a step are of one step.
    """

    groups: dict[GroupKey, int] = field(default_factory=dict)
    num_read: int = 0  # lines of the files, blank ones included
    num_lines: int = 0
    num_malformed: int = 0
    num_no_object: int = 0  # of the malformed ones: lines that are no JSON object
    num_left_out: int = 0  # lines of other filters than the one that counts
    other_filters: set[str] = field(default_factory=set)  # theirs
    num_privileged: int = 0  # rollouts that saw privileged context, which count in no group
    formats: dict[str, LineFormat] = field(default_factory=dict)  # by file, as they were recognised
    faults: list[Fault] = field(default_factory=list)  # the first ``max_faults`` of them
    max_faults: int = MAX_NAMED
    shaped_rewards: set[float] = field(default_factory=set)
    fields_found: tuple[str, ...] = ()  # of the first line that lacks what it needs

    def counts(self) -> Iterator[tuple[GroupKey, tuple[int, int, int]]]:
        """Each group with its (correct, wrong, abstained) rollouts."""
        mask = (1 << _BITS) - 1
        for key, packed in self.groups.items():
            yield key, (packed & mask, packed >> _BITS & mask, packed >> 2 * _BITS)

    def add(self, other: Tally) -> None:
        """Add what another tally counted; its line numbers continue where this one's end."""
        for key, packed in other.groups.items():
            self.groups[key] = self.groups.get(key, 0) + packed
        room = max(0, self.max_faults - len(self.faults))
        self.faults += [f._replace(line=f.line + self.num_read) for f in other.faults[:room]]
        self.num_read += other.num_read
        self.num_lines += other.num_lines
        self.num_malformed += other.num_malformed
        self.num_no_object += other.num_no_object
        self.num_left_out += other.num_left_out
        self.other_filters |= other.other_filters
        self.num_privileged += other.num_privileged
        self.formats |= other.formats
        self.shaped_rewards |= other.shaped_rewards
        self.fields_found = self.fields_found or other.fields_found


def tally_lines(
    lines: Iterable[bytes], name: str, line_format: LineFormat, max_faults: int = MAX_NAMED
) -> Tally:
    """Count the lines of one stream, whose format is settled."""
    tally, read = Tally(max_faults=max_faults), LineReader(line_format)
    groups, number, num_empty = tally.groups, 0, 0
    for number, line in enumerate(lines, start=1):
        try:
            rollouts = read(line)
            for key, correct, times in rollouts:
                groups[key] = groups.get(key, 0) + _ONE[correct] * times
            num_empty += not rollouts
        except LineError as error:
            if not line.strip():
                tally.num_lines -= 1
                continue
            tally.num_malformed += 1
            tally.num_no_object += isinstance(error, NoObjectError)
            tally.fields_found = tally.fields_found or error.found
            if len(tally.faults) < max_faults:
                tally.faults.append(Fault(name, number, str(error)))
    tally.num_read = number
    tally.num_lines += number
    tally.shaped_rewards = read.shaped_rewards
    tally.other_filters = read.other_filters
    tally.num_privileged = read.num_privileged
    tally.num_left_out = num_empty - read.num_privileged
    return tally


def tally_stream(
    stream: Iterable[bytes], name: str, line_format: LineFormat, max_faults: int = MAX_NAMED
) -> Tally:
    """Count the lines of a stream that can be read once only, after looking at the first ones."""
    lines = iter(stream)
    head = list(islice(lines, LOOKED_AT))
    settled = line_format.settled(first_rows(head))
    tally = tally_lines(chain(head, lines), Path(name).name, settled, max_faults)
    tally.formats[name] = settled
    return tally


def tally_file(
    path: Path,
    line_format: LineFormat,
    *,
    part_bytes: int = PART_BYTES,
    max_faults: int = MAX_NAMED,
) -> Tally:
    """Count the lines of one file, or the rows of a parquet file.

    A file of several parts is read by all cores.

    Raises:
        OSError: the file cannot be read.
        DataError: it is packed, or a broken parquet file.
        MissingDependencyError: it is a parquet file and pyarrow is not installed.
    """
    if path.suffix == ".parquet":
        return tally_stream(parquet_lines(path), str(path), line_format, max_faults)
    size = path.stat().st_size
    if not path.is_file():
        with path.open("rb") as file:
            return tally_stream(file, str(path), line_format, max_faults)
    with path.open("rb") as file:
        refuse_packed(path, file)
        line_format = line_format.settled(first_rows(islice(file, LOOKED_AT)))
    parts = [(path, *ends, line_format, max_faults) for ends in cut(size, part_bytes)]
    whole = Tally(formats={str(path): line_format}, max_faults=max_faults)
    for tally in in_processes(_tally_part, parts):
        whole.add(tally)
    return whole


def cut(size: int, part_bytes: int = PART_BYTES) -> list[tuple[int, int]]:
    """Where the parts of a file of this size begin and end.

    >>> cut(70, 32)
    [(0, 32), (32, 64), (64, 70)]
    """
    return [(at, min(at + part_bytes, size)) for at in range(0, size, part_bytes)]


def refuse_packed(path: Path, file: BinaryIO) -> None:
    """Refuse a file that begins as packed ones do; the stream stands where it stood.

    Raises:
        DataError: it has to be unpacked first, or is parquet by another name.
    """
    head = file.peek(4) if isinstance(file, BufferedReader) else b""
    kind = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    if kind == "parquet":
        raise DataError(f"{path} is a parquet file: let its name end in .parquet")
    if kind:
        raise DataError(f"{path} is a {kind} file: unpack it first")


def parquet_lines(path: Path) -> Iterator[bytes]:
    """The rows of a parquet file as JSON lines.

    Raises:
        DataError: it is no parquet file, or a broken one.
        OSError: the file cannot be opened.
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingDependencyError(
            f"{path.name} is a parquet file, which needs pyarrow: pip install 'hdpo_env[data]'"
        ) from error
    with path.open("rb") as stream:  # whose errors name the file
        try:
            for batch in ParquetFile(stream).iter_batches():
                for row in batch.to_pylist():
                    yield json.dumps(row, default=str).encode()
        except (ArrowException, OSError) as error:
            why = str(error).partition("\n")[0]
            raise DataError(f"{path} is no whole parquet file ({why}): write it again") from error


def in_processes(work: Callable[[_P], _R], parts: Sequence[_P]) -> Iterator[_R]:
    """The work's results in the order of the parts, from all cores where there are several parts.

    Children leave Ctrl-C to this process, which then waits for no part that has not begun.
    """
    if len(parts) < 2:
        yield from map(work, parts)
        return
    pool = ProcessPoolExecutor(
        min(len(parts), os.cpu_count() or 1),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield from pool.map(work, parts)
    finally:
        pool.shutdown(cancel_futures=True)


def _tally_part(part: Part) -> Tally:
    path, start, end, line_format, max_faults = part
    with path.open("rb") as file:
        return tally_lines(lines_between(file, start, end), path.name, line_format, max_faults)


def lines_between(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The lines that begin in ``start <= position < end``; parts of a file share no line."""
    at = start
    if start:
        # A line begins at ``start`` only if the byte before ends one.
        file.seek(start - 1)
        at = start - 1 + len(file.readline())
    while at < end and (line := file.readline()):
        at += len(line)
        yield line
