"""The thread that owns a pool's workers: hands out batches, collects verdicts, kills the overdue.

Only this thread touches the workers, so no lock guards them; callers on any thread or event loop
add jobs under one lock and wait on a future.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections import deque

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.pool.items import Item, Job, Ticket, failed
from hdpo_env.verifiers.pool.process import WorkerProcess
from hdpo_env.verifiers.pool.worker import decode
from hdpo_env.verifiers.protocol import fault

_BATCH_ITEMS = 64
_BATCH_CHARS = 1 << 18
_STEAL_S = 0.05  # an item running longer than this lets others take what waits behind it
_START_LIMIT_S = 120.0
_STALL_LIMIT_S = 60.0  # a worker that has items and judges none is no worker
_MAX_START_FAILURES = 3


class _BrokenError(RuntimeError):
    """The pool cannot go on; the sentence says why."""


class Supervisor(threading.Thread):
    """Runs the workers of one pool until it is stopped."""

    def __init__(
        self, verifier_pickle: bytes, workers: int, timeout_s: float, memory_mb: int, recycle: int
    ) -> None:
        super().__init__(name="hdpo-verifier-pool", daemon=True)
        self._pickle = verifier_pickle
        self._size = workers
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._recycle = recycle
        self._lock = threading.RLock()  # stop may be called by the garbage collector
        self._arrived: deque[Job] = deque()
        self._stopping = False
        self._has_ended = False  # its file descriptors are closed, their numbers may be others'
        self._selector = selectors.DefaultSelector()
        try:
            self._wake_read, self._wake_write = os.pipe()
        except OSError:
            self._selector.close()
            raise
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._workers: list[WorkerProcess] = []
        self._open: set[Job] = set()  # every job accepted and not yet done
        self._jobs: deque[Job] = deque()  # those with items that no worker was given
        self._again: deque[Ticket] = deque()  # items taken back or lost with their worker
        self._suspects: deque[Ticket] = deque()  # items that may have killed a worker
        self._failures = 0
        self._failure = ""

    # -- called from any thread ------------------------------------------------------------

    def submit(self, job: Job) -> bool:
        """Add a job, whose future resolves when every item has a verdict; False: it has ended."""
        with self._lock:
            if self._stopping:
                return False
            self._arrived.append(job)
            self._wake()
        return True

    def stop(self) -> None:
        """Kill the workers; items without a verdict get ERROR."""
        with self._lock:
            self._stopping = True
            self._wake()
        if threading.current_thread() is not self and self.is_alive():
            self.join()

    def disown(self) -> None:
        """In a forked child: let go of everything that belongs to the parent's pool."""
        self._lock = threading.RLock()  # another thread may have held it
        self._stopping = True
        for worker in self._workers:
            worker.disown()
        self.release()

    def release(self) -> None:
        """Close the file descriptors of the thread itself."""
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._selector.close()

    def worker_pids(self) -> list[int]:
        """Process ids of the living workers."""
        return [worker.process.pid for worker in list(self._workers)]

    def _wake(self) -> None:
        if not self._has_ended:
            with contextlib.suppress(OSError):
                os.write(self._wake_write, b"!")

    # -- the thread ------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until stopped. Whatever fails here fails what was accepted, and ends the thread."""
        reason = "the pool was closed"
        try:
            while not self._stopping:
                self._accept()
                self._keep_staffed()
                self._hand_out()
                self._wait()
                self._check_clocks()
        except _BrokenError as error:
            reason = str(error)
        except BaseException as error:  # a defect or the system's limits: never a hang
            reason = f"the pool failed and starts afresh: {fault(error)}"
        finally:
            self._end(reason)

    def _end(self, reason: str) -> None:
        with self._lock:
            self._stopping = True
        self._accept()
        for worker in self._workers:
            with contextlib.suppress(Exception):
                worker.kill()
        self._workers.clear()
        self.release()
        self._fail_all(reason)  # last: whoever waits for a verdict may then start anew

    def _accept(self) -> None:
        with self._lock:
            arrived = list(self._arrived)
            self._arrived.clear()
        for job in arrived:
            self._open.add(job)
            self._jobs.append(job)
            job.future.add_done_callback(lambda _, done=job: self._open.discard(done))

    def _keep_staffed(self) -> None:
        has_work = self._has_work()
        while has_work and len(self._workers) < self._size and not self._failure:
            try:
                worker = WorkerProcess(self._pickle, self._memory_mb)
            except OSError:
                if not self._workers:
                    raise
                break  # fewer workers than asked for do as well, more slowly
            self._workers.append(worker)
            self._selector.register(worker.stdout, selectors.EVENT_READ, worker)
        if self._failure and has_work:
            self._fail_all(self._failure)

    def _has_work(self) -> bool:
        return bool(self._jobs or self._again or self._suspects)

    def _fail_all(self, reason: str) -> None:
        for job in list(self._open):
            job.fail(reason)
        for waiting in (self._jobs, self._again, self._suspects):
            waiting.clear()

    def _hand_out(self) -> None:
        for worker in sorted(self._workers, key=lambda w: len(w.outstanding)):
            if len(worker.outstanding) <= _BATCH_ITEMS // 2 and not self._is_stuck(worker):
                if worker.finished >= self._recycle:
                    self._retire(worker)
                    continue
                if not worker.outstanding and (ticket := self._next_suspect()):
                    worker.send([(ticket, ticket[0].items[ticket[1]])], is_suspect=True)
                elif not self._suspects and (batch := self._take(worker)):
                    worker.send(batch)
            self._write(worker)

    def _is_stuck(self, worker: WorkerProcess) -> bool:
        number, started = worker.current()
        return bool(number) and time.monotonic() - started > _STEAL_S

    def _retire(self, worker: WorkerProcess) -> None:
        if not worker.outstanding:
            self._remove(worker)

    def _take(self, worker: WorkerProcess) -> list[tuple[Ticket, Item]]:
        """The next items, few when little is left, so that all workers end together."""
        if worker.outstanding and worker.holds_suspect:
            return []
        waiting = len(self._again) + sum(len(j.items) - j.cursor for j in self._jobs)
        share = max(1, min(_BATCH_ITEMS, -(-waiting // (2 * self._size))))
        batch: list[tuple[Ticket, Item]] = []
        chars = 0
        while len(batch) < share and chars < _BATCH_CHARS and (ticket := self._next_ticket()):
            item = ticket[0].items[ticket[1]]
            chars += len(item[0])
            batch.append((ticket, item))
        return batch

    def _next_suspect(self) -> Ticket | None:
        while self._suspects:
            ticket = self._suspects.popleft()
            if ticket[0].verdicts[ticket[1]] is None and not ticket[0].dropped:
                return ticket
        return None

    def _next_ticket(self) -> Ticket | None:
        while self._again:
            ticket = self._again.popleft()
            if ticket[0].verdicts[ticket[1]] is None and not ticket[0].dropped:
                return ticket
        while self._jobs:
            job = self._jobs[0]
            if job.dropped or job.cursor >= len(job.items):
                self._jobs.popleft()
                continue
            job.cursor += 1
            if job.cursor % _BATCH_ITEMS == 0:
                self._jobs.rotate(-1)  # nobody's thousand items starve another's one
            return job, job.cursor - 1
        return None

    def _write(self, worker: WorkerProcess) -> None:
        worker.pump()
        keys = self._selector.get_map()
        if worker.wants_to_write and worker.stdin not in keys:
            self._selector.register(worker.stdin, selectors.EVENT_WRITE, worker)
        elif not worker.wants_to_write and worker.stdin in keys:
            self._selector.unregister(worker.stdin)

    def _wait(self) -> None:
        busy = self._has_work() or any(w.outstanding or not w.ready for w in self._workers)
        for key, _ in self._selector.select(_STEAL_S if busy else None):
            if key.fd == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 1 << 16)
            elif key.data in self._workers and key.fd == key.data.stdout:
                self._read(key.data)

    def _read(self, worker: WorkerProcess) -> None:
        messages, is_open = worker.receive()
        worker.seen = time.monotonic()
        for message in messages:
            if isinstance(message, str):
                self._failure = f"the verifier cannot be rebuilt in a worker: {message}"
                continue
            worker.ready = True
            self._failures = 0
            for number, values in message:
                ticket = worker.outstanding.pop(number, None)
                worker.finished += 1
                if ticket is not None:
                    ticket[0].settle(ticket[1], decode(values))
        if not is_open:
            self._bury(worker, "its worker process died")

    def _check_clocks(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if not worker.ready:
                if now - worker.started > _START_LIMIT_S:
                    self._bury(worker, "its worker process did not start")
                continue
            number, started = worker.current()
            if number not in worker.outstanding:
                if worker.outstanding and now - worker.seen > _STALL_LIMIT_S:
                    self._bury(worker, "its worker process stood still")
                continue
            worker.seen = now
            if now - started > self._timeout_s:
                self._time_out(worker, number)
            elif now - started > _STEAL_S and len(worker.outstanding) > 1:
                self._again.extendleft(reversed(worker.take_back(number)))

    def _time_out(self, worker: WorkerProcess, number: int) -> None:
        job, index = worker.outstanding.pop(number)
        reason = f"not decided within {self._timeout_s:g} s"
        milliseconds = 1e3 * self._timeout_s
        job.settle(index, Verdict(Outcome.TIMEOUT, None, reason, "pool", milliseconds))
        self._again.extendleft(reversed(worker.outstanding.values()))
        worker.outstanding.clear()
        self._remove(worker)

    def _bury(self, worker: WorkerProcess, cause: str) -> None:
        """A worker died by itself: retry the item it died on once and alone, the others as before.

        Between two items (it could not even read one, or tell a verdict) any may be the culprit.
        """
        if not worker.ready:
            self._count_start_failure()
        number, _ = worker.current()
        suspects = [number] if number in worker.outstanding else list(worker.outstanding)
        for number in suspects if worker.ready else ():
            job, index = ticket = worker.outstanding.pop(number)
            job.attempts[index] = job.attempts.get(index, 0) + 1
            if job.attempts[index] > 1:
                job.settle(index, failed(f"{cause} on this item, twice"))
            else:
                self._suspects.append(ticket)
        self._again.extendleft(reversed(worker.outstanding.values()))
        worker.outstanding.clear()
        self._remove(worker)

    def _count_start_failure(self) -> None:
        self._failures += 1
        if self._failures >= _MAX_START_FAILURES and not self._failure:
            raise _BrokenError("workers die before they are ready; see their standard error")

    def _remove(self, worker: WorkerProcess) -> None:
        for fd in (worker.stdin, worker.stdout):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        self._workers.remove(worker)
        worker.kill()
