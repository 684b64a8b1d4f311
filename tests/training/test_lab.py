"""What a run says about its cliffs: causes with evidence, the phantom gauge, and a diagnosis."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hdpo_env.cliffs import classify_correct, triage_rows
from hdpo_env.commands.doctor import of_run
from hdpo_env.config import TrainConfig
from hdpo_env.trainer import Trainer
from hdpo_env.training.summary import group_rows, lab_metrics
from hdpo_env.types import Completion, Group, Outcome, Problem, Prompt, Rollout, Verdict


def rows_of(trainer: Trainer, name: str) -> list[dict[str, Any]]:
    """The rows of one of a run's logs."""
    return [json.loads(line) for line in (trainer.run_dir / name).read_text().splitlines()]


def test_every_cliff_of_a_run_has_a_cause(
    make_trainer: Callable[..., Trainer], config_of: Callable[..., TrainConfig]
) -> None:
    """Evidence counts the group's own rollouts; privileged ones decide between the last causes."""
    trainer = make_trainer(config_of("hdpo", weight=0.5))
    trainer.run()
    rows = rows_of(trainer, "groups.jsonl")
    for row in rows:
        counts = Counter(row["evidence"]["outcomes"])
        assert counts["correct"] == row["num_correct"]
        assert counts.total() == row["num_correct"] + row["num_wrong"] + row["num_abstained"]
        assert (row["cause"] is None) == (row["num_correct"] > 0)
        if row["kind"] == "cliff":
            assert row["evidence"]["privileged"] is not None
        assert (
            classify_correct([True] * row["num_correct"] + [False] * row["num_wrong"]).value
            == (row["kind"])
        )
    causes = {row["cause"] for row in rows}
    assert {"solvable_with_privilege", "unsolvable_with_privilege"} & causes
    for line in rows_of(trainer, "metrics.jsonl"):
        shares = [v for name, v in line.items() if name.startswith("cliffs/cause/")]
        assert not shares or sum(shares) == pytest.approx(1)
    unsolved = [row for row in rows if row["cause"]]
    assert len(triage_rows(rows)) == len(unsolved)
    vitals = of_run(trainer.run_dir, last=3)
    recent = [row for row in rows if row["step"] > max(r["step"] for r in rows) - 3]
    assert vitals.kinds.num_groups == len(recent)
    assert len(vitals.findings) == sum(row["cause"] is not None for row in recent)


def group(*outcomes: Outcome) -> Group:
    """A group that came out like this."""
    problem = Problem("q", ("1",), verifier="exact")
    rollouts = [
        Rollout(Prompt(problem.id, ()), Completion((1,), "2"), Verdict(o, "2"), None)
        for o in outcomes
    ]
    return Group(problem, tuple(rollouts))


def test_the_gauge_by_hand() -> None:
    """Of three cliffs one states answers in some rollouts only: a bonus for it would train that."""
    wrong, silent = Outcome.WRONG, Outcome.NO_ANSWER
    groups = [
        group(wrong, wrong),
        group(wrong, silent),
        group(silent, silent),
        group(Outcome.CORRECT, silent),
    ]
    rows = list(group_rows(0, groups, threshold=0))
    metrics = lab_metrics(groups, rows)
    assert metrics.pop("cliffs/phantom_rate") == pytest.approx(1 / 3)
    assert metrics == {
        "cliffs/cause/hard": pytest.approx(1 / 3),
        "cliffs/cause/no_answer": pytest.approx(2 / 3),
    }
    assert lab_metrics(groups[3:], rows[3:]) == {}


def test_the_gauge_takes_the_runs_threshold() -> None:
    """With one success a cliff too, two groups in three have failures that a bonus tells apart."""
    right, wrong, silent = Outcome.CORRECT, Outcome.WRONG, Outcome.NO_ANSWER
    groups = [
        group(right, wrong, silent),
        group(wrong, silent, silent),
        group(right, silent, silent),  # the success is no phantom
        group(right, right, silent),
    ]
    for threshold, rate in ((0, 1.0), (1, 2 / 3)):
        rows = list(group_rows(0, groups, threshold=threshold))
        assert lab_metrics(groups, rows)["cliffs/phantom_rate"] == pytest.approx(rate)
