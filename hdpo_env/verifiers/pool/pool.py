"""VerifierPool: any verifier behind killable worker processes, for threads, asyncio and actors."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.types import Verdict
from hdpo_env.verifiers.pool.items import Item, Job, normal, spread
from hdpo_env.verifiers.pool.supervisor import Supervisor
from hdpo_env.verifiers.pool.worker import judge
from hdpo_env.verifiers.protocol import Verifier, fault

_living: weakref.WeakSet[VerifierPool] = weakref.WeakSet()
PoolItem = tuple[str, "str | Sequence[str]"] | tuple[str, "str | Sequence[str]", "str | None"]


class VerifierPool:
    """Judges items in ``workers`` processes; each item has ``timeout_s`` from when one starts it.

    An overdue item is TIMEOUT and its worker is killed and replaced; an item whose worker dies is
    retried once and then ERROR; all other items are judged as if nothing had happened. Order is
    kept. A fault of the pool itself is ERROR for what it held, and the next call starts afresh.
    A pool is itself a `Verifier`. It may be shared by threads and event loops; a forked
    or unpickled copy starts workers of its own. Workers die with the process that owns them.

    Args:
        verifier: judges one item; picklable, defined in an importable module.
        workers: number of processes; 0 judges in this process without any limit (for tests).
        timeout_s: seconds per item, queueing not counted.
        memory_mb: address space of one worker.
        max_pending: items accepted before ``map`` waits (back-pressure).
        recycle: a worker is replaced after this many items.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(
        self,
        verifier: Verifier,
        workers: int = 2,
        timeout_s: float = 5.0,
        memory_mb: int = 1024,
        *,
        max_pending: int = 100_000,
        recycle: int = 50_000,
    ) -> None:
        if workers < 0 or not timeout_s > 0 or memory_mb < 256 or max_pending < 1 or recycle < 1:
            raise ConfigError(
                f"workers={workers}, timeout_s={timeout_s}, memory_mb={memory_mb}, "
                f"max_pending={max_pending}, recycle={recycle}: need workers >= 0, timeout_s > 0, "
                "memory_mb >= 256 and the last two >= 1"
            )
        self._verifier = verifier
        self._settings = (workers, timeout_s, memory_mb, max_pending, recycle)
        self._closed = False
        self._reset()
        _living.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._room = self._settings[3]
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        self._supervisor: Supervisor | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._verifier, *self._settings)

    @property
    def name(self) -> str:
        """The verifier's name."""
        return self._verifier.name

    @property
    def version(self) -> str:
        """The verifier's version."""
        return self._verifier.version

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one item in a worker."""
        return self.map([(completion, gold, finish_reason)])[0]

    def map(self, items: Iterable[PoolItem]) -> list[Verdict]:
        """Verdicts of (completion, gold) or (completion, gold, finish_reason) items, in order.

        What is no such item, or whose completion is no text, is ERROR and costs no other item.
        """
        rows = [normal(item) for item in items]
        distinct = _distinct(rows)  # an item that occurs twice is judged once
        if not distinct or self._settings[0] == 0:
            return spread(rows, distinct, [judge(self._verifier, item)[0] for item in distinct])
        ticket = self._reserve(len(distinct))
        try:
            ticket.result()
        except BaseException:
            self._give_up(ticket, len(distinct))
            raise
        job = self._submit(distinct)
        try:
            return spread(rows, distinct, job.future.result())
        except BaseException:
            job.drop()
            raise

    async def amap(self, items: Iterable[PoolItem]) -> list[Verdict]:
        """`map` for asyncio: awaits room and verdicts without blocking the event loop."""
        rows = [normal(item) for item in items]
        distinct = _distinct(rows)
        if not distinct or self._settings[0] == 0:
            return spread(rows, distinct, [judge(self._verifier, item)[0] for item in distinct])
        ticket = self._reserve(len(distinct))
        try:
            await asyncio.wrap_future(ticket)
        except BaseException:
            self._give_up(ticket, len(distinct))
            raise
        job = self._submit(distinct)
        try:
            return spread(rows, distinct, await asyncio.wrap_future(job.future))
        except BaseException:
            job.drop()
            raise

    def close(self) -> None:
        """Kill the workers; unfinished items get ERROR. Closing twice is fine."""
        with self._lock:
            self._closed = True
            supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.stop()

    def __enter__(self) -> VerifierPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are alive now."""
        return self._supervisor.worker_pids() if self._supervisor else []

    def _submit(self, rows: list[Item]) -> Job:
        job = Job(rows)
        job.future.add_done_callback(lambda _: self._release(len(rows)))
        try:
            with self._lock:
                failure = self._hand_over(job)
        except BaseException:
            job.drop()
            raise
        if failure:  # outside the lock: callbacks may come back here
            job.fail(failure)
        return job

    def _hand_over(self, job: Job) -> str:
        """Give a job to the supervisor, a new one if need be; why none can be had, or ""."""
        if self._closed:
            raise ConfigError("this verifier pool is closed; make a new one")
        if self._supervisor is not None and self._supervisor.submit(job):
            return ""
        blob = self._pickled()
        try:
            self._supervisor = self._start(blob, job)
        except (OSError, RuntimeError) as error:  # no file, process or thread to be had now
            self._supervisor = None
            return f"the pool cannot start: {fault(error)}"
        return ""

    def _pickled(self) -> bytes:
        try:
            return pickle.dumps(self._verifier)
        except Exception as error:
            raise ConfigError(
                f"{self.name!r} cannot be sent to a worker ({type(error).__name__}: {error}): "
                "define the verifier in an importable module and give it what can be pickled"
            ) from error

    def _start(self, blob: bytes, job: Job) -> Supervisor:
        workers, timeout_s, memory_mb, _, recycle = self._settings
        supervisor = Supervisor(blob, workers, timeout_s, memory_mb, recycle)
        supervisor.submit(job)  # before it runs: if it fails at once, it fails this job too
        try:
            supervisor.start()
        except RuntimeError:
            supervisor.release()
            raise
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, supervisor.stop)
        return supervisor

    def _reserve(self, count: int) -> Future[None]:
        """A future that resolves when ``count`` more items may wait; first come, first served."""
        ticket: Future[None] = Future()
        with self._lock:
            self._waiting.append((count, ticket))
        self._release(0)
        return ticket

    def _give_up(self, ticket: Future[None], count: int) -> None:
        """Take a reservation back, also one that was granted at the last moment."""
        if not ticket.cancel() and not ticket.cancelled():
            self._release(count)

    def _release(self, count: int) -> None:
        admitted = []
        limit = self._settings[3]
        with self._lock:
            self._room += count
            while self._waiting and min(self._waiting[0][0], limit) <= self._room:
                wanted, ticket = self._waiting.popleft()
                self._room -= wanted
                admitted.append((wanted, ticket))
        for wanted, ticket in admitted:  # outside the lock: callbacks may come back here
            if ticket.set_running_or_notify_cancel():
                ticket.set_result(None)
            else:  # the caller gave up while it waited
                self._release(wanted)


def _distinct(rows: Sequence[Item | Verdict]) -> list[Item]:
    return list(dict.fromkeys(row for row in rows if not isinstance(row, Verdict)))


def _rebuild(
    verifier: Verifier, workers: int, timeout_s: float, memory_mb: int, pending: int, recycle: int
) -> VerifierPool:
    return VerifierPool(
        verifier, workers, timeout_s, memory_mb, max_pending=pending, recycle=recycle
    )


def _after_fork() -> None:
    """A forked child shares nothing with the parent's pools: fresh locks, workers on demand."""
    for pool in list(_living):
        supervisor = pool._supervisor
        pool._reset()
        if supervisor is not None:
            supervisor.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
