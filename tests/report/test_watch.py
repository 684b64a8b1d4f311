"""A run is followed while it is written, whatever state its files are in."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hdpo_env.cliffs import LedgerWriter, read_ledger
from hdpo_env.commands.watch import newest_run
from hdpo_env.commands.watch_view import BLOCKS, frame, sparkline
from hdpo_env.report.live import LiveRun, Tail, cliff_events

HDPO = Path(sys.executable).with_name("hdpo")


def _write(folder: Path, rows: list[dict], steps: int | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    if steps is not None:
        (folder / "config.json").write_text(json.dumps({"steps": steps}))
    return folder


def _shown(run: LiveRun, now: float = 0.0) -> str:
    console = Console(width=120, file=StringIO())
    console.print(frame(run, now))
    return console.file.getvalue()  # type: ignore[attr-defined]


@given(st.lists(st.integers(0, 99), max_size=6), st.lists(st.integers(0, 70), max_size=6))
def test_a_tail_sees_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], cuts: list[int]
) -> None:
    """However the writes are torn, each whole line is read once and in order."""
    path = tmp_path_factory.mktemp("tail") / "metrics.jsonl"
    content = "".join(f'{{"step": {step}}}\n' for step in steps).encode()
    places = sorted({0, len(content), *(c for c in cuts if c < len(content))})
    tail, seen = Tail(path), []
    for start, end in pairwise(places):
        with path.open("ab") as file:
            file.write(content[start:end])
        seen += tail.read()
    assert [row["step"] for row in seen] == steps
    assert (tail.num_bad, tail.restarts) == (0, 0)


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    """Half a line is not a number yet, and not an error either; garbage is counted."""
    folder = _write(tmp_path / "r", [{"step": 0, "groups/cliff_rate": 0.5}])
    run = LiveRun(folder)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "groups/cliff')
    run.refresh()
    assert (run.step, run.num_bad) == (0, 0)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('_rate": 0.25}\nrubbish\n{"no": "step"}\n')
    run.refresh()
    assert run.series("groups/cliff_rate") == (0.5, 0.25)
    assert run.num_bad == 2
    assert "2 lines of metrics.jsonl cannot be read" in _shown(run)


def test_a_resumed_run_is_read_again(tmp_path: Path) -> None:
    """A run that went back to a checkpoint shows no step of its lost future."""
    folder = _write(tmp_path / "r", [{"step": s, "a": float(s)} for s in range(9)])
    run = LiveRun(folder)
    run.refresh()
    (folder / "metrics.jsonl").unlink()
    _write(folder, [{"step": s, "a": -1.0} for s in range(4)])
    run.refresh()
    assert (run.step, run.series("a")) == (3, (-1.0,) * 4)


def test_a_run_rewritten_beyond_the_last_look_is_read_again(tmp_path: Path) -> None:
    """A log cut and grown longer than it was is noticed when our place is inside a line."""
    folder = _write(tmp_path / "r", [{"step": 0, "a": 1.0}])
    run = LiveRun(folder)
    run.refresh()
    (folder / "metrics.jsonl").unlink()
    _write(folder, [{"step": 0, "a": 22.25, "b": 333.125}, {"step": 1, "a": 4.0}])
    run.refresh()
    assert (run.series("a"), run.num_bad) == ((22.25, 4.0), 0)


def test_time_left_by_hand(tmp_path: Path) -> None:
    """Slow first steps are forgotten: 30 steps of 2 s come last, 9 of 40 are left: 18 s."""
    rows = [{"step": s, "time_s": 100.0 + 2 * s} for s in range(31)]
    rows[0]["time_s"] = 0.0
    folder = _write(tmp_path / "r", rows, steps=40)
    run = LiveRun(folder)
    run.refresh()
    assert (run.step_s, run.left_s, run.is_finished) == (2.0, 18.0, False)
    assert "31 of 40 steps done  2:40 so far  about 0:18 left" in _shown(run)


def test_a_run_that_stopped_writing_is_called_silent(tmp_path: Path) -> None:
    """After a minute, or ten usual steps if that is longer, without a line; never once finished."""
    folder = _write(tmp_path / "r", [{"step": s, "time_s": 30.0 * s} for s in range(3)], steps=9)
    run = LiveRun(folder)
    run.refresh()
    written = (folder / "metrics.jsonl").stat().st_mtime
    assert not run.is_silent(written + 299)
    assert run.is_silent(written + 301)
    assert "silent" in _shown(run, written + 301)
    _write(folder, [{"step": 9, "time_s": 99.0}])
    run.refresh()
    assert not run.is_silent(written + 9999)
    assert "finished" in _shown(run, written + 9999)


def test_numbers_of_a_frame_by_hand(tmp_path: Path) -> None:
    """First value, newest value and the curve stand in one row; an absent metric has none."""
    rates = [1.0, 0.75, 0.5, 0.0]
    rows = [{"step": s, "groups/cliff_rate": r} for s, r in enumerate(rates)]
    rows[3] |= {"eval/hard/pass@1": 0.125, "eval/hard/pass@8": 0.5, "eval/hard/pass@8/low": 0.25}
    run = LiveRun(_write(tmp_path / "r", rows))
    run.refresh()
    shown = _shown(run)
    assert "cliff rate   1.000  0.000  █▆▅▁" in shown
    assert "hard pass@8  0.500  0.500  ▅" in shown
    assert "pass@1" not in shown
    assert "step      3  evaluated: hard pass@8 0.500" in shown
    assert "reward" not in shown


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=90), st.integers(1, 50))
def test_sparklines_keep_the_order(values: list[float], width: int) -> None:
    """A rising series never falls, its mirror image never rises, and both fill their width."""
    up, down = sparkline(sorted(values), width=width), sparkline(sorted(values)[::-1], width=width)
    assert len(up) == len(down) == min(width, len(values))
    heights = [BLOCKS.index(c) for c in up]
    assert heights == sorted(heights)
    assert [BLOCKS.index(c) for c in down] == sorted((BLOCKS.index(c) for c in down), reverse=True)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.integers(0, 2)), max_size=30)
)
def test_cliff_events_count_the_ledgers_transitions(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, str, int]]
) -> None:
    """Per step, as many born, escaped and relapsed as the ledger's transitions, told one by one."""
    folder = tmp_path_factory.mktemp("run")
    with LedgerWriter(folder / "ledger", writer="train") as ledger:
        for step, problem, correct in groups:
            ledger.append(problem, step=step, num_correct=correct, num_wrong=2 - correct)
    told = Counter((t.step, t.kind) for t in read_ledger(folder / "ledger").transitions())
    shown = {
        (event.step, part.split()[1]): int(part.split()[0])
        for event in cliff_events(folder)
        for part in event.text.removeprefix("cliffs: ").split(", ")
    }
    assert shown == dict(told)


def test_a_runs_own_threshold_says_what_a_cliff_is(tmp_path: Path) -> None:
    """One success of four is a cliff to a run with cliff_threshold 1, as in its report."""
    folder = tmp_path / "run"
    with LedgerWriter(folder / "ledger", writer="train") as ledger:
        ledger.append("p", step=0, num_correct=1, num_wrong=3)
        ledger.append("p", step=5, num_correct=2, num_wrong=2)
    for threshold, told in ((0, []), (1, ["cliffs: 1 escaped", "cliffs: 1 born"])):
        config = {"algo": {"distill": {"cliff_threshold": threshold}}}
        (folder / "config.json").write_text(json.dumps(config))
        run = LiveRun(folder)
        run.refresh()
        assert [e.text for e in run.events(5)] == told


def test_cliffs_of_a_growing_ledger_are_shown(tmp_path: Path) -> None:
    """Events that the trainer notes between two looks appear at the second."""
    folder = _write(tmp_path / "r", [{"step": 0, "a": 1.0}])
    run = LiveRun(folder)
    with LedgerWriter(folder / "ledger") as ledger:
        ledger.append("p", step=0, num_correct=0, num_wrong=4)
        ledger.flush()
        run.refresh()
        assert [e.text for e in run.events(5)] == ["cliffs: 1 born"]
        ledger.append("p", step=7, num_correct=1, num_wrong=3)
    run.refresh()
    assert [(e.step, e.text) for e in run.events(1)] == [(7, "cliffs: 1 escaped")]


def test_of_several_runs_the_newest_is_watched(tmp_path: Path) -> None:
    """In a comparison's folder the run that was written last is shown; a run is itself."""
    old, new = (_write(tmp_path / name, [{"step": 0, "a": 1.0}]) for name in ("new", "a"))
    os.utime(old / "metrics.jsonl", (1, 1))
    assert newest_run(tmp_path) == new
    assert newest_run(old) == old
    assert newest_run(tmp_path / "absent") == tmp_path / "absent"


def test_once_prints_a_frame_and_tells_whether_there_is_one(tmp_path: Path) -> None:
    """Scripts get one frame: exit code 0 with numbers, 1 while there are none."""
    absent = subprocess.run(
        [HDPO, "watch", tmp_path / "r", "--once"], capture_output=True, text=True, timeout=60
    )
    assert (absent.returncode, absent.stderr) == (1, "")
    assert "waiting for" in absent.stdout
    _write(tmp_path / "r", [{"step": 4, "groups/cliff_rate": 0.5}], steps=9)
    there = subprocess.run(
        [HDPO, "watch", tmp_path / "r", "--once"], capture_output=True, text=True, timeout=60
    )
    assert there.returncode == 0
    assert "5 of 9 steps done" in there.stdout
    file = subprocess.run(
        [HDPO, "watch", tmp_path / "r" / "metrics.jsonl"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (file.returncode, file.stdout) == (2, "")
    assert f"metrics.jsonl is a file: give its run's folder, {tmp_path / 'r'}" in file.stderr


def test_steps_are_counted_as_the_trainer_counts_them(tmp_path: Path) -> None:
    """Steps 0 to 5 are six steps, as an interrupted run says; the last evaluation is no seventh."""
    folder = _write(tmp_path / "r", [{"step": s, "a": 1.0} for s in range(6)], steps=7)
    run = LiveRun(folder)
    run.refresh()
    assert "6 of 7 steps done" in _shown(run)
    _write(folder, [{"step": 6, "a": 1.0}])
    run.refresh()
    assert "7 of 7 steps done" in _shown(run)
    assert not run.is_finished
    _write(folder, [{"step": 7, "eval/eval/greedy": 0.5}])
    run.refresh()
    assert "7 of 7 steps done  finished" in _shown(run)


def _until(read: int, wanted: bytes) -> bytes:
    shown, deadline = b"", time.monotonic() + 60
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([read], [], [], 1)[0]:
            shown += os.read(read, 1 << 16)
    assert wanted in shown, shown
    return shown


@pytest.mark.parametrize("leave", ["q", "interrupt", "finish"])
def test_watching_ends_politely(tmp_path: Path, leave: str) -> None:
    """On a terminal: the view follows the run; q, ctrl-C and the last step each end it well."""
    import pty
    import termios

    folder = _write(tmp_path / "r", [{"step": 0, "groups/cliff_rate": 0.5}], steps=9)
    mine, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    command = [str(HDPO), "watch", str(folder), "--every", "0.05"]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    try:
        _until(mine, b"1 of 9 steps")
        _write(folder, [{"step": 3, "groups/cliff_rate": 0.25}])
        _until(mine, b"4 of 9 steps")
        if leave == "q":
            os.write(mine, b"q")
        elif leave == "interrupt":
            process.send_signal(signal.SIGINT)
        else:
            _write(folder, [{"step": 9, "groups/cliff_rate": 0.0}])
            _until(mine, b"finished")
        assert process.wait(timeout=60) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(mine)
        os.close(theirs)
