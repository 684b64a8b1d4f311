"""The ledger against a plain-Python oracle, torn and damaged files, crashes and resumes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs import classify_correct
from hdpo_env.cliffs.ledger import HEADER, RECORD, LedgerWriter
from hdpo_env.cliffs.summary import Ledger, read_ledger
from hdpo_env.cliffs.transitions import EscapeTime, Transition
from hdpo_env.errors import CheckpointError, ConfigError, DataError
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Completion, Group, GroupKind, Outcome, Problem, Rollout, Verdict

Event = tuple[str, int, int, int, int]  # problem, step, correct, wrong, abstained
counts = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)).filter(any)
events = st.lists(st.tuples(st.sampled_from(["p", "q", "π r"]), counts), max_size=25).map(
    lambda rows: [(name, step, *c) for step, (name, c) in enumerate(rows)]
)


def write(folder: Path, rows: list[Event], writer: str = "rank0", policy: str = "m") -> None:
    """Append rows as one writer."""
    with LedgerWriter(folder, writer=writer, policy=policy) as ledger:
        for name, step, correct, wrong, abstained in rows:
            ledger.append(
                name, step=step, num_correct=correct, num_wrong=wrong, num_abstained=abstained
            )


def rows_of(ledger: Ledger) -> list[Event]:
    """The events that were read, as plain rows."""
    columns = ledger.columns()
    names = ("problem_id", "step", "num_correct", "num_wrong", "num_abstained")
    return list(zip(*(columns[name].tolist() for name in names), strict=True))


def slow_transitions(rows: list[Event], threshold: float) -> set[tuple[str, str, int]]:
    """One event after the other, with `classify_correct` on every filling of the abstentions."""
    history: dict[str, list[bool]] = defaultdict(list)
    found = set()
    for name, step, correct, wrong, abstained in rows:
        kinds = {
            classify_correct(
                [True] * (correct + extra) + [False] * (wrong + abstained - extra),
                threshold=threshold,
            )
            is GroupKind.CLIFF
            for extra in range(abstained + 1)
        }
        if len(kinds) > 1:
            continue
        is_cliff, past = kinds.pop(), history[name]
        if is_cliff and not any(past):
            found.add((name, "born", step))
        elif is_cliff and not past[-1]:
            found.add((name, "relapsed", step))
        elif not is_cliff and past and past[-1]:
            found.add((name, "escaped", step))
        past.append(is_cliff)
    return found


@given(rows=events, threshold=st.integers(0, 2))
def test_reading_gives_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Event], threshold: int
) -> None:
    """Events, totals and transitions equal a one-by-one account in plain Python."""
    folder = tmp_path_factory.mktemp("ledger")
    write(folder, rows)
    ledger = read_ledger(folder)
    assert ledger.faults == ()
    assert rows_of(ledger) == rows
    found = ledger.transitions(threshold=threshold)
    assert {(t.problem_id, t.kind, t.step) for t in found} == slow_transitions(rows, threshold)
    assert sum(found.counts().values()) == len(found)
    for total in ledger.totals():
        mine = [row for row in rows if row[0] == total.problem_id]
        assert total.num_groups == len(mine)
        assert (total.num_correct, total.num_wrong, total.num_abstained) == tuple(
            map(sum, zip(*(row[2:] for row in mine), strict=True))
        )
        assert (total.first_step, total.last_step) == (mine[0][1], mine[-1][1])
    assert {t.problem_id for t in ledger.totals()} == {row[0] for row in rows}


def test_a_life_by_hand(tmp_path: Path) -> None:
    """Mixed, cliff (born), open, mixed (escaped), cliff (relapsed), cliff, saturated (escaped)."""
    life = [(4, 4, 0), (0, 8, 0), (0, 7, 1), (1, 7, 0), (0, 8, 0), (0, 8, 0), (8, 0, 0)]
    write(tmp_path, [("p", step, *counts) for step, counts in enumerate(life)], policy="tiny")
    found = read_ledger(tmp_path).transitions()
    assert list(found) == [
        Transition("p", "born", 1, "tiny"),
        Transition("p", "escaped", 3, "tiny"),
        Transition("p", "relapsed", 4, "tiny"),
        Transition("p", "escaped", 6, "tiny"),
    ]
    assert found.counts() == {"born": 1, "escaped": 2, "relapsed": 1}


def test_escape_times_by_hand(tmp_path: Path) -> None:
    """Born and escaped, born and still there (censored), never a cliff, relapsed (first escape)."""
    lives = {
        "escapes": [(0, 8, 0), (0, 8, 0), (2, 6, 0), (0, 8, 0), (1, 7, 0)],
        "stays": [(3, 5, 0), (0, 8, 0), (0, 8, 0), (0, 5, 3), (0, 8, 0)],
        "never": [(3, 5, 0)] * 5,
        "open": [(0, 8, 0), (0, 8, 0), (0, 8, 0), (0, 8, 0), (0, 5, 3)],
    }
    rows = [
        (name, 10 * t, *c) for t in range(5) for name, c in ((n, L[t]) for n, L in lives.items())
    ]
    write(tmp_path, rows)
    times = {time.problem_id: time for time in read_ledger(tmp_path).transitions().escape_times()}
    assert times == {
        "escapes": EscapeTime("escapes", "m", 0, 20, 40),
        "stays": EscapeTime("stays", "m", 10, None, 40),
        "open": EscapeTime("open", "m", 0, None, 30),  # the last group decides nothing
    }


def test_without_cliffs_nothing_escapes(tmp_path: Path) -> None:
    """A ledger in which nothing changes has no escape times, with groups and without any."""
    write(tmp_path, [("p", step, 3, 5, 0) for step in range(3)])
    assert read_ledger(tmp_path).transitions().escape_times() == []
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", [])
    assert read_ledger(tmp_path / "empty").transitions().escape_times() == []


def test_models_do_not_escape_for_each_other(tmp_path: Path) -> None:
    """Two models in one ledger, step by step: the strong one's success is no escape of the weak."""
    write(tmp_path, [("p", step, 0, 8, 0) for step in range(3)], writer="a", policy="weak")
    write(tmp_path, [("p", step, 5, 3, 0) for step in range(3)], writer="b", policy="strong")
    found = read_ledger(tmp_path).transitions()
    assert list(found) == [Transition("p", "born", 0, "weak")]
    assert found.escape_times() == [EscapeTime("p", "weak", 0, None, 2)]
    assert read_ledger(tmp_path, writer="b").transitions().counts()["born"] == 0
    with pytest.raises(DataError, match=r"with c\.events"):
        read_ledger(tmp_path, writer="c")


ROWS: list[Event] = [("p", 0, 0, 8, 0), ("q", 1, 3, 5, 0), ("p", 2, 1, 6, 1)]


def test_a_torn_tail_costs_only_the_torn_record(tmp_path: Path) -> None:
    """Cut at every byte: whole records are read, the torn one is reported, appending goes on."""
    write(tmp_path, ROWS)
    file = tmp_path / "rank0.events"
    whole = file.read_bytes()
    for size in range(len(HEADER), len(whole)):
        file.write_bytes(whole[:size])
        kept, torn = divmod(size - len(HEADER), RECORD.itemsize)
        ledger = read_ledger(tmp_path)
        assert rows_of(ledger) == ROWS[:kept]
        assert [f"({torn} bytes)" in fault for fault in ledger.faults] == [True] * bool(torn)
        write(tmp_path, ROWS[2:])
        assert rows_of(read_ledger(tmp_path)) == ROWS[:kept] + ROWS[2:]
        assert read_ledger(tmp_path).faults == ()


def test_a_file_torn_inside_its_header_starts_again(tmp_path: Path) -> None:
    """Nothing was written yet, so nothing is lost."""
    write(tmp_path, [])
    (tmp_path / "rank0.events").write_bytes(HEADER[:7])
    assert "not a ledger" in read_ledger(tmp_path).faults[0]
    write(tmp_path, ROWS)
    assert rows_of(read_ledger(tmp_path)) == ROWS


def test_any_damaged_byte_is_noticed(tmp_path: Path) -> None:
    """Flip each byte of the middle record: that record is skipped and reported, the others stay."""
    write(tmp_path, ROWS)
    file = tmp_path / "rank0.events"
    whole = bytearray(file.read_bytes())
    start = len(HEADER) + RECORD.itemsize
    for place in range(start, start + RECORD.itemsize):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        file.write_bytes(damaged)
        ledger = read_ledger(tmp_path)
        assert rows_of(ledger) == [ROWS[0], ROWS[2]]
        assert "1 damaged records, the first is number 2" in ledger.faults[0]


def test_damage_is_found_wherever_it_is_in_a_long_file(tmp_path: Path) -> None:
    """Checksums are looked at in blocks; the first, the last and both sides of a seam count."""
    many = [("p", step, 0, 8, 0) for step in range(40_000)]
    write(tmp_path, many)
    file = tmp_path / "rank0.events"
    whole = bytearray(file.read_bytes())
    places = [0, 16_383, 16_384, 32_768, 39_999]
    for place in places:
        whole[len(HEADER) + place * RECORD.itemsize + 20] ^= 1
    file.write_bytes(whole)
    ledger = read_ledger(tmp_path)
    assert "5 damaged records, the first is number 1;" in ledger.faults[0]
    assert set(range(40_000)) - set(ledger.events["step"].tolist()) == set(places)


def test_a_torn_names_file_is_mended(tmp_path: Path) -> None:
    """Cut at every byte: the writer that comes next leaves a file in which every line is a name."""
    write(tmp_path, ROWS)
    names = tmp_path / "rank0.names.jsonl"
    whole = names.read_bytes()
    for size in range(len(whole)):
        names.write_bytes(whole[:size])
        write(tmp_path, [("new", 9, 0, 1, 0), *ROWS])
        ledger = read_ledger(tmp_path)
        assert ledger.faults == ()
        assert set(ledger.names.values()) == {"p", "q", "m", "new"}


def test_zeroed_blocks_are_no_events(tmp_path: Path) -> None:
    """A file system may leave zeros behind after a power cut; they are not groups."""
    write(tmp_path, ROWS)
    with (tmp_path / "rank0.events").open("ab") as file:
        file.write(bytes(RECORD.itemsize * 5))
    ledger = read_ledger(tmp_path)
    assert rows_of(ledger) == ROWS
    assert "5 damaged records" in ledger.faults[0]


def test_a_killed_process_loses_nothing_it_flushed(tmp_path: Path) -> None:
    """`os._exit` in the middle of a step: everything up to the last flush is there."""
    program = """
import os, sys
from hdpo_env.cliffs.ledger import LedgerWriter
ledger = LedgerWriter(sys.argv[1])
for step in range(1000):
    ledger.append(f"p{step % 7}", step=step, num_correct=0, num_wrong=8)
    if step == 700:
        ledger.flush()
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == 9
    ledger = read_ledger(tmp_path)
    assert ledger.events["step"].tolist() == list(range(701))
    assert {t.problem_id for t in ledger.totals()} == {f"p{i}" for i in range(7)}


def test_resuming_cuts_off_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    """Checkpoint, two lost steps, resume: the ledger equals that of a run that never stopped."""
    with LedgerWriter(tmp_path / "a") as ledger:
        for name, step, *c in ROWS[:1]:
            ledger.append(name, step=step, num_correct=c[0], num_wrong=c[1])
        state = json.loads(json.dumps(ledger.state_dict()))
        ledger.append("lost", step=1, num_correct=0, num_wrong=8)
        ledger.append("lost", step=2, num_correct=0, num_wrong=8)
    with LedgerWriter(tmp_path / "a") as ledger:
        ledger.load_state_dict(state)
        ledger.append("q", step=1, num_correct=3, num_wrong=5)
    write(tmp_path / "b", ROWS[:2], policy="policy")
    assert rows_of(read_ledger(tmp_path / "a")) == ROWS[:2]
    assert (tmp_path / "a/rank0.events").read_bytes() == (tmp_path / "b/rank0.events").read_bytes()


@given(rows=events, step=st.integers(0, 26))
def test_forgetting_keeps_what_came_before(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Event], step: int
) -> None:
    """Whatever step a run goes on at, exactly the earlier events stay, and appending goes on."""
    folder = tmp_path_factory.mktemp("ledger")
    write(folder, rows)
    with LedgerWriter(folder, policy="m") as ledger:
        ledger.forget_from(step)
        ledger.append("again", step=step, num_correct=0, num_wrong=1)
    assert rows_of(read_ledger(folder)) == [*rows[:step], ("again", step, 0, 1, 0)]
    assert read_ledger(folder).faults == ()


def test_a_checkpoint_that_the_ledger_does_not_reach_is_refused(tmp_path: Path) -> None:
    """A ledger of another run cannot be resumed silently."""
    with LedgerWriter(tmp_path) as ledger, pytest.raises(CheckpointError, match="has lost events"):
        ledger.load_state_dict({"num_events": 5})


@given(rows=events, cut=st.integers(0, 25))
def test_ranks_merge_into_one_account(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Event], cut: int
) -> None:
    """However the events are dealt to two ranks and two folders, the account is the same."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    write(one, rows)
    write(two, rows[cut:][::2], writer="rank0")
    write(two, rows[cut:][1::2], writer="rank1")
    write(two / "more", rows[:cut], writer="rank0")
    merged, single = read_ledger(two, two / "more"), read_ledger(one)
    assert rows_of(merged) == rows_of(single)
    assert merged.totals() == single.totals()
    assert list(merged.transitions()) == list(single.transitions())


def test_models_are_told_apart(tmp_path: Path) -> None:
    """Two policies in one folder keep their names."""
    write(tmp_path, ROWS[:1], writer="a", policy="base")
    write(tmp_path, ROWS[1:], writer="b", policy="trained")
    assert read_ledger(tmp_path).columns()["policy"].tolist() == ["base", "trained", "trained"]


def test_lost_names_leave_their_keys(tmp_path: Path) -> None:
    """A missing or broken names file costs the names, not the counts, and is reported."""
    write(tmp_path, ROWS)
    names = tmp_path / "rank0.names.jsonl"
    whole = names.read_text(encoding="utf-8").splitlines()
    names.write_text("\n".join(["broken", *whole[1:]]), encoding="utf-8")
    ledger = read_ledger(tmp_path)
    assert "rank0.names.jsonl:1: not a name" in ledger.faults[0]
    key = json.loads(whole[0])["key"]
    assert rows_of(ledger)[0] == (key, *ROWS[0][1:])
    names.unlink()
    assert "missing" in read_ledger(tmp_path).faults[0]
    assert len(read_ledger(tmp_path).totals()) == 2


def test_groups_are_noted_by_their_verdicts(tmp_path: Path) -> None:
    """Correct, wrong and abstained are counted from verdicts, never from rewards."""
    problem = Problem("q", ("1",))
    outcomes = [Outcome.CORRECT, Outcome.WRONG, Outcome.NO_ANSWER, Outcome.TIMEOUT]
    rollouts = tuple(
        Rollout(student_prompt(problem), Completion((), ""), Verdict(o), reward=0.5)
        for o in outcomes
    )
    with LedgerWriter(tmp_path) as ledger:
        ledger.append_group(Group(problem, rollouts), step=7)
    assert rows_of(read_ledger(tmp_path)) == [(problem.id, 7, 1, 2, 1)]


def test_others_read_it(tmp_path: Path) -> None:
    """pandas, `datasets`, DuckDB and JSON lines see the same columns and rows."""
    pandas, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    write(tmp_path, ROWS)
    ledger = read_ledger(tmp_path)
    frame = pandas.DataFrame(ledger.columns())
    assert frame.groupby("problem_id").num_wrong.sum().to_dict() == {"p": 14, "q": 5}
    ledger.to_jsonl(tmp_path / "events.jsonl")
    loaded = datasets.load_dataset(
        "json", data_files=str(tmp_path / "events.jsonl"), cache_dir=str(tmp_path), split="train"
    )
    assert loaded.to_dict() == {name: list(column) for name, column in ledger.columns().items()}
    assert datasets.Dataset.from_dict(ledger.columns())["step"][:] == [0, 1, 2]


def test_duckdb_reads_it(tmp_path: Path) -> None:
    """SQL over the exported lines."""
    duckdb = pytest.importorskip("duckdb")
    write(tmp_path, ROWS)
    read_ledger(tmp_path).to_jsonl(tmp_path / "events.jsonl")
    query = f"select sum(num_wrong) from '{tmp_path}/events.jsonl' where problem_id = 'p'"
    assert duckdb.sql(query).fetchall() == [(14,)]


def test_misuse_is_refused(tmp_path: Path) -> None:
    """Counts that do not fit, empty groups, bad writers, folders without a ledger."""
    with LedgerWriter(tmp_path) as ledger:
        for bad in ({"num_correct": -1, "num_wrong": 8}, {"num_correct": 0, "num_wrong": 70_000}):
            with pytest.raises(ConfigError, match="a count 0 to 65535"):
                ledger.append("p", step=0, **bad)
        with pytest.raises(ConfigError, match="a group of 'p' is empty"):
            ledger.append("p", step=0, num_correct=0, num_wrong=0)
        with pytest.raises(ConfigError, match=r"step -1.*a step must be"):
            ledger.append("p", step=-1, num_correct=0, num_wrong=1)
    assert read_ledger(tmp_path).num_events == 0
    with pytest.raises(ConfigError, match="'a/b' cannot be a file name"):
        LedgerWriter(tmp_path, writer="a/b")
    with pytest.raises(DataError, match="holds no ledger"):
        read_ledger(tmp_path / "nothing")
    (tmp_path / "other.events").write_bytes(b"something else entirely, and long")
    with pytest.raises(DataError, match="not a ledger of this version"):
        LedgerWriter(tmp_path, writer="other")


def test_the_largest_numbers_fit(tmp_path: Path) -> None:
    """The limits of the fields are usable, and the sums do not overflow."""
    row = ("p", 0xFFFFFFFF, 0xFFFF, 0xFFFF, 0xFFFF)
    write(tmp_path, [row, row])
    ledger = read_ledger(tmp_path)
    assert ledger.faults == ()
    assert rows_of(ledger) == [row, row]
    assert ledger.totals()[0].num_wrong == 2 * 0xFFFF
    assert isinstance(ledger.events, np.ndarray)
