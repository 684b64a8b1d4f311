"""Files that JSON allows and programs trip over: a sentence with the line, never a traceback."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.exports import CARRIERS
from hdpo_env.problems import LinearFamily
from hdpo_env.types import Problem, content_hash

PROBLEM = LinearFamily(1).problem("train", 0, 0)
NO_OBJECT = (
    r"lines is a JSON object: give|jsonl:1 (is not JSON|is a list: give one JSON object a line)"
)
HALF = "\ud800"  # of a surrogate pair: JSON can spell it, UTF-8 cannot


def _write(path: Path, *lines: object) -> str:
    """One JSON value a line; strings as they are."""
    text = "".join((ln if isinstance(ln, str) else json.dumps(ln)) + "\n" for ln in lines)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "DEEP"],
        ["audit", "DEEP", "--differential"],
        ["show", "DEEP:1"],
        ["export", "GOOD", "--to", "trl", "--view", "sibling", "--rollouts", "DEEP", "--out", "X"],
    ],
)
def test_brackets_without_end_are_no_json(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that nests deeper than Python reads is named like any other that is not JSON."""
    places = {
        "DEEP": _write(tmp_path / "deep.jsonl", "[" * 100_000),
        "GOOD": _write(tmp_path / "good.jsonl", PROBLEM.to_json()),
        "X": str(tmp_path / "out.jsonl"),
    }
    assert (
        main(
            [
                word.replace("DEEP", places["DEEP"]) if "DEEP" in word else places.get(word, word)
                for word in words
            ]
        )
        == 2
    )
    told = capsys.readouterr().err
    assert "deep.jsonl:1" in told
    assert "not JSON" in told


def test_one_broken_row_does_not_stop_an_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three rows that once ended it are three bad rows, each with its line."""
    rows = [
        {"question": "1+1?", "answer": 2, "hints": 5},
        "[" * 100_000,
        {"question": HALF, "answer": 2},
        PROBLEM.to_json(),
    ]
    assert main(["audit", _write(tmp_path / "p.jsonl", *rows)]) == 1
    told = capsys.readouterr()
    assert "1 problems, 3 bad rows" in told.out
    assert [f"p.jsonl:{n}: " in told.err for n in (1, 2, 3, 4)] == [True, True, True, False]


def test_half_a_character_is_no_problem_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line is named and left out; what is whole, however rare, is counted and written."""
    rows = [{"problem_id": name, "reward": 0} for name in (HALF, "∫😀", "∫😀", "a")]
    ids = tmp_path / "ids.txt"
    assert main(["cliffs", _write(tmp_path / "r.jsonl", *rows), "--ids", str(ids)]) == 0
    assert "r.jsonl:1: 'problem_id' holds half a character" in capsys.readouterr().err
    assert ids.read_text(encoding="utf-8").split() == ["∫😀", "a"]


def test_prompts_with_half_a_character_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a prompt's digest is the problem's id, any prompt has one, and its own."""
    assert len({content_hash(t) for t in (HALF, "\udc00", r"\ud800", "?", "\ufffd")}) == 5
    rows = [
        {"input": text, "output": "x", "score": score, "step": 1, "gts": "1"}
        for text in (HALF, "\udc00")
        for score in (0.0, 1.0)
    ]
    path = _write(tmp_path / "verl.jsonl", *rows)
    assert main(["cliffs", path, "--dialect", "verl", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"], found["rollouts"], found["malformed_lines"]) == (2, 4, 0)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"problem": "x"}, "rl.jsonl:4 has problem: a row needs problem_id"),
        ([1], "rl.jsonl:4 is a list: a row needs problem_id"),
        ({"problem_id": "x", "completion": HALF}, "rl.jsonl:4: its completion holds half"),
    ],
)
def test_a_faulty_rollout_of_an_export_is_named_by_its_line(
    line: object, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file and its own line, blank ones counted."""
    good = {"problem_id": PROBLEM.id, "completion": rf"\boxed{{{PROBLEM.gold}}}"}
    problems = _write(tmp_path / "p.jsonl", PROBLEM.to_json())
    rollouts = _write(tmp_path / "rl.jsonl", good, "", "", line)
    words = ["--to", "trl", "--view", "sibling", "--rollouts", rollouts]
    assert main(["export", problems, *words, "--out", str(tmp_path / "x.jsonl")]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("name", list(CARRIERS))
def test_an_export_is_json_for_every_reader(name: str, tmp_path: Path) -> None:
    """A difficulty that is no number, which pandas writes as NaN, goes out as null."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    for difficulty in (float("nan"), float("inf"), None, 2.5):
        problem = Problem("1+1?", ("2",), solution="So 2.", difficulty=difficulty)
        out = tmp_path / "rows.jsonl"
        CARRIERS[name]([problem]).save(out)
        row = out.read_text(encoding="utf-8")
        json.loads(row, parse_constant=refuse)
        assert ("2.5" in row) == (difficulty == 2.5 and "difficulty" in row)


@pytest.mark.parametrize("command", ["cliffs", "verify"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            gzip.compress(b'{"problem_id": 1, "reward": 0}\n', mtime=0),
            "is a gzip file: unpack it first",
        ),
        (b"PAR1 and so on", "is a parquet file: let its name end in .parquet"),
        (b'[{"problem_id": 1}, {"problem_id": 2}]\n', NO_OBJECT),
        (json.dumps([{"problem_id": 1}], indent=2).encode(), NO_OBJECT),
        (b"problem_id,reward\na,1\n", NO_OBJECT),
        (bytes(range(256)), NO_OBJECT),
    ],
    ids=["gzip", "parquet", "list", "indented", "csv", "bytes"],
)
def test_what_is_no_json_lines_gets_a_remedy_that_helps(
    command: str, content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told to name fields of a file that has none."""
    path = tmp_path / "rollouts.jsonl"
    path.write_bytes(content)
    assert main([command, str(path)]) == 2
    told = capsys.readouterr().err
    assert re.search(complaint, told)
    assert "-field" not in told


def test_a_file_given_twice_is_not_counted_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whatever name; a copy is another file."""
    row = {"problem_id": 1, "reward": 0}
    path = _write(tmp_path / "r.jsonl", row)
    (tmp_path / "link.jsonl").symlink_to(path)
    for other in (path, str(tmp_path / "link.jsonl"), str(tmp_path / "." / "r.jsonl")):
        assert main(["cliffs", path, other]) == 2
        assert "is given twice" in capsys.readouterr().err
    assert main(["cliffs", path, _write(tmp_path / "copy.jsonl", row)]) == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["audit", "FILE", "--show", "-1"], "--show is -1"),
        (
            ["audit", "FILE", "--field-map", "question=question,answer=answers,verifier=mth"],
            "'mth'",
        ),
        (["audit", "FILE", "--field-map", "question=question,answer"], "'answer' is no field=col"),
        (["export", "FILE", "--to", "trl", "--field-map", "answer=answers,verifier=mth"], "'mth'"),
        (["verify", "FILE", "--gold-field", "answers", "--timeout-s", "nan"], "timeout_s=nan"),
        (["verify", "FILE", "--gold-field", "answers", "--slowest", "-1"], "--slowest is -1"),
        (["eval", "--model", "FILE", "--data", "chain-add", "--temperature", "nan"], "temperature"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    words: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Instead of being dropped, or counted from the other end."""
    row = {"question": "1+1?", "answers": ["2"], "completion": "2"}
    path = _write(tmp_path / "p.jsonl", row)
    assert main([path if word == "FILE" else word for word in words]) == 2
    assert complaint in capsys.readouterr().err
