"""Limits: of problems that come out, and of rows that are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hdpo_env.problems import FieldMap, load_problems


@pytest.mark.parametrize("order", ["adjacent", "interleaved"])
def test_the_limit_counts_problems_not_rows(order: str, tmp_path: Path) -> None:
    """Of 20 problems, each 3 times and every fifth a bad row, a limit of 12 takes the first 12."""
    rows = [{"question": f"{i}?", "answer": "" if i % 5 == 4 else str(i)} for i in range(20)]
    copies = [row for row in rows for _ in range(3)] if order == "adjacent" else rows * 3
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(map(json.dumps, copies)), encoding="utf-8")
    wanted = FieldMap(keep=lambda row: row["answer"] != "7")
    report = load_problems(path, limit=12, field_map=wanted)
    golds = [str(i) for i in range(20) if i % 5 != 4 and i != 7]
    assert [p.gold for p in report.problems] == golds[:12]
    assert [p.gold for p in load_problems(path, limit=99, field_map=wanted).problems] == golds
    first = load_problems(path, max_rows=2)
    assert len(first.problems) + len(first.bad_rows) == 2
    assert load_problems(path, limit=0).problems == ()
