"""``hdpo report`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.cli import main
from hdpo_env.problems import PROBLEMS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run on three problems of the family of linear equations."""
    folder = tmp_path / "run"
    folder.mkdir()
    metrics = [{"step": s, "groups/cliff_rate": 1.0 - s / 4} for s in range(5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    counts = {"num_correct": 0, "num_wrong": 4, "num_abstained": 0}
    groups = [
        {"step": 0, "problem_id": problem.id, "slice": "", "kind": "cliff", **counts}
        for problem in PROBLEMS["linear"](split="train", size=3)
    ]
    (folder / "groups.jsonl").write_text("".join(json.dumps(row) + "\n" for row in groups))
    return folder


def test_a_page_and_its_pictures(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page goes into the run unless told otherwise; --png writes the figures as files."""
    assert main(["report", str(run), "--png", str(run / "png")]) == 0
    pictures = list((run / "png").iterdir())
    assert [p.name for p in pictures] == ["line-groups-cliff-rate-run.png"]
    told = capsys.readouterr().out.splitlines()
    assert told == [f"1 figure in {run / 'png'}", str(run / "report.html")]
    assert "Training cliff rate" in (run / "report.html").read_text()


def test_questions_come_from_the_problems_and_gold_only_if_asked(run: Path) -> None:
    """--problems adds the questions of the run's problems; --gold their answers."""
    problems = list(PROBLEMS["linear"](split="train", size=3))
    words = ["report", str(run), "--problems", "linear", "--limit", "5"]
    assert main(words) == 0
    page = (run / "report.html").read_text()
    assert all(p.question[:30] in page for p in problems)
    assert "gold:" not in page
    assert main([*words, "--gold"]) == 0
    assert all(f"gold: {p.gold}<" in (run / "report.html").read_text() for p in problems)


@pytest.mark.parametrize(("split", "found"), [("train", 3), ("eval", 0)])
def test_it_is_said_how_many_questions_were_found(
    split: str, found: int, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Problems that match no run are not passed over in silence; where none does, a remedy."""
    words = ["report", str(run), "--problems", "linear", "--split", split, "--limit", "5"]
    assert main(words) == 0
    told = capsys.readouterr().err
    assert f"questions found for {found} of 3 problems of training among the 5 of linear" in told
    assert ("matched by id" in told) is (not found)


def test_gold_without_problems_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run holds no gold answers, so there is nothing to show."""
    assert main(["report", str(run), "--gold"]) == 2
    assert "--gold needs --problems" in capsys.readouterr().err
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("option", ["--out", "--figure"])
@pytest.mark.parametrize("name", ["metrics.jsonl", "groups.jsonl", "problems.jsonl", "notes.txt"])
def test_no_page_is_written_over_anything_but_a_page(
    option: str, name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not over the logs it reads, nor --problems, nor a text; all is as before."""
    (run / "problems.jsonl").write_text(json.dumps({"question": "1+1?", "answer": "2"}))
    (run / "notes.txt").write_text("seen at step 40")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    words = ["report", str(run), "--problems", str(run / "problems.jsonl")]
    assert main([*words, option, str(run / name)]) == 2
    kind = "an HTML page" if option == "--out" else "an SVG picture"
    assert f"{run / name} holds something else than {kind}: name" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_page_is_written_over_a_page_and_into_an_empty_file(run: Path) -> None:
    """A second report replaces the first; mktemp's empty file is no obstacle."""
    (run / "page.html").touch()
    for _ in range(2):
        assert main(["report", str(run), "--out", str(run / "page.html")]) == 0
        assert (run / "page.html").read_text().startswith("<!doctype html>")
    (run / "report.html").write_text("my thesis")
    assert main(["report", str(run)]) == 2
    assert (run / "report.html").read_text() == "my thesis"
