"""The child process of a pool: reads items, judges them, writes verdicts. Killable at any time.

Everything that could hang or blow up happens here, behind limits the kernel enforces. Progress is
kept in shared memory (sequence number and start time of the current item), so the parent can see
an overdue item even while this process holds its GIL inside one huge integer operation.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import marshal
import mmap
import os
import pickle
import signal
import struct
import sys
import time
from typing import Any, BinaryIO

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import Verifier, fault, plain

PROGRESS = struct.Struct("=qdq")  # current sequence number, its start time, skip items up to here
HEADER = struct.Struct("=Q")
_FLUSH_S = 0.05  # results wait at most this long in a worker
_PR_SET_PDEATHSIG = 1
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}  # four times faster than Outcome(text)

in_worker = False  # True in a process where a hang costs one item and not the caller


def encode(verdict: Verdict) -> tuple[str, str | None, str, str, float]:
    """A verdict as plain values, so that the parent never unpickles what a worker sent."""
    extracted = None if verdict.extracted is None else plain(verdict.extracted)
    texts = plain(verdict.reason), plain(verdict.stage)
    return verdict.outcome.value, extracted, *texts, float(verdict.ms)


def decode(values: tuple[str, str | None, str, str, float]) -> Verdict:
    """The verdict that `encode` took apart."""
    return Verdict(_OUTCOMES[values[0]], *values[1:])


def read_frame(stream: BinaryIO) -> bytes:
    """One length-prefixed message, or b"" at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return b""
    size: int = HEADER.unpack(header)[0]
    body = stream.read(size)
    return body if len(body) == size else b""


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request
        os._exit(1)


def _limit_resources(memory_mb: int) -> None:
    """Bound memory, forbid core dumps and file growth: no input may have an effect outside."""
    try:
        import resource
    except ImportError:  # not a Unix: only the time limit protects
        return
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0, "RLIMIT_AS": memory_mb << 20}
    for name, limit in wanted.items():
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (limit, limit))


def judge(verifier: Verifier, item: tuple[str, Any, str | None]) -> tuple[Verdict, bool]:
    """A verdict for one item, whatever happens, and whether the process is still healthy.

    Of an exception only its class and place are told: its words may quote the gold.
    """
    completion, gold, finish_reason = item
    try:
        verdict = verifier.verify(completion, gold, finish_reason=finish_reason)
        return decode(encode(verdict)), True  # a verdict of plain values, or it is a fault
    except MemoryError:
        return Verdict(Outcome.ERROR, reason="out of memory", stage="pool"), False
    except Exception as error:  # a verifier should not raise; if it does, it costs one item
        return Verdict(Outcome.ERROR, reason=fault(error), stage="pool"), True


class _Loop:
    """Judges batches until the input ends."""

    def __init__(
        self, verifier: Verifier, source: BinaryIO, sink: BinaryIO, memory: mmap.mmap
    ) -> None:
        self._verifier = verifier
        self._source = source
        self._sink = sink
        self._memory = memory
        self._done: list[tuple[int, Any]] = []
        self._flushed = time.monotonic()

    def send(self, message: Any) -> None:
        body = marshal.dumps(message)
        self._sink.write(HEADER.pack(len(body)) + body)
        self._sink.flush()

    def _flush(self) -> None:
        self.send(self._done)
        self._done = []
        self._flushed = time.monotonic()

    def run(self) -> None:
        while frame := read_frame(self._source):
            for sequence, item in marshal.loads(frame):
                if sequence > PROGRESS.unpack_from(self._memory)[2]:  # not taken back
                    self._one(sequence, item)
            self._flush()

    def _one(self, sequence: int, item: tuple[str, Any, str | None]) -> None:
        now = time.monotonic()
        struct.pack_into(
            "=d", self._memory, 8, now
        )  # time first: never a new item with an old time
        struct.pack_into("=q", self._memory, 0, sequence)
        verdict, healthy = judge(self._verifier, item)
        struct.pack_into("=q", self._memory, 0, 0)
        self._done.append((sequence, encode(verdict)))
        if not healthy or time.monotonic() - self._flushed > _FLUSH_S:
            self._flush()
        if not healthy:
            os._exit(0)


def main(parent: int, memory_fd: int, memory_mb: int) -> None:
    """Entry point of a worker: the verifier comes first on standard input, then batches."""
    global in_worker
    in_worker = True
    _die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to the parent
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # a print must not corrupt the protocol
    loop_memory = mmap.mmap(memory_fd, PROGRESS.size)
    try:
        verifier = pickle.loads(read_frame(source))
    except Exception as error:  # reported to the parent, which tells the caller
        _Loop.send(_Loop(None, source, sink, loop_memory), f"{type(error).__name__}: {error}")  # type: ignore[arg-type]
        return
    _limit_resources(memory_mb)
    loop = _Loop(verifier, source, sink, loop_memory)
    loop.send([])  # ready
    gc.freeze()
    loop.run()
