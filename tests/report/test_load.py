"""Runs on disk are read as far as they go, and nothing is dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hdpo_env.errors import DataError
from hdpo_env.report.load import find_runs, load_run, load_runs
from hdpo_env.report.records import Curve


def _metrics(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text(text)
    return folder


def test_a_torn_last_line_is_skipped_and_named(tmp_path: Path) -> None:
    """A run that was killed in the middle of a write is read up to there."""
    run = load_run(_metrics(tmp_path / "r", '{"step": 0, "a": 1.0}\n{"step": 1, "a": 2.0}\n{"st'))
    assert run.curves["a"] == Curve((0, 1), (1.0, 2.0))
    assert [(s.line, s.why) for s in run.skipped] == [(3, "was cut off in writing")]


def test_bad_lines_in_the_middle_cost_only_themselves(tmp_path: Path) -> None:
    """Each unusable line is named with its number and reason; the others count."""
    text = '{"step": 0, "a": 1}\nnonsense\n[1]\n{"a": 5}\n{"step": 4, "a": NaN, "b": 2}\n'
    run = load_run(_metrics(tmp_path / "r", text))
    assert run.curves["a"] == Curve((0,), (1.0,))
    assert run.curves["b"] == Curve((4,), (2.0,))
    assert [(s.line, s.why) for s in run.skipped] == [
        (2, "is not a JSON object"),
        (3, "is not a JSON object"),
        (4, "has no integer step"),
        (5, "a is nan"),
    ]


def test_a_step_logged_twice_counts_once(tmp_path: Path) -> None:
    """After a resume the later record of a step stands, and steps are in order."""
    logged = [(0, 0), (1, 1), (2, 9), (1, 5), (2, 6)]
    text = "".join(json.dumps({"step": s, "a": v}) + "\n" for s, v in logged)
    run = load_run(_metrics(tmp_path / "r", text))
    assert run.curves["a"] == Curve((0, 1, 2), (0.0, 5.0, 6.0))


def test_values_that_are_no_numbers_are_no_metrics(tmp_path: Path) -> None:
    """Words and truth values are not plotted; absent metrics stay absent."""
    run = load_run(_metrics(tmp_path / "r", '{"step": 0, "a": true, "b": "x", "c": 2}\n'))
    assert set(run.curves) == {"c"}


def test_identity_comes_from_the_folder_if_nothing_else_tells(tmp_path: Path) -> None:
    """`<variant>-seed<k>` names variant and seed; config and summary outrank it."""
    run = load_run(_metrics(tmp_path / "hdpo-strong-seed3", '{"step": 0, "a": 1}\n'))
    assert (run.variant, run.seed, run.algo) == ("hdpo-strong", 3, "hdpo")
    (tmp_path / "hdpo-strong-seed3" / "config.json").write_text(
        json.dumps({"algo": {"name": "sdpg"}, "seed": 4, "steps": 7})
    )
    run = load_run(tmp_path / "hdpo-strong-seed3")
    assert (run.variant, run.seed, run.algo, run.planned_steps) == ("hdpo-strong", 4, "sdpg", 7)


def test_folders_without_runs_are_refused_with_advice(tmp_path: Path) -> None:
    """A wrong path, an empty folder and a broken config each say what to do."""
    with pytest.raises(DataError, match=r"no folder is at .*give the folder of a run"):
        find_runs(tmp_path / "missing")
    with pytest.raises(DataError, match=r"holds no run.*metrics\.jsonl"):
        find_runs(tmp_path)
    folder = _metrics(tmp_path / "r", "")
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json is not JSON.*mend it or remove it"):
        load_run(folder)


def test_a_comparison_is_all_its_runs_once(writer: Callable) -> None:
    """The parent folder and one of its runs together still count every run once."""
    root = writer(steps=10).study(seeds=2)
    runs = load_runs([root, root / "grpo-seed1"])
    assert len(runs) == 18
    assert len({r.name for r in runs}) == 18


def test_groups_and_evaluations_are_read_as_written(writer: Callable) -> None:
    """Counts in the records are the counts in the files."""
    root = writer(steps=10, num_problems=5).study(seeds=1)
    run = load_run(root / "hdpo-strong-seed0")
    rows = [json.loads(r) for r in (root / "hdpo-strong-seed0/eval.jsonl").read_text().splitlines()]
    assert [(r.problem_id, r.num_correct) for r in run.evals] == [
        (r["problem_id"], r["correct"]) for r in rows
    ]
    assert len(run.groups) == 8 * 11
    assert run.skipped == ()


def test_impossible_counts_are_not_evaluations(writer: Callable) -> None:
    """More correct answers than samples is a fault of the file, reported with its line."""
    root = writer(steps=10, num_problems=1).study(seeds=1)
    path = root / "grpo-seed0" / "eval.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    with path.open("a") as file:
        file.write(json.dumps({**first, "correct": 9}) + "\n")
    run = load_run(root / "grpo-seed0")
    assert [s.why for s in run.skipped] == ["has no usable counts: 9 correct of 8"]


def test_an_answer_that_was_not_found_stays_absent(tmp_path: Path) -> None:
    """Null is no answer, not the word None; a text is kept as it is."""
    folder = _metrics(tmp_path / "r", '{"step": 0, "a": 1}\n')
    rows = [{"step": 0, "problem_id": "p", "text": "t", "extracted": e} for e in (None, "7")]
    (folder / "completions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    assert [c.extracted for c in load_run(folder).completions] == [None, "7"]


def test_only_the_ends_of_the_completions_are_kept(writer: Callable) -> None:
    """Of a long run's texts the first and the last step of each role stay in memory."""
    root = writer(steps=40).study(seeds=1)
    kept = load_run(root / "hdpo-strong-seed0").completions
    assert {(c.role, c.step) for c in kept} == {
        (role, step) for role in ("student", "teacher") for step in (0, 40)
    }
