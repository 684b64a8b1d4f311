"""Rollouts in our own words, and what other systems' dialects must not make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hdpo_env.commands.cliff_facts import summarize
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
