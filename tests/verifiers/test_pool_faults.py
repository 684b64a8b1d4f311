"""Odd items, odd verdicts and a failing system: each costs only itself, and no call hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import MathVerifier, VerifierPool
from hdpo_env.verifiers.pool import supervisor as supervisor_module
from hdpo_env.verifiers.pool.supervisor import Supervisor

CORRECT, ERROR, BAD_GOLD = Outcome.CORRECT, Outcome.ERROR, Outcome.BAD_GOLD


class Text(str):
    """As tokenizers and numpy make them."""

    __slots__ = ()


class Finish(str, Enum):
    """As inference engines state why they stopped."""

    STOP = "stop"
    LENGTH = "length"


def unwilling() -> Iterator[str]:
    yield "1"
    raise RuntimeError("no more golds")


ODD_ITEMS: list[tuple[str, Any, Outcome]] = [
    ("completion null", (None, "1"), ERROR),
    ("completion a number", (7, "7"), ERROR),
    ("completion NaN", (float("nan"), "1"), ERROR),
    ("completion bytes", (b"\\boxed{1}", "1"), ERROR),
    ("completion a subclass", (Text("\\boxed{1}"), "1"), CORRECT),
    ("gold a subclass", ("\\boxed{1}", Text("1")), CORRECT),
    ("golds of a subclass", ("\\boxed{1}", [Text("1")]), CORRECT),
    ("gold null", ("\\boxed{1}", None), BAD_GOLD),
    ("gold bytes", ("\\boxed{1}", b"1"), BAD_GOLD),
    ("gold a mapping", ("\\boxed{1}", {"1": 1}), BAD_GOLD),
    ("golds that cannot be listed", ("\\boxed{1}", unwilling()), BAD_GOLD),
    ("finish reason an enum", ("\\boxed{1}", "1", Finish.STOP), CORRECT),
    ("finish reason cut", ("so", "1", Finish.LENGTH), Outcome.TRUNCATED),
    ("finish reason a number", ("\\boxed{1}", "1", 0), ERROR),
    ("half a surrogate pair", ("\\boxed{\ud800}", "1"), Outcome.WRONG),
    ("no pair", ("\\boxed{1}",), ERROR),
    ("no item", None, ERROR),
    ("a string of two characters", "11", ERROR),
]


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    with VerifierPool(MathVerifier(), workers=1) as shared:
        yield shared


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of a call that must not hang."""
    threads = ThreadPoolExecutor(1)
    try:
        return threads.submit(call).result(timeout=seconds)
    finally:
        threads.shutdown(wait=False)


@pytest.mark.parametrize(
    ("item", "expected"), [row[1:] for row in ODD_ITEMS], ids=[row[0] for row in ODD_ITEMS]
)
def test_an_odd_item_costs_only_itself(pool: VerifierPool, item: Any, expected: Outcome) -> None:
    """Its neighbours and the next call get their verdicts, whatever its types are."""
    before, after = ("\\boxed{2}", "2"), ("\\boxed{3}", "3")
    got = within(60, lambda: pool.map([before, item, after]))
    assert [v.outcome for v in got] == [CORRECT, expected, CORRECT]
    assert within(60, lambda: pool.map([after]))[0].correct is True


def test_odd_items_cost_only_themselves_everywhere(pool: VerifierPool) -> None:
    """Awaited, alone, and without workers the same holds."""
    items: Any = [(None, "1"), ("\\boxed{3}", "3"), None]
    expected = [ERROR, CORRECT, ERROR]
    assert [v.outcome for v in asyncio.run(pool.amap(items))] == expected
    assert pool.verify(None, "1").reason == "the completion is NoneType, not text"  # type: ignore[arg-type]
    with VerifierPool(MathVerifier(), workers=0) as here:
        assert [v.outcome for v in here.map(items)] == expected


@pytest.mark.parametrize("workers", [0, 1])
def test_an_odd_verdict_costs_only_itself(naughty: ModuleType, workers: int) -> None:
    """What is no verdict is ERROR; one with odd values arrives with plain ones."""
    items = [("fine", "1"), ("nothing", "1"), ("number", "1"), ("subclass", "1"), ("fine", "2")]
    with VerifierPool(naughty.Odd(), workers=workers) as odd:
        got: list[Verdict] = within(60, lambda: odd.map(items))
    assert [v.outcome for v in got] == [CORRECT, ERROR, ERROR, CORRECT, CORRECT]
    assert (type(got[3].extracted), type(got[3].ms)) == (str, float)


def test_a_verifier_that_leaves_its_process_costs_one_item(naughty: ModuleType) -> None:
    """SystemExit ends two workers and becomes ERROR."""
    with VerifierPool(naughty.Odd(), workers=1) as odd:
        got = within(120, lambda: odd.map([("fine", "1"), ("leave", "1"), ("fine", "2")]))
    assert [v.outcome for v in got] == [CORRECT, ERROR, CORRECT]


def test_an_exception_is_told_without_its_words(naughty: ModuleType) -> None:
    """A verifier's exception may quote the gold: only its class and place reach the reason."""
    with VerifierPool(naughty.Odd(), workers=1) as odd:
        verdict = odd.verify("quote", "SECRET")
    assert verdict.reason.startswith("ValueError at naughty.py:")
    assert "SECRET" not in repr(verdict)


@pytest.mark.slow
def test_an_item_that_no_worker_can_hold_costs_only_itself() -> None:
    """150 MB of text kill a 256 MB worker before it judges anything: ERROR at the second death."""
    huge = ("x" * 150_000_000, "1")
    with VerifierPool(MathVerifier(), workers=1, memory_mb=256, timeout_s=60) as small:
        got = within(300, lambda: small.map([("\\boxed{2}", "2"), huge, ("\\boxed{3}", "3")]))
    assert [v.outcome for v in got] == [CORRECT, ERROR, CORRECT]
    assert "twice" in got[1].reason


def test_a_path_object_on_the_import_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imports ignore what is no string on ``sys.path``; so do workers."""
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])
    with VerifierPool(MathVerifier(), workers=1) as fresh:
        assert within(60, lambda: fresh.map([("\\boxed{2}", "2")]))[0].correct is True


_FEW_FILES = """
    import os, resource
    from hdpo_env.verifiers import MathVerifier, VerifierPool
    pool = VerifierPool(MathVerifier(), workers=2)
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd"))
    for room in (0, 4, 6, 8):
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + room, usual[1]))
        print(pool.map([("\\\\boxed{2}", "2")])[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    print(pool.map([("\\\\boxed{2}", "2")])[0].outcome.name, flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts files as Linux does")
def test_a_process_out_of_files_gets_errors_and_then_verdicts() -> None:
    """Where no worker can be started each call is ERROR with the true reason, until one can."""
    script = [sys.executable, "-c", textwrap.dedent(_FEW_FILES)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120)
    *failed, last = done.stdout.splitlines()
    assert len(failed) == 4, done.stderr
    assert all("ERROR" in line and "Too many open files" in line for line in failed), failed
    assert last == "CORRECT"


@pytest.mark.parametrize("step", ["_hand_out", "_take", "_read", "_check_clocks"])
def test_a_fault_of_the_supervisor_fails_what_it_held_and_no_more(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its tickets get ERROR with the class of the fault, also those taken and not yet sent."""
    whole = getattr(Supervisor, step)

    def breaks(self: Supervisor, *arguments: Any) -> None:
        whole(self, *arguments)
        monkeypatch.setattr(Supervisor, step, whole)
        raise KeyError("planted")

    with VerifierPool(MathVerifier(), workers=2) as victim:
        monkeypatch.setattr(Supervisor, step, breaks)
        items = [(f"\\boxed{{{i}}}", str(i)) for i in range(300)]
        got = within(60, lambda: victim.map(items))
        assert got[-1].outcome is ERROR
        assert "KeyError" in got[-1].reason
        assert "planted" not in got[-1].reason
        assert all(v.correct in (None, True) for v in got)
        again = within(60, lambda: victim.map(items))
        assert all(v.correct is True for v in again)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_worker_that_stands_still_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stopped between two items judges nothing and dies of nothing: its items go elsewhere."""
    monkeypatch.setattr(supervisor_module, "_STALL_LIMIT_S", 0.5)
    with VerifierPool(MathVerifier(), workers=1) as stalled:
        assert stalled.map([("\\boxed{1}", "1")])[0].correct is True
        (pid,) = stalled.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        items = [(f"\\boxed{{{i}}}", str(i)) for i in range(2, 9)]
        assert all(v.correct is True for v in within(60, lambda: stalled.map(items)))
        assert stalled.worker_pids() != [pid]


def test_a_verifier_that_cannot_be_pickled_is_refused_each_time() -> None:
    """The sentence says what to do, and no room is lost over it."""
    with VerifierPool(Local(), workers=1, max_pending=1) as local:
        for _ in range(3):
            with pytest.raises(ConfigError, match="importable module"):
                within(30, lambda: local.map([("a", "b")]))


class Local(MathVerifier):
    """A verifier that refuses to be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("not me")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts files as Linux does")
def test_closed_pools_leave_no_files_open() -> None:
    """Opening, using and closing pools leaves as many open files as there were."""

    def used() -> int:
        with VerifierPool(MathVerifier(), workers=1) as fresh:
            fresh.map([("\\boxed{2}", "2")])
        return len(os.listdir("/proc/self/fd"))

    used()
    time.sleep(0.1)
    before = len(os.listdir("/proc/self/fd"))
    assert [used() for _ in range(3)] == [before] * 3
