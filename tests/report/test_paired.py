"""Variants are compared problem by problem, on the problems they share."""

from __future__ import annotations

import re
from html import unescape

import pytest

from hdpo_env.report.paired import first_cliffs, last_values, paired_table, reference
from hdpo_env.report.records import Curve, EvalRow, Run
from hdpo_env.report.study import Study

CURVES = {"eval/cliff/pass@2": Curve((0, 9), (0.0, 1.0))}


def _run(variant: str, seed: int, start: dict[str, int], end: dict[str, int]) -> Run:
    evals = tuple(
        EvalRow(step, "cliff", problem, 4, correct)
        for step, counts in ((0, start), (5, dict.fromkeys(end, 4)), (9, end))
        for problem, correct in counts.items()
    )
    return Run(f"{variant}-{seed}", variant, variant, seed, {}, CURVES, evals=evals)


# pass@2 of 0, 1, 2, 3, 4 correct in 4: 0, 1/2, 5/6, 1, 1.
STUDY = Study(
    (
        _run("grpo", 0, {"a": 0, "b": 0, "c": 1, "d": 0}, {"a": 0, "b": 1, "c": 4, "d": 0}),
        _run("hdpo", 0, {"a": 0, "b": 0, "c": 0, "d": 2}, {"a": 1, "b": 4, "c": 2, "e": 4}),
        _run("hdpo", 1, {"a": 0, "b": 0, "c": 0}, {"a": 2, "b": 0, "c": 4}),
    )
)


def _cells(table: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", table, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", " ", c)).strip() for c in row] for row in cells]


def test_values_are_means_over_seeds_at_the_last_evaluation() -> None:
    """Problem a: (1/2 + 5/6)/2; b: (1 + 0)/2; c: (5/6 + 1)/2; e was seen by one seed alone."""
    found = last_values(STUDY, "hdpo", 2)
    assert found == pytest.approx({"a": 2 / 3, "b": 1 / 2, "c": 11 / 12, "e": 1.0})


def test_first_cliffs_were_solved_by_no_run_before_training() -> None:
    """Solved once were c under grpo and d under hdpo: a and b remain, whatever came later."""
    assert first_cliffs(STUDY) == {"a", "b"}


def test_the_table_by_hand() -> None:
    """Shared are a, b, c: +2/3, 0 and -1/12 make +.194; on the cliffs a and b +1/3.

    Three problems say little: s = .2373, A = .3895 and t(2) = 4.303 put Hall's lower end 2.958 s
    below the mean, and the upper one beyond 1, where it is cut.
    """
    table = paired_table(STUDY)
    assert table is not None
    head, row = _cells(table)
    assert head == ["", "problems", "pass@2", "first cliffs", "pass@2 on these"]
    name, num, all_of_them, num_cliffs, on_cliffs = row
    assert (name, num, num_cliffs) == ("hdpo", "3", "2")
    assert all_of_them.split()[0] == "+.194"
    assert on_cliffs.split()[0] == "+.333"
    low, high = re.findall(r"[+−]?[01]?\.\d+", all_of_them)[1:]
    assert low == "−.507"
    assert float(high) == 1
    assert reference(STUDY) == "grpo"


def test_one_variant_or_no_shared_problem_has_no_comparison() -> None:
    """There is nothing to compare with, or nothing to compare on."""
    alone = _run("grpo", 0, {"a": 0}, {"a": 1})
    assert paired_table(Study((alone,))) is None
    assert paired_table(Study((alone, _run("hdpo", 0, {"z": 0}, {"z": 1})))) is None
    other = paired_table(Study((alone, _run("hdpo", 0, {"a": 4}, {"a": 4}))))
    assert other is not None
    assert _cells(other)[1][3:] == ["0", "–"]


def test_without_a_baseline_the_first_variant_is_the_reference() -> None:
    """Two variants of HDPO are compared with each other."""
    runs = tuple(_run(v, 0, {"a": 0}, {"a": n}) for v, n in (("hdpo-b", 4), ("hdpo-a", 0)))
    assert reference(Study(runs)) == "hdpo-a"
    table = paired_table(Study(runs))
    assert table is not None
    assert _cells(table)[1][:3] == ["hdpo-b", "1", "+1.000 −.950 to +1.000"]
