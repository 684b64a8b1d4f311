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
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from zlib import crc32

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
_BODY = struct.Struct("<QQIHHHH")
_MAX_COUNT = 0xFFFF


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
            ConfigError: a count is negative or above 65,535, all are 0, or the step does not fit 32
                bits.
        """
        problem = self._keys.get(problem_id) or self._learn(problem_id)
        policy = self._keys.get(self.policy) or self._learn(self.policy)
        try:
            body = _BODY.pack(problem, policy, step, num_correct, num_wrong, num_abstained, 0)
        except struct.error:
            raise ConfigError(
                f"step {step}, counts {num_correct}, {num_wrong}, {num_abstained}: a step must be "
                f"0 to {0xFFFFFFFF}, a count 0 to {_MAX_COUNT}"
            ) from None
        if not (num_correct or num_wrong or num_abstained):
            raise ConfigError(f"a group of {problem_id!r} is empty: note at least one rollout")
        self._buffer += body
        self._buffer += crc32(body).to_bytes(4, "little")
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
        self._cut(int(state["num_events"]))

    def forget_from(self, step: int) -> None:
        """Cut off the first event of ``step`` or a later one and all that follow it.

        For a run that goes on at ``step``, when nothing of the ledger was kept in its checkpoint.
        """
        self.flush()
        self._events.seek(len(HEADER))
        records = np.frombuffer(self._events.read(), RECORD)
        later = np.flatnonzero((records["step"] >= step) & is_sound(records))
        keep = int(later[0]) if len(later) else len(records)
        self._cut(keep)

    def _cut(self, num_events: int) -> None:
        end = len(HEADER) + num_events * RECORD.itemsize
        self._events.truncate(end)
        self._events.seek(end)

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
    """Which records carry the checksum (CRC-32) of what they say."""
    sound = np.empty(len(records), dtype=bool)
    tables, empty = _crc_tables(_BODY.size)
    for start in range(0, len(records), 1 << 14):  # blocks that stay in the processor's cache
        block = records[start : start + (1 << 14)]
        content = block.view(np.uint8).reshape(-1, RECORD.itemsize)
        check = np.full(len(block), empty, dtype=np.uint32)
        for place, table in enumerate(tables):
            check ^= table[content[:, place]]
        sound[start : start + len(block)] = check == block["check"]
    return sound


@cache
def _crc_tables(size: int) -> tuple[np.ndarray, int]:
    # A CRC is affine over bits, so the bytes of a message of known length contribute by XOR.
    empty = crc32(bytes(size))
    tables = np.empty((size, 256), dtype=np.uint32)
    for place in range(size):
        for byte in range(256):
            message = bytearray(size)
            message[place] = byte
            tables[place, byte] = crc32(message) ^ empty
    return tables, empty
