"""The cliff ledger: what every problem's groups came to, step by step, never overwritten.

A ledger is a folder with two append-only files for each writer (a rank, a run):

    <writer>.events      a 16-byte header, then 32-byte records: problem, policy, step and counts
    <writer>.names.jsonl {"key": ..., "name": ...}: which problem or policy a key stands for

Keys are hashes of names, so ledgers of several ranks, runs and models are merged by reading them
together. Counts are kept, not means; kinds follow from counts when the ledger is read. A record
torn by a crash is skipped and reported, and the writer that opens the file again cuts it off.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from hdpo_env.errors import CheckpointError, ConfigError, DataError
from hdpo_env.types import Group, content_hash

HEADER = b"hdpo-ledger-1\n\0\0"
RECORD = np.dtype(
    [
        ("problem", "<u8"),
        ("policy", "<u8"),
        ("step", "<u4"),
        ("num_correct", "<u2"),
        ("num_wrong", "<u2"),
        ("num_abstained", "<u2"),
        ("unused", "<u2"),
        ("check", "<u4"),
    ]
)
_PACK = struct.Struct("<QQIHHHHI")
_MAX_COUNT = 0xFFFF
# Odd constants of a multiplicative checksum; it is cheap in Python and in numpy alike.
_MULTIPLIERS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1, 0xD3A2646D, 0xFD7046C5)
_SALT = 0x5F0C1D1F


def key_of(name: str) -> int:
    """The 64-bit key under which a problem id or policy name is kept."""
    return int(content_hash("ledger", name), 16)


class LedgerWriter:
    """Appends events to one writer's files. One process, one writer name.

    Events are buffered; `flush` hands them to the operating system (call it once a step), `sync`
    also waits for the disk.

    Args:
        folder: the ledger; it is created if it does not exist.
        writer: names this writer's files, such as ``rank0``.
        policy: names the model whose rollouts are counted.

    Raises:
        ConfigError: the writer's name cannot be a file name.
        DataError: a file of this name is not a ledger.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with LedgerWriter(folder) as ledger:
    ...     ledger.append("p1", step=0, num_correct=0, num_wrong=8)
    >>> from hdpo_env.cliffs.summary import read_ledger
    >>> read_ledger(folder).num_events
    1
    """

    def __init__(
        self, folder: str | Path, *, writer: str = "rank0", policy: str = "policy"
    ) -> None:
        if not writer.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"writer {writer!r} cannot be a file name: use letters and digits")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._keys: dict[str, int] = {}
        self._events = self._open(self.folder / f"{writer}.events")
        self._names = self._open_names(self.folder / f"{writer}.names.jsonl")
        self.policy = policy
        self._buffer = bytearray()

    def append(
        self,
        problem_id: str,
        *,
        step: int,
        num_correct: int,
        num_wrong: int,
        num_abstained: int = 0,
    ) -> None:
        """Note what one group came to.

        Raises:
            ConfigError: a count is negative or above 65,535, all are 0, or the step does not fit
                32 bits.
        """
        problem = self._keys.get(problem_id) or self._learn(problem_id)
        policy = self._keys.get(self.policy) or self._learn(self.policy)
        if not 0 < (num_correct | num_wrong | num_abstained) <= _MAX_COUNT:
            raise ConfigError(
                f"counts {num_correct}, {num_wrong}, {num_abstained}: each must be 0 to "
                f"{_MAX_COUNT}, and a group has at least one rollout"
            )
        if not 0 <= step <= 0xFFFFFFFF:
            raise ConfigError(f"step {step} does not fit 32 bits")
        low = num_correct | num_wrong << 16
        words = (problem, problem >> 32, policy, policy >> 32, step, low, num_abstained)
        check = sum((w & 0xFFFFFFFF) * m for w, m in zip(words, _MULTIPLIERS, strict=True)) + _SALT
        self._buffer += _PACK.pack(
            problem, policy, step, num_correct, num_wrong, num_abstained, 0, check & 0xFFFFFFFF
        )
        if len(self._buffer) >= 1 << 20:
            self.flush()

    def append_group(self, group: Group, *, step: int) -> None:
        """Note what one group came to, from its verdicts."""
        correct = group.correct
        self.append(
            group.problem.id,
            step=step,
            num_correct=correct.count(True),
            num_wrong=correct.count(False),
            num_abstained=correct.count(None),
        )

    def flush(self) -> None:
        """Hand everything to the operating system: a crash of this process loses nothing."""
        self._names.flush()  # names first: an event must never be readable before its name
        self._events.write(self._buffer)
        self._events.flush()
        self._buffer.clear()

    def sync(self) -> None:
        """Wait until the disk has everything: a crash of the machine loses nothing."""
        self.flush()
        os.fsync(self._names.fileno())
        os.fsync(self._events.fileno())

    def state_dict(self) -> dict[str, int]:
        """Where a checkpoint taken now stands, for `load_state_dict`."""
        self.flush()
        return {"num_events": (self._events.tell() - len(HEADER)) // RECORD.itemsize}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a checkpoint: events that were appended after it are cut off.

        Raises:
            CheckpointError: the file holds fewer events than the checkpoint has seen.
        """
        self.flush()
        wanted = len(HEADER) + int(state["num_events"]) * RECORD.itemsize
        if self._events.tell() < wanted:
            raise CheckpointError(
                f"the ledger in {self.folder.name} has lost events: the checkpoint has "
                f"{state['num_events']}; restore the folder that belongs to it"
            )
        self._events.truncate(wanted)
        self._events.seek(wanted)

    def close(self) -> None:
        """Write what is buffered and close the files."""
        if not self._events.closed:
            self.flush()
            self._events.close()
            self._names.close()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _learn(self, name: str) -> int:
        key = self._keys[name] = key_of(name)
        self._names.write(json.dumps({"key": f"{key:016x}", "name": name}).encode() + b"\n")
        return key

    def _open(self, path: Path) -> BinaryIO:
        if not path.exists() or path.stat().st_size < len(HEADER):
            path.write_bytes(HEADER)
        file = path.open("r+b")
        if file.read(len(HEADER)) != HEADER:
            file.close()
            raise DataError(f"{path.name} is not a ledger of this version: choose another folder")
        size = file.seek(0, os.SEEK_END) - len(HEADER)
        file.truncate(len(HEADER) + size - size % RECORD.itemsize)  # what a crash tore
        file.seek(0, os.SEEK_END)
        return file

    def _open_names(self, path: Path) -> BinaryIO:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self._keys.update({name: key for key, name in parse_names(whole) if name is not None})
        file = path.open("r+b" if path.exists() else "w+b")
        file.truncate(len(whole))
        file.seek(0, os.SEEK_END)
        return file


def parse_names(content: bytes) -> Iterator[tuple[int, str | None]]:
    """Key and name of each line of a names file; line number and None where there is none."""
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
            yield int(row["key"], 16), str(row["name"])
        except (ValueError, KeyError, TypeError):
            yield number, None


def is_sound(records: np.ndarray) -> np.ndarray:
    """Which records carry the checksum of what they say."""
    words = records.view("<u4").reshape(-1, RECORD.itemsize // 4)
    check = np.full(len(records), _SALT, dtype=np.uint32)
    for column, multiplier in enumerate(_MULTIPLIERS):
        check += words[:, column] * np.uint32(multiplier)
    return check == words[:, 7]
