"""``hdpo export``: a file that the carrier's field map reads, and what could not go into it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.exports import CARRIERS
from hdpo_env.problems import FIELD_MAPS, LinearFamily, load_problems
from hdpo_env.types import Problem


@pytest.mark.parametrize("name", list(CARRIERS))
def test_a_family_goes_to_every_carrier(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file holds the family's problems; the output says how to read it, and shows no row."""
    out = tmp_path / "rows.jsonl"
    words = ["linear", "--to", name, "--out", str(out), "--limit", "3", "--seed", "7"]
    assert main(["export", *words]) == 0
    printed = capsys.readouterr().out
    assert f"wrote 3 rows for {name} to {out}" in printed
    assert CARRIERS[name].settings.replace("FILE", str(out)) in printed
    assert "Collect" not in printed
    back = load_problems(out, field_map=CARRIERS[name].fields, strict=True).problems
    assert [p.id for p in back] == [p.id for p in LinearFamily(1).source("train", 7, 3)]


def test_problems_left_out_are_counted_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal reasons are counted together on stderr; the exit code is 1; strict refuses."""
    monkeypatch.chdir(tmp_path)
    problems = [
        Problem("a", ("1",), solution="SECRET is one."),
        Problem("b", ("2",)),
        Problem("c", ("3",)),
    ]
    lines = "".join(problem.to_json() + "\n" for problem in problems)
    Path("mine.jsonl").write_text(lines, encoding="utf-8")
    assert main(["export", "mine.jsonl", "--to", "opsd"]) == 1
    shown = capsys.readouterr()
    assert "wrote 1 rows for opsd to opsd.jsonl" in shown.out
    assert "left out 2 problems:\n  2 x problem ID has no solution" in shown.err
    assert "SECRET" not in shown.out + shown.err
    over = ["--out", "opsd.jsonl"]
    assert main(["export", "mine.jsonl", "--to", "opsd", "--strict", *over]) == 2
    assert "has no solution" in capsys.readouterr().err
    assert main(["export", "mine.jsonl", "--to", "opsd", "--view", "hints:1", *over]) == 2
    assert "none of 3 problems could be exported" in capsys.readouterr().err


def test_a_file_goes_whole_or_up_to_a_limit_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beyond the thousand problems of a family, and with --limit as few as it says."""
    path, out = tmp_path / "mine.jsonl", str(tmp_path / "rows.jsonl")
    lines = (Problem(f"{i}?", ("1",), solution="So 1.").to_json() for i in range(1003))
    path.write_text("\n".join(lines), encoding="utf-8")
    words = ["export", str(path), "--to", "opsd", "--out", out]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "wrote 1003 rows" in shown.out
    assert shown.err == ""
    assert main([*words, "--limit", "1002"]) == 0
    shown = capsys.readouterr()
    assert "wrote 1002 rows" in shown.out
    assert f"stopped at --limit 1002: {path} may hold more rows" in shown.err


def test_the_limit_of_an_export_is_its_number_of_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Questions with three solutions each, as in OpenMathInstruct-2: 12 problems are 12 rows."""
    path, out = tmp_path / "copies.jsonl", tmp_path / "rows.jsonl"
    rows = [
        {"problem": f"{i}?", "expected_answer": str(i), "generated_solution": f"way {way}: {i}"}
        for i in range(20)
        for way in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    words = ["export", str(path), "--field-map", "openmathinstruct2", "--limit", "12"]
    assert main([*words, "--to", "openrlhf", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "wrote 12 rows" in shown.out
    assert "stopped at --limit 12" in shown.err
    assert len({json.loads(row)["input"] for row in out.read_text().splitlines()}) == 12


@pytest.mark.parametrize("command", ["export", "eval", "report", "show", "train"])
def test_the_help_names_every_field_map(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list in the help is the table itself."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    words = set(re.findall(r"[\w-]+", capsys.readouterr().out))
    assert words >= set(FIELD_MAPS)


@pytest.mark.parametrize("name", list(CARRIERS))
def test_the_file_ends_as_its_trainer_expects(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet for verl and its relatives, lines for others; the settings printed name the file."""
    monkeypatch.chdir(tmp_path)
    assert main(["export", "linear", "--to", name, "--limit", "3"]) == 0
    [path] = tmp_path.iterdir()
    relatives = ("verl", "verl-opsd", "sdpg", "sdpo")
    assert path.name == name + (".parquet" if name in relatives else ".jsonl")
    printed = capsys.readouterr().out
    assert ("data.train_files=" in printed) == (f"data.train_files={path.name}" in printed)
    assert "FILE" not in printed
    assert len(load_problems(path, field_map=CARRIERS[name].fields, strict=True).problems) == 3


def test_rollouts_of_a_file_are_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Feedback for problems that failed, siblings for those that did not; others left out."""
    first, second = LinearFamily(1).source("train", 0, 2)
    rows = [
        {"problem_id": first.id, "completion": r"so \boxed{-31337}"},
        {"problem_id": second.id, "completion": rf"it is \boxed{{{second.gold}}}"},
        {"problem_id": "of another data set", "completion": "x"},
    ]
    path, out = tmp_path / "rollouts.jsonl", tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    words = ["linear", "--to", "sdpo", "--out", str(out), "--limit", "2", "--rollouts", str(path)]
    for view, problem, told in (
        ("feedback", first, "An attempt ended with the answer -31337."),
        ("sibling", second, rf"it is \boxed{{{second.gold}}}"),
    ):
        assert main(["export", *words, "--view", view]) == 1
        [row] = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert row["extra_info"]["problem_id"] == problem.id
        assert told in row["extra_info"]["feedback"]
    path.write_text(json.dumps(rows[2]) + "\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["export", *words, "--view", "feedback"]) == 2
    told = f"no problem_id in {path} is one of the 2 problems, such as {first.id!r}"
    assert told in capsys.readouterr().err
    for text, message in (
        (b"\n{]", f"{path}:2 is not JSON"),
        (b'{"problem_id": "\xff"}', f"{path}:1 is not JSON"),
        (b'{"problem_id": "x"}', f"{path}:1 has problem_id: a row needs"),
        (b"[1, 2]", f"{path}:1 is a list: a row needs"),
    ):
        path.write_bytes(text)
        capsys.readouterr()
        assert main(["export", *words]) == 2
        assert message in capsys.readouterr().err


def test_the_summary_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the count, the view and the settings."""
    out = str(tmp_path / "x.parquet")
    assert main(["export", "system", "--to", "sdpg", "--out", out, "--limit", "4", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["rows"], facts["view"], facts["left_out"]) == (4, "solution", [])
    assert Path(facts["file"]).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["linear", "--to", "tlr"], "unknown carrier 'tlr'"),
        (["linear", "--to", "trl", "--view", "prefix:9"], "9 is not a share"),
        (["linear", "--to", "trl", "--template", "hpdo"], "unknown privileged template 'hpdo'"),
        (["nowhere.jsonl", "--to", "trl"], "nothing is at 'nowhere.jsonl'"),
        (["linear", "--to", "trl", "--out", "rows.csv"], "let it end in"),
    ],
)
def test_misuse_is_refused_in_a_sentence(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what would be right."""
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err


def test_exact_answers_are_asked_for_without_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chain's verifier accepts no box, so the prompt does not ask for one."""
    out = tmp_path / "x.jsonl"
    assert main(["export", "chain#6", "--to", "trl", "--out", str(out), "--limit", "1"]) == 0
    row = json.loads(out.read_text(encoding="utf-8"))
    assert row["prompt"] == [{"role": "user", "content": row["question"]}]
    assert row["privileged_context"].startswith("For your eyes only")
