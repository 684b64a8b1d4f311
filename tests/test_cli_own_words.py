"""Rollouts in our own words, and what other systems' dialects must not make of them."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.cli import main
from hdpo_env.commands.cliff_facts import summarize
from hdpo_env.commands.details import GroupDetail, read_details
from hdpo_env.commands.rollout_lines import LineFormat
from hdpo_env.commands.tally import Tally, tally_file


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of rollouts."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def counts(tally: Tally) -> dict[str, tuple[int, int, int]]:
    """The counts of each problem."""
    return {problem: found for (problem, _), found in tally.counts()}


TRL = {"step": 1, "prompt": "What is 1+1?", "completion": "x", "advantage": 0.0}
VERL = {"step": 1, "input": "What is 1+1?", "output": "x", "score": 1.0, "acc": True}
OPENRLHF = {"input": "What is 1+1?", "output": "x", "reward": 1.0}
LM_EVAL = {"doc_id": 1, "resps": [["x"]], "filtered_resps": ["x"], "target": "2", "acc": 1.0}


@pytest.mark.parametrize("other", [TRL, VERL, OPENRLHF, LM_EVAL], ids=lambda row: next(iter(row)))
@pytest.mark.parametrize("told", [{"verdict": "wrong"}, {"verdict": False}])
def test_our_words_come_before_any_dialect(
    other: dict[str, Any], told: dict[str, Any], tmp_path: Path
) -> None:
    """Four problems of four failures are four cliffs, whatever other fields stand beside."""
    rows = [{"problem_id": i // 4, **other, **told} for i in range(16)]
    tally = tally_file(write(tmp_path / "r.jsonl", rows), LineFormat())
    assert counts(tally) == {str(i): (0, 4, 0) for i in range(4)}
    assert summarize(tally)["kinds"]["cliff"]["groups"] == 4


def test_a_reward_beside_a_problem_id_is_ours(tmp_path: Path) -> None:
    """Four problems whose prompts read alike stay four."""
    rows = [{"problem_id": f"p{i // 4}", **TRL, "reward": float(i == 4)} for i in range(16)]
    tally = tally_file(write(tmp_path / "r.jsonl", rows), LineFormat())
    assert counts(tally) == {f"p{i}": (int(i == 1), 4 - (i == 1), 0) for i in range(4)}


@pytest.mark.parametrize("other", [TRL, VERL, OPENRLHF], ids=lambda row: next(iter(row)))
def test_a_dialect_keeps_a_verdict_in_words(other: dict[str, Any], tmp_path: Path) -> None:
    """Without an id the prompt names the problem, and the verdict still stands before a reward."""
    rows = [{**other, "verdict": word} for word in ("wrong", "timeout", "correct")]
    tally = tally_file(write(tmp_path / "r.jsonl", rows), LineFormat())
    assert list(counts(tally).values()) == [(1, 1, 1)]
    assert tally.num_malformed == 0


@pytest.mark.parametrize("column", ["problem_id", "row_idx", "num_tokens", "sampleIndex", "seed"])
def test_no_id_and_no_count_is_a_reward(column: str, tmp_path: Path) -> None:
    """Of TRL's columns numbers that count or number something are passed over."""
    rows = [{**TRL, column: 1, "solves": 0.0} for _ in range(4)]
    tally = tally_file(write(tmp_path / "r.jsonl", rows), LineFormat())
    assert list(counts(tally).values()) == [(0, 4, 0)]
    lone = tally_file(write(tmp_path / "s.jsonl", [{**TRL, column: 1}] * 4), LineFormat())
    assert lone.num_malformed == 4


def test_a_problem_id_names_the_problem_in_every_dialect(tmp_path: Path) -> None:
    """TRL logs a data set's own columns: its ids are kept, its prompts are not hashed."""
    rows = [{**TRL, "problem_id": f"p{i % 2}", "accuracy_reward": 0.0} for i in range(4)]
    tally = tally_file(write(tmp_path / "r.jsonl", rows), LineFormat())
    assert counts(tally) == {"p0": (0, 2, 0), "p1": (0, 2, 0)}


def kept(role: str, outcome: str, number: int) -> list[dict[str, Any]]:
    """Lines of a run's completions.jsonl, all of one problem and step."""
    row = {"step": 0, "role": role, "problem_id": "p", "text": "no", "outcome": outcome}
    return [
        {**row, "extracted": str(i), "reward": float(outcome == "correct")} for i in range(number)
    ]


@pytest.mark.parametrize(
    ("taught", "cause"),
    [
        (kept("teacher", "correct", 4), "solvable_with_privilege"),
        (kept("teacher", "wrong", 4), "unsolvable_with_privilege"),
        (kept("teacher", "timeout", 4), "hard"),
        ([], "hard"),
    ],
)
@pytest.mark.parametrize("teacher_first", [False, True])
def test_a_teachers_successes_hide_no_cliff(
    taught: list[dict[str, Any]], cause: str, teacher_first: bool, tmp_path: Path
) -> None:
    """In our own completions.jsonl the student's failures are a cliff; the teacher's tell why."""
    student = kept("student", "wrong", 4)
    path = write(tmp_path / "c.jsonl", taught + student if teacher_first else student + taught)
    tally = tally_file(path, LineFormat())
    assert counts(tally) == {"p": (0, 4, 0)}
    assert (tally.num_privileged, tally.num_left_out, tally.num_malformed) == (len(taught), 0, 0)
    [finding] = read_details({path: tally.formats[str(path)]}).findings
    assert finding.cause.value == cause
    assert finding.evidence.answers == 4


def repeated(target: object) -> dict[str, Any]:
    """A document of lm-evaluation-harness with two completions, 1 and 2."""
    said = [[r"\boxed{1}", r"\boxed{2}"]]
    return {"doc_id": 0, "doc_hash": "h", "resps": said, "filtered_resps": ["a"], "target": target}


@pytest.mark.parametrize(
    ("target", "expected", "cause"),
    [
        (["1", "one"], (1, 1, 0), None),
        (1, (1, 1, 0), None),
        (None, (0, 0, 2), "unparsable_gold"),
        ({"a": 1}, (0, 0, 2), "unparsable_gold"),
        ([], (0, 0, 2), "unparsable_gold"),
    ],
)
def test_a_gold_answer_is_not_its_repr(
    target: object, expected: tuple[int, int, int], cause: str | None, tmp_path: Path
) -> None:
    """A list of forms is read as forms; what is no gold answer is an abstention, never a cliff."""
    path = write(tmp_path / "samples.jsonl", [repeated(target)])
    tally = tally_file(path, LineFormat())
    assert list(counts(tally).values()) == [expected]
    details = read_details({path: tally.formats[str(path)]})
    assert [f.cause.value for f in details.findings] == ([cause] if cause else [])


COUNTS = {"problem_id": "p", "step": 0, "num_correct": 0, "num_wrong": 8, "num_abstained": 0}


@pytest.mark.parametrize(
    "odd",
    [{"num_correct": -3}, {"num_wrong": 0}, {"num_wrong": 8.0}, {"num_wrong": True},
     {"num_wrong": 1 << 40}],
)  # fmt: skip
def test_impossible_counts_are_malformed(odd: dict[str, Any], tmp_path: Path) -> None:
    """Below 0, none at all, no whole number, more than can be counted: named with its line."""
    tally = tally_file(write(tmp_path / "g.jsonl", [COUNTS, {**COUNTS, **odd}]), LineFormat())
    assert counts(tally) == {"p": (0, 8, 0)}
    assert [fault.line for fault in tally.faults] == [2]
    assert (tally.num_malformed, tally.num_left_out) == (1, 0)


def test_groups_are_counted_without_counting_one_by_one(tmp_path: Path) -> None:
    """A group of a million million rollouts costs no more than one of eight."""
    rows = [{**COUNTS, "num_wrong": 10**12}, {**COUNTS, "problem_id": "q", "num_correct": 10**12}]
    path = write(tmp_path / "g.jsonl", rows)
    tally = tally_file(path, LineFormat())
    assert counts(tally) == {"p": (0, 10**12, 0), "q": (10**12, 8, 0)}
    details = read_details({path: tally.formats[str(path)]})
    assert (details.kinds.num_cliff, details.kinds.num_mixed) == (1, 1)


@pytest.mark.parametrize("command", ["cliffs", "doctor"])
@pytest.mark.parametrize("part_bytes", [1 << 25, 200])
def test_every_bad_line_can_be_named(
    command: str,
    part_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ten on screen, all of them in a file, with their numbers, also from several processes."""
    whole = functools.partial(tally_file, part_bytes=part_bytes)
    monkeypatch.setattr("hdpo_env.commands.tally.tally_file", whole)
    monkeypatch.setattr("hdpo_env.commands.cliffs.tally_file", whole)
    path, bad = tmp_path / "r.jsonl", tmp_path / "bad.txt"
    rows = [json.dumps({"problem_id": i // 2, "reward": i % 2}) for i in range(50)]
    for i in range(0, 50, 2):
        rows[i] = "\x1b[31mgarbage"
    path.write_text("\n".join(rows))
    assert main([command, str(path), "--bad-lines", str(bad)]) in (0, 1)
    err = capsys.readouterr().err
    assert "(10 lines: 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)" in err
    assert "... and 15 more malformed lines: --bad-lines FILE" in err
    lines = bad.read_text().splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"r.jsonl:{i}" for i in range(1, 50, 2)]


ODD_IDS = ["plain", "a\nb", "a\x1b[31m", "日本", "\u202eright", '"quoted"', "a\u2028b"]


def test_odd_ids_stay_whole_and_move_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of --ids is an id or its JSON; on screen controls are spelt."""
    rows = [{"problem_id": name, "verdict": False} for name in ODD_IDS for _ in range(2)]
    path, ids = write(tmp_path / "r.jsonl", rows), tmp_path / "ids.txt"
    assert main(["cliffs", str(path), "--ids", str(ids)]) == 0
    lines = ids.read_text(encoding="utf-8").split("\n")[:-1]
    assert lines == ids.read_text(encoding="utf-8").splitlines()
    assert [json.loads(x) if x.startswith('"') else x for x in lines] == ODD_IDS
    out = capsys.readouterr().out
    assert not {"\x1b", "\u202e", "\u2028"} & set(out)
    assert r"a\x1b[31m" in out
    assert "日本" in out


def test_parts_of_a_file_tell_what_the_file_tells(tmp_path: Path) -> None:
    """Causes, evidence and phantom gradients are the same from one process and from several."""
    answers = ["5", "7", "9"]
    rows = [
        {"problem_id": i % 7, "completion": rf"so \boxed{{{answers[i * i % 3]}}}", "gold": "4",
         "reward": float(i % 7 == 0) or i % 2 / 10}
        for i in range(112)
    ]  # fmt: skip
    rows += [{**rows[1], "completion": "no", "reward": None}, {**rows[2], "gold": "??"}]
    path = write(tmp_path / "r.jsonl", rows)
    settled = tally_file(path, LineFormat()).formats[str(path)]
    whole = read_details({path: settled}, part_bytes=1 << 30)
    parts = read_details({path: settled}, part_bytes=5000)
    assert parts == whole
    assert len(whole.findings) == 6
    assert whole.phantom_rate == 1.0


def test_details_of_parts_add_up() -> None:
    """Every number of a group, whichever part of the file it stands in."""
    first = GroupDetail(Counter(wrong=2), ["5"], 1, (0.0, 0.5), (1, 2))
    first.add(GroupDetail(Counter(wrong=1, correct=1), ["7"], 2, (-1.0, 0.1), (2, 3)))
    expected = GroupDetail(Counter(wrong=3, correct=1), ["5", "7"], 3, (-1.0, 0.5), (3, 5))
    assert first == expected
    first.add(GroupDetail())
    assert first == expected
