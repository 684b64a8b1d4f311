"""One worker process as the parent sees it: start, feed, watch, kill."""

from __future__ import annotations

import contextlib
import json
import marshal
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time
from typing import Any

from hdpo_env.verifiers.pool.worker import HEADER, PROGRESS

_PIPE_BYTES = 1 << 19
_BOOT = (
    "import json,sys; sys.path[:]=json.loads(sys.argv[1]); "
    "from hdpo_env.verifiers.pool import worker; worker.main(*map(int,sys.argv[2:]))"
)


def _shared_memory() -> int:
    """A file descriptor of anonymous memory that a child can map too."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("hdpo-progress", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, PROGRESS.size)
    return fd


def _widen(pipe: int) -> None:
    """Room for a whole batch: the parent is then woken once a batch, not once per 64 KiB."""
    # Only Linux has the call, and a user's pipe memory may be used up: the default size works too.
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class WorkerProcess:
    """A child with its pipes (non-blocking here), its progress cell and its unfinished items.

    A fresh interpreter, not a fork: no lock, thread or GPU context of the parent leaks in, no
    ``__main__`` is imported twice, and it works from daemonic processes and Ray actors too.
    """

    def __init__(self, verifier_pickle: bytes, memory_mb: int) -> None:
        path = [entry for entry in sys.path if isinstance(entry, str)]  # as import does
        fd = _shared_memory()
        try:
            self._memory = mmap.mmap(fd, PROGRESS.size)
            arguments = [json.dumps(path), str(os.getpid()), str(fd), str(memory_mb)]
            self.process = subprocess.Popen(
                [sys.executable, "-B", "-c", _BOOT, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(fd,),
                bufsize=0,
            )
        finally:
            os.close(fd)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        _widen(self.stdin)
        self.ready = False
        self.started = self.seen = time.monotonic()  # seen: its last sign of life
        self.holds_suspect = False  # it has one item, which may have killed another worker
        self.finished = 0  # items judged since it started
        self.outstanding: dict[int, Any] = {}  # sequence number -> the pool's own ticket
        self._next = 1
        self._out = bytearray(HEADER.pack(len(verifier_pickle)) + verifier_pickle)
        self._in = bytearray()

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for room in the pipe."""
        return bool(self._out)

    def send(self, batch: list[tuple[Any, Any]], *, is_suspect: bool = False) -> None:
        """Queue a batch of (ticket, item); `pump` writes it as the pipe has room."""
        self.holds_suspect = is_suspect
        self.seen = time.monotonic()
        numbered = []
        for ticket, item in batch:
            self.outstanding[self._next] = ticket
            numbered.append((self._next, item))
            self._next += 1
        body = marshal.dumps(numbered)
        self._out += HEADER.pack(len(body)) + body

    def pump(self) -> None:
        """Write what the pipe takes now."""
        try:
            while self._out:
                del self._out[: os.write(self.stdin, memoryview(self._out)[:_PIPE_BYTES])]
                self.seen = time.monotonic()
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._out.clear()  # its death is noticed on the other pipe

    def receive(self) -> tuple[list[Any], bool]:
        """The messages that arrived, and whether the pipe is still open."""
        is_open = True
        try:
            while chunk := os.read(self.stdout, 1 << 20):
                self._in += chunk
            is_open = False
        except BlockingIOError:
            pass
        messages = []
        while len(self._in) >= HEADER.size:
            end = HEADER.size + HEADER.unpack_from(self._in)[0]
            if len(self._in) < end:
                break
            messages.append(marshal.loads(bytes(self._in[HEADER.size : end])))
            del self._in[:end]
        return messages, is_open

    def current(self) -> tuple[int, float]:
        """Sequence number of the item being judged (0: none) and when its judging began."""
        number: int = PROGRESS.unpack_from(self._memory)[0]  # read before the time, see the worker
        started: float = PROGRESS.unpack_from(self._memory)[1]
        return number, started

    def take_back(self, after: int) -> list[Any]:
        """Withdraw every unfinished item behind ``after``; returns their tickets."""
        struct.pack_into("=q", self._memory, 16, self._next - 1)
        behind = [number for number in self.outstanding if number > after]
        return [self.outstanding.pop(number) for number in behind]

    def kill(self) -> None:
        """SIGKILL, reap, close the pipes."""
        self.process.kill()
        self.process.wait()
        self._close_pipes()

    def disown(self) -> None:
        """In a forked child: close the inherited pipes, so that only the true parent holds them."""
        self.process.returncode = 0  # not our child: never wait for it, never warn about it
        self._close_pipes()

    def _close_pipes(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        if not self._memory.closed:
            self._memory.close()
