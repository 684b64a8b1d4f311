"""The pool: nothing that an item does may cost another item, the caller, or the machine."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import MathVerifier, VerifierPool
from hdpo_env.verifiers.protocol import Verifier

PAIRS = [(f"so \\boxed{{{i}}}", str(i - i % 2)) for i in range(1_000)]
EXPECTED = [MathVerifier().verify(*pair).outcome for pair in PAIRS]


def outcomes(verdicts: list[Verdict]) -> list[Outcome]:
    return [v.outcome for v in verdicts]


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_dead(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    with VerifierPool(MathVerifier(), workers=2) as shared:
        yield shared


def test_a_pool_is_a_verifier_and_keeps_order(pool: VerifierPool) -> None:
    """The verdicts of a map are those of the plain verifier, in the order of the items."""
    assert isinstance(pool, Verifier)
    assert (pool.name, pool.version) == (MathVerifier().name, MathVerifier().version)
    assert outcomes(pool.map(PAIRS)) == EXPECTED
    assert pool.verify("\\boxed{1}", ["1", "1.0"]).correct is True
    assert pool.map([("so", "5", "length")])[0].outcome is Outcome.TRUNCATED
    assert pool.map([]) == []


def test_many_threads_get_their_own_verdicts(pool: VerifierPool) -> None:
    """Two hundred threads at once: same verdicts as one after the other, no deadlock."""
    with ThreadPoolExecutor(200) as threads:
        jobs = [threads.submit(pool.map, PAIRS[i : i + 100]) for i in range(200)]
        for start, job in enumerate(jobs):
            assert outcomes(job.result(timeout=120)) == EXPECTED[start : start + 100]


def test_thousands_of_awaits_in_flight(pool: VerifierPool) -> None:
    """Two thousand awaited items at once on one event loop get the verdicts of the plain one."""

    async def main() -> list[list[Verdict]]:
        return await asyncio.gather(*(pool.amap([PAIRS[i % 1_000]]) for i in range(2_000)))

    assert [v.outcome for (v,) in asyncio.run(main())] == EXPECTED * 2


def test_the_event_loop_beats_while_an_item_runs(naughty: ModuleType) -> None:
    """A second of judging leaves the loop free for at least ten other things."""

    async def main() -> int:
        beats = 0
        task = asyncio.create_task(pool.amap([("sleep 1", "")]))
        while not task.done():
            await asyncio.sleep(0.01)
            beats += 1
        return beats

    with VerifierPool(naughty.Naughty(), workers=1) as pool:
        assert asyncio.run(main()) >= 10


def test_an_overdue_item_costs_only_itself(naughty: ModuleType) -> None:
    """Sleepers and operations that hold the GIL time out; every neighbour gets its verdict."""
    before = [(f"same {i}", f"same {i}") for i in range(60)]
    after = [(f"other {i}", "") for i in range(60)]
    items = [*before, ("sleep 60", ""), ("bigint", ""), *after]
    with VerifierPool(naughty.Naughty(), workers=2, timeout_s=0.5) as pool:
        got = outcomes(pool.map(items))
        assert got[:60] == [Outcome.CORRECT] * 60
        assert got[60:62] == [Outcome.TIMEOUT] * 2
        assert got[62:] == [Outcome.WRONG] * 60
        assert pool.map([("ok", "ok")])[0].correct is True


def test_time_in_the_queue_does_not_count(naughty: ModuleType) -> None:
    """Twelve items of 0.2 s on one worker take longer than the limit of each; none times out."""
    items = [("sleep 0.2", str(i)) for i in range(12)]
    with VerifierPool(naughty.Naughty(), workers=1, timeout_s=1.0) as pool:
        assert outcomes(pool.map(items)) == [Outcome.WRONG] * 12


def test_what_waits_behind_a_slow_item_is_taken_over(naughty: ModuleType) -> None:
    """Items that were sent to the worker of a slow one finish on the other worker meanwhile."""
    done: list[str] = []

    def quick() -> None:
        pool.map([("ok", str(i)) for i in range(100)])
        done.append("quick")

    def slow() -> None:
        pool.map([("sleep 1.5", ""), ("ok", "1"), ("ok", "2"), ("ok", "3")])
        done.append("slow")

    with VerifierPool(naughty.Naughty(), workers=2, timeout_s=30) as pool:
        pool.map([("ok", "ok")])
        threads = [threading.Thread(target=slow), threading.Thread(target=quick)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert done == ["quick", "slow"]


def test_a_killed_worker_loses_nothing(tmp_path: Path, naughty: ModuleType) -> None:
    """SIGKILL during an item: the item is retried once and the rest is judged as before."""
    flag = tmp_path / "died"
    good = [(f"same {i}", f"same {i}") for i in range(60)]
    items = [*good[:30], (f"die-once {flag}", "x"), *good[30:]]
    with VerifierPool(naughty.Naughty(), workers=2) as pool:
        got = outcomes(pool.map(items))
    assert flag.exists()
    assert got == [Outcome.CORRECT] * 30 + [Outcome.WRONG] + [Outcome.CORRECT] * 30


def test_an_item_that_occurs_often_is_judged_once(naughty: ModuleType) -> None:
    """Of a hundred equal items and another one a lone worker judges two; all get verdicts."""
    with VerifierPool(naughty.Naughty(), workers=1) as pool:
        got = pool.map([("no", "")] * 100 + [("ok", "ok")])
    assert outcomes(got) == [Outcome.WRONG] * 100 + [Outcome.CORRECT]
    assert [v.reason for v in got] == ["call 1"] * 100 + ["call 2"]


def test_an_item_that_kills_twice_is_an_error(naughty: ModuleType) -> None:
    """The second death is ERROR, an abstention; neighbours are judged."""
    with VerifierPool(naughty.Naughty(), workers=2) as pool:
        got = pool.map([("ok", "ok"), ("exit", ""), ("ok", "ok")])
    assert outcomes(got) == [Outcome.CORRECT, Outcome.ERROR, Outcome.CORRECT]
    assert "twice" in got[1].reason


def test_exceptions_memory_and_noise_stay_inside(tmp_path: Path, naughty: ModuleType) -> None:
    """A raise is ERROR with its place, 4 GB are refused, prints and writes do not escape."""
    target = tmp_path / "escaped"
    items = [("raise", ""), ("hog", ""), ("print", ""), (f"write {target}", ""), ("ok", "ok")]
    with VerifierPool(naughty.Naughty(), workers=1, memory_mb=512) as pool:
        got = pool.map(items)
    assert outcomes(got)[:3] == [Outcome.ERROR, Outcome.ERROR, Outcome.WRONG]
    assert "ValueError at naughty.py" in got[0].reason
    assert "memory" in got[1].reason
    assert got[3].outcome is Outcome.ERROR  # the file-size limit is zero
    assert not target.exists() or target.stat().st_size == 0
    assert got[4].correct is True


def test_workers_are_recycled(naughty: ModuleType) -> None:
    """After ``recycle`` items a worker is replaced, and no verdict is lost over it."""
    with VerifierPool(naughty.Naughty(), workers=1, recycle=50) as pool:
        pool.map([("ok", "ok")])
        first = pool.worker_pids()
        for _ in range(4):
            assert (
                outcomes(pool.map([(str(i), str(i)) for i in range(40)])) == [Outcome.CORRECT] * 40
            )
        assert pool.worker_pids() != first


def test_back_pressure_holds_callers_and_lets_them_go(naughty: ModuleType) -> None:
    """With room for ten items, forty threads of five items each all finish."""
    with (
        VerifierPool(naughty.Naughty(), workers=1, max_pending=10) as pool,
        ThreadPoolExecutor(40) as threads,
    ):
        five = [(str(i), str(i)) for i in range(5)]
        jobs = [threads.submit(pool.map, five) for _ in range(40)]
        assert all(outcomes(j.result(timeout=60)) == [Outcome.CORRECT] * 5 for j in jobs)
        many = [(str(i), str(i)) for i in range(50)]
        assert len(pool.map(many)) == 50  # more than the room: admitted alone


def test_cancelled_awaits_give_their_room_back(naughty: ModuleType) -> None:
    """A caller that gives up leaves no items and no reservation behind."""

    async def main() -> None:
        slow = asyncio.create_task(pool.amap([("sleep 20", str(i)) for i in range(3)]))
        waiting = asyncio.create_task(pool.amap([("ok", str(i)) for i in range(3)]))
        await asyncio.sleep(0.3)
        for task in (slow, waiting):
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        got = await asyncio.wait_for(pool.amap([("ok", "ok")]), 30)
        assert got[0].correct is True

    with VerifierPool(naughty.Naughty(), workers=1, timeout_s=1.0, max_pending=3) as pool:
        asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_pool_of_its_own(pool: VerifierPool) -> None:
    """After fork the child judges with new workers and the parent's go on."""
    before = pool.worker_pids()
    child = os.fork()
    if child == 0:
        try:
            good = outcomes(pool.map(PAIRS[:50])) == EXPECTED[:50]
            good = good and not set(pool.worker_pids()) & set(before)
            pool.close()
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert outcomes(pool.map(PAIRS[:50])) == EXPECTED[:50]
    assert pool.worker_pids() == before


def test_a_pickled_pool_works_elsewhere(pool: VerifierPool) -> None:
    """A pool can be sent to another process: it arrives with its settings and no workers."""
    with pickle.loads(pickle.dumps(pool)) as copy:
        assert copy.worker_pids() == []
        assert outcomes(copy.map(PAIRS[:20])) == EXPECTED[:20]


_SCRIPT = """
    import os, signal, sys
    from hdpo_env.verifiers import MathVerifier, VerifierPool
    pool = VerifierPool(MathVerifier(), workers=2)
    pool.map([("\\\\boxed{1}", "1")] * 40)
    print(*pool.worker_pids(), flush=True)
    END
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(0)"])
def test_no_worker_outlives_its_parent(end: str) -> None:
    """Neither SIGKILL of the parent nor an ordinary exit without close leaves an orphan."""
    script = textwrap.dedent(_SCRIPT).replace("END", end)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 2
    assert wait_until_dead(pids)


def test_close_kills_workers_and_fails_what_is_open(naughty: ModuleType) -> None:
    """Closing ends the workers, answers open calls with ERROR, and refuses new ones."""
    pool = VerifierPool(naughty.Naughty(), workers=2)
    got: list[Verdict] = []
    caller = threading.Thread(target=lambda: got.extend(pool.map([("sleep 60", "")])))
    caller.start()
    while not pool.worker_pids():
        time.sleep(0.01)
    time.sleep(0.3)
    pids = pool.worker_pids()
    pool.close()
    caller.join(timeout=30)
    assert outcomes(got) == [Outcome.ERROR]
    assert wait_until_dead(pids)
    with pytest.raises(ConfigError, match="closed"):
        pool.map([("ok", "ok")])
    pool.close()


def test_a_verifier_that_cannot_be_rebuilt_says_so(naughty: ModuleType) -> None:
    """The reason reaches the caller instead of a hang."""
    with VerifierPool(naughty.Unbuildable(), workers=1) as pool:
        verdict = pool.map([("ok", "ok")])[0]
    assert verdict.outcome is Outcome.ERROR
    assert "refuses to be rebuilt" in verdict.reason


def test_a_pool_without_workers_judges_in_process() -> None:
    """``workers=0`` is for tests: no process is started."""
    with VerifierPool(MathVerifier(), workers=0) as pool:
        assert outcomes(pool.map(PAIRS[:10])) == EXPECTED[:10]
        assert asyncio.run(pool.amap(PAIRS[:2]))[1].outcome is EXPECTED[1]
        assert pool.worker_pids() == []


@pytest.mark.parametrize(
    "setting", [{"workers": -1}, {"timeout_s": 0}, {"memory_mb": 1}, {"max_pending": 0}]
)
def test_impossible_settings_are_refused(setting: dict[str, float]) -> None:
    """Every limit has a range and its error names it."""
    with pytest.raises(ConfigError, match="need workers"):
        VerifierPool(MathVerifier(), **setting)  # type: ignore[arg-type]


def test_the_callers_alarm_is_left_alone() -> None:
    """Verifying in process, sympy stage included, neither uses nor clears SIGALRM."""
    fired = []
    before = signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        MathVerifier().verify("\\boxed{(10^9)!}", "5")
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
