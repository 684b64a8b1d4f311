"""Counting rollouts in files, line by line and part by part."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cli import main
from hdpo_env.commands.cliff_facts import summarize
from hdpo_env.commands.rollout_lines import LineError, LineFormat, LineReader
from hdpo_env.commands.tally import Tally, lines_between, tally_file, tally_lines

LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b"   ", b"nonsense", b"[1]", b'{"problem_id": 1}', b"\xff\xfe"]),
        st.builds(
            lambda p, v, s: json.dumps({"problem_id": p, "verdict": v, "step": s}).encode(),
            st.sampled_from("abc"),
            st.sampled_from([True, False, None, "maybe"]),
            st.integers(0, 1),
        ),
    ),
    max_size=25,
)


def _slow(lines: list[bytes]) -> tuple[Counter, int, list[int]]:
    """An independent count: groups, used lines, numbers of malformed lines."""
    groups: Counter = Counter()
    used, bad = 0, []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            outcome = row["verdict"]
            assert outcome in (True, False, None)
            groups[(str(row["problem_id"]), row["step"], outcome)] += 1
            used += 1
        except (ValueError, KeyError, TypeError, AssertionError):
            bad.append(number)
    return groups, used, bad


@given(LINES, st.booleans())
def test_a_tally_is_the_slow_count(lines: list[bytes], ends_with_newline: bool) -> None:
    """Groups, counts and line numbers equal those of a plain second implementation."""
    content = b"\n".join(lines) + (b"\n" if ends_with_newline else b"")
    tally = tally_lines(io.BytesIO(content), "f", LineFormat())
    groups, used, bad = _slow(content.split(b"\n"))
    found: Counter = Counter()
    for (problem, step), counts in tally.counts():
        for outcome, n in zip((True, False, None), counts, strict=True):
            found[(problem, step, outcome)] += n
    assert +found == groups
    assert tally.num_lines == used + len(bad)
    assert tally.num_malformed == len(bad)
    assert [f.line for f in tally.faults] == bad[:10]


@given(LINES, st.booleans(), st.integers(1, 60))
def test_parts_of_a_file_are_the_file(lines: list[bytes], newline: bool, part: int) -> None:
    """Cutting a file at any bytes, counting the parts and adding them changes nothing."""
    content = b"\n".join(lines) + (b"\n" if newline else b"")
    file = io.BytesIO(content)
    whole = tally_lines(io.BytesIO(content), "f", LineFormat())
    added = Tally()
    pieces = []
    for start in range(0, len(content), part):
        piece = list(lines_between(file, start, min(start + part, len(content))))
        pieces += piece
        added.add(tally_lines(piece, "f", LineFormat()))
    assert pieces == list(io.BytesIO(content))
    assert dict(added.groups) == dict(whole.groups)
    assert (added.num_lines, added.num_malformed) == (whole.num_lines, whole.num_malformed)
    assert added.faults == whole.faults


def test_processes_count_like_one(tmp_path: Path) -> None:
    """A file that is read by several processes gives the same tally and line numbers."""
    path = tmp_path / "r.jsonl"
    rows = [json.dumps({"problem_id": i % 7, "reward": i % 3 == 0}) for i in range(400)]
    rows[137] = "nonsense"
    path.write_text("\n".join(rows))
    parts = tally_file(path, LineFormat(), part_bytes=4000)
    whole = tally_file(path, LineFormat())
    assert dict(parts.groups) == dict(whole.groups)
    assert [f.line for f in parts.faults] == [f.line for f in whole.faults] == [138]


@pytest.mark.parametrize("command", ["cliffs", "doctor"])
def test_an_empty_file_is_refused_in_a_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that has only just started has written nothing yet."""
    path = tmp_path / "r.jsonl"
    path.touch()
    assert main([command, str(path)]) == 2
    assert "there are no lines to read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("groups", "never"),
    [
        ({"a": (1, 2, 0)}, []),
        ({"a": (0, 3, 0), "b": (3, 0, 0)}, ["a"]),
        ({"a": (0, 2, 1)}, []),
        ({"a": (0, 0, 3)}, []),
    ],
)
@pytest.mark.parametrize("threshold", [0, 1, 2])
def test_never_solved_means_never(
    groups: dict[str, tuple[int, int, int]], never: list[str], threshold: int
) -> None:
    """Whatever counts as a cliff: a success solves a problem, an abstention leaves it open."""
    tally = Tally()
    for name, counts in groups.items():
        verdicts = zip((True, False, None), counts, strict=True)
        rows = [{"problem_id": name, "verdict": v} for v, n in verdicts for _ in range(n)]
        tally.add(tally_lines([json.dumps(row).encode() for row in rows], "f", LineFormat()))
    assert summarize(tally, threshold)["never_solved"] == never


def test_a_success_among_abstentions_solves_a_problem() -> None:
    """One step failed for certain, another holds a success and an abstention."""
    told = [(1, False), (1, False), (2, True), (2, None)]
    rows = [{"problem_id": "a", "step": s, "verdict": v} for s, v in told]
    tally = tally_lines([json.dumps(row).encode() for row in rows], "f", LineFormat())
    assert summarize(tally)["never_solved"] == []


@pytest.mark.parametrize(
    ("row", "correct"),
    [
        ({"verdict": True, "reward": 0}, True),
        ({"verdict": "CORRECT "}, True),
        ({"verdict": "truncated"}, False),
        ({"verdict": "bad_gold"}, None),
        ({"verdict": None, "reward": 1}, None),
        ({"reward": 0.99}, False),
        ({"reward": 1.1, "completion": "x", "gold": "y"}, True),
        ({"reward": None}, None),
        ({"reward": float("nan"), "completion": "\\boxed{2}", "gold": "2"}, None),
        ({"verdict": float("nan"), "reward": 1}, None),
        ({"completion": "\\boxed{2}", "gold": 2}, True),
        ({"completion": "", "gold": "2"}, False),
        ({"completion": "\\boxed{2}", "gold": ""}, None),
    ],
)
def test_how_a_line_says_how_it_came_out(row: dict, correct: bool | None) -> None:
    """Verdict before reward before judging; an abstention is None in each of them."""
    line = json.dumps({"problem_id": "p", **row}).encode()
    assert LineReader(LineFormat())(line) == [(("p", None), correct, 1)]


@pytest.mark.parametrize(
    ("row", "correct"),
    [
        ({"result": {"correct": None}, "reward": 0.0}, None),
        ({"result": None, "reward": 0.0}, None),
        ({"result": {}, "reward": 0.0}, False),
        ({"result": 3, "reward": 0.0}, False),
        ({"reward": 0.0}, False),
        ({"result": {"correct": True}, "reward": 0.0}, True),
        ({"result": {"correct": None}, "told": True, "reward": 0.0}, True),
        ({"told": None, "reward": 0.0}, None),
    ],
)
def test_a_null_inside_an_object_is_an_abstention(row: dict, correct: bool | None) -> None:
    """As in a flat field: null says that nobody knows, only a missing key lets the reward speak."""
    reader = LineReader(LineFormat(verdict="result.correct|told"))
    assert reader(json.dumps({"problem_id": "p", **row}).encode()) == [(("p", None), correct, 1)]


def test_gold_answers_stay_out_of_complaints() -> None:
    """A line whose gold answer cannot be used is refused without repeating the answer."""
    line = b'{"problem_id": 1, "completion": "x", "gold": {"secret": "42"}}'
    with pytest.raises(LineError) as error:
        LineReader(LineFormat())(line)
    assert "42" not in str(error.value)


def test_an_unknown_verifier_is_refused_at_once() -> None:
    """A misspelt verifier does not wait for the first completion to be noticed."""
    with pytest.raises(KeyError, match="unknown verifier 'maths'"):
        LineReader(LineFormat(verifier="maths"))


def test_a_boolean_is_no_gold() -> None:
    """True is a number to Python; as a gold answer it is refused, not read as the word."""
    for gold in (True, ["4", False], float("nan")):
        row = {"problem_id": 1, "completion": f"\\boxed{{{gold}}}", "gold": gold}
        with pytest.raises(LineError, match="'gold' is not a string"):
            LineReader(LineFormat())(json.dumps(row).encode())


@pytest.mark.parametrize("command", ["cliffs", "verify"])
def test_a_broken_parquet_file_is_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Junk, a page that was overwritten, and no file at all: the sentence names the file."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    junk, torn = tmp_path / "junk.parquet", tmp_path / "torn.parquet"
    junk.write_bytes(b"junk")
    rows = {"problem_id": list(range(999)), "completion": ["x"] * 999, "gold": ["y"] * 999}
    parquet.write_table(pyarrow.table(rows), torn)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:4] + bytes(200) + whole[204:])
    for path in (junk, torn):
        assert main([command, str(path)]) == 2
        sentence = capsys.readouterr().err
        assert f"{path.name} is no whole parquet file (" in sentence
        assert sentence.count("\n") == 1
    assert main([command, str(tmp_path / "absent.parquet")]) == 2
    assert "absent.parquet" in capsys.readouterr().err
