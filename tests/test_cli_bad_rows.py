"""Rows that are lost are told: by every command that loads problems, with line, field, remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hdpo_env.demo as demo
from hdpo_env.cli import main
from hdpo_env.problems import ChainFamily
from hdpo_env.training.runs import SourceSpec

GOOD = [p.to_json() for p in ChainFamily("+", 6).source("train", 0, 3)]
BAD = [  # what stands in the line, and how it must be told
    ('{"question": "unclosed", "answer": "31337"', "field '(row)': it is not JSON"),
    ('{"answer": "31337"}', "field 'question': column 'question' is missing"),
    (r'{"question": "a", "answer": "\\frac{31337}{"}', "field 'answer': "),
    ('{"question": "b", "answer": ["31337", "8"]}', "field 'answer': "),
    ('{"question": "c", "answer": "31337", "verifier": "maths"}', "field 'verifier': there is no"),
]
LINES = [GOOD[0], *(line for line, _ in BAD), *GOOD[1:]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three chains, and five rows that are no problems, from line 2 on."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def words(data: Path, tmp_path: Path) -> dict[str, list[str]]:
    """Each command on the data, as it is typed."""
    run, out = tmp_path / "run", str(tmp_path / "out.jsonl")
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step": 0, "groups/cliff_rate": 0.5}\n')
    short = ["--n", "1", "--ks", "1", "--max-tokens", "2", "--no-greedy", "--json"]
    return {
        "export": ["export", str(data), "--to", "trl", "--out", out],
        "report": ["report", str(run), "--problems", str(data)],
        "eval": ["eval", "--model", str(demo.base_model()), "--data", str(data), *short],
    }


@pytest.mark.parametrize(("command", "code"), [("export", 1), ("report", 0), ("eval", 0)])
def test_every_bad_row_is_told_and_no_gold(
    command: str, code: int, words: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, field and remedy of each; an export that is not whole says so by its code."""
    assert main(words[command]) == code
    shown = capsys.readouterr()
    for line, (_, fault) in enumerate(BAD, start=2):
        [told] = [text for text in shown.err.splitlines() if f"rows.jsonl:{line}: " in text]
        assert fault in told
        assert "; " in told
    assert "3 problems, 5 bad rows" in shown.err
    assert "31337" not in shown.err + shown.out
    if command == "eval":
        facts = json.loads(shown.out)
        assert (facts["problems"], facts["bad_rows"]) == (3, 5)


@pytest.mark.parametrize("command", ["export", "report", "eval"])
def test_strict_refuses_at_the_first_bad_row(
    command: str, words: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence is that of the row, and nothing is written."""
    assert main([*words[command], "--strict"]) == 2
    told = capsys.readouterr().err
    assert "rows.jsonl:2: field '(row)': it is not JSON" in told
    assert "rows.jsonl:3" not in told


def test_many_bad_rows_are_ten_lines_and_a_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The eleventh and later are counted; the JSON has the whole count."""
    path, out = tmp_path / "many.jsonl", tmp_path / "out.jsonl"
    path.write_text("\n".join([GOOD[0], *["broken"] * 1200]), encoding="utf-8")
    assert main(["export", str(path), "--to", "trl", "--out", str(out), "--json"]) == 1
    shown = capsys.readouterr()
    assert shown.err.count("many.jsonl:") == 10
    assert "... and 1190 more bad rows\n1 problems, 1200 bad rows" in shown.err
    facts = json.loads(shown.out)
    assert (facts["rows"], facts["bad_rows"]) == (1, 1200)


def test_training_tells_its_bad_rows_and_can_be_strict(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names each; golds that no verifier can use are not trained on."""
    problems = SourceSpec(str(data)).problems()
    assert [p.to_json() for p in problems] == GOOD
    for line, (_, fault) in enumerate(BAD, start=2):
        assert f"rows.jsonl:{line}: {fault}" in caplog.text
    assert "31337" not in caplog.text
    with pytest.raises(ValueError, match=r"rows\.jsonl:2: field '\(row\)'"):
        SourceSpec(str(data), strict=True).problems()


def test_train_takes_strict(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The flag of the command reaches the load."""
    words = ["train", "--model", str(demo.base_model()), "--data", str(data), "--strict"]
    assert main([*words, "--out", str(tmp_path / "new")]) == 2
    assert "rows.jsonl:2: field '(row)'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_show_names_a_row_that_only_adds_a_solution(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is neither bad nor absent, and the sentence says what it is."""
    row = {"question": "1+1?", "answer": "2", "solution": "so"}
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, [row, {**row, "solution": "or so"}])))
    assert main(["show", f"{path}:2"]) == 2
    assert "row 2 of " in (told := capsys.readouterr().err)
    assert "another solution of a problem before it" in told
