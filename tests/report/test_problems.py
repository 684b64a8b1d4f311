"""The table of problems: each row is what the problem's groups say, and gold stays out of it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs import fit_prior
from hdpo_env.report.histories import History, Visit, kind_of_counts, ledger_of
from hdpo_env.report.problems import MAX_ROWS, MAX_TEXTS, STANDINGS, problem_tables, standing
from hdpo_env.report.records import CompletionRow, Curve, GroupRow, Run
from hdpo_env.report.study import Study
from hdpo_env.types import Problem

CURVES = {"a": Curve((0, 29), (0.0, 1.0))}
Counts = tuple[int, int, int]


def _study(groups: dict[str, list[tuple[int, Counts]]], **parts: object) -> Study:
    rows = tuple(
        GroupRow(step, problem, "table", "", counts)
        for problem, visits in groups.items()
        for step, counts in visits
    )
    made = {"config": {}, "curves": CURVES, **parts}
    run = Run("r", "hdpo", "hdpo", 0, groups=rows, ledger=ledger_of(rows), **made)  # type: ignore
    return Study((run,))


def _rows(table: str) -> dict[str, list[str]]:
    """Problem -> the words of its cells, as a reader sees them."""
    found = {}
    for body in re.findall(r"<tbody.*?</tbody>", table, re.S):
        row = body[: body.index("</tr>")]
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
        words = [unescape(" ".join(re.sub(r"<[^>]+>", " ", c).split())) for c in cells]
        found[words[0].split()[0]] = words[1:]
    return found


FATES = {
    "open": [(0, (0, 0, 8)), (25, (0, 7, 1))],
    "easy": [(0, (8, 0, 0)), (25, (7, 1, 0))],
    "gone": [(0, (0, 8, 0)), (11, (0, 6, 2)), (14, (2, 6, 0)), (25, (5, 3, 0))],
    "back": [(3, (0, 8, 0)), (12, (1, 7, 0)), (25, (0, 8, 0))],
    "hard": [(5, (0, 8, 0)), (25, (0, 8, 0))],
}


def test_rows_by_hand() -> None:
    """First and last counts, the belief of the last third, and the standing of five fates."""
    (table,) = problem_tables(_study(FATES))
    rows = _rows(table)
    assert list(rows) == ["hard", "back", "open", "gone", "easy"]
    assert rows["hard"][1:3] == ["0/8", "0/8"]
    assert rows["gone"][1:3] == ["0/8", "5/8"]
    assert 'title="1 cliff, 1 undecided, 2 mixed"' in table
    assert rows["open"][1:3] == ["0/0", "0/7"]
    assert [rows[p][4] for p in rows] == [
        "still a cliff 2 of 2 groups",
        "fell back 2 of 3 groups",
        "undecided",
        "escaped at step 14",
        "never a cliff",
    ]
    last = {"open": (0, 7), "easy": (7, 1), "gone": (5, 3), "back": (0, 8), "hard": (0, 8)}
    prior = fit_prior(last.values()).prior
    for problem, counts in last.items():
        mean, low, high = prior.updated(*counts).interval(0.9)
        shown = [float(number) for number in re.findall(r"[01]?\.\d+", rows[problem][3])]
        assert shown == pytest.approx([mean, low, high], abs=0.0051)
    assert "cause of failure" not in table


@given(st.lists(st.sampled_from("cmsu"), min_size=1, max_size=7))
def test_a_standing_is_read_from_the_decided_groups(fate: list[str]) -> None:
    """Regular expressions over the fate, without undecided groups, agree with the standing."""
    counts = {"c": (0, 4, 0), "m": (1, 3, 0), "s": (4, 0, 0), "u": (0, 3, 1)}
    visits = [Visit(i, *counts[k], kind_of_counts(*counts[k])) for i, k in enumerate(fate)]
    text = "".join(fate).replace("u", "")
    patterns = {
        "undecided": "",
        "never a cliff": "[ms]+",
        "still a cliff": "[ms]*c+",
        "fell back": "[ms]*c+[ms][cms]*c",
        "escaped": "[cms]*c[cms]*[ms]",
    }
    (expected,) = [name for name, pattern in patterns.items() if re.fullmatch(pattern, text)]
    assert standing(History("p", tuple(visits))) == expected
    assert expected in STANDINGS


def test_two_groups_of_one_step_are_told_in_their_order() -> None:
    """A problem drawn twice in a step may be born and escape there."""
    (table,) = problem_tables(_study({"p": [(4, (0, 8, 0)), (4, (1, 7, 0))]}))
    assert _rows(table)["p"][4] == "escaped at step 4"


def test_gold_is_shown_only_when_asked_for() -> None:
    """Questions come with their problems; gold answers and solutions only with show_gold."""
    problem = Problem("What is 6 times 7?", ("4711",), solution="It is 4711, clearly.")
    study = _study({problem.id: FATES["hard"]})
    (plain,) = problem_tables(study, [problem])
    assert "What is 6 times 7?" in plain
    assert "4711" not in plain
    (open_table,) = problem_tables(study, [problem], show_gold=True)
    assert "gold: 4711" in open_table
    assert "clearly" not in open_table
    assert "6 times 7" not in problem_tables(study)[0]


def _said(problem: str, step: int, role: str, text: str) -> CompletionRow:
    return CompletionRow(step, role, problem, text, "wrong", None)


def test_completions_stand_with_their_problem_until_the_room_is_full() -> None:
    """Each problem unfolds its completions; the page is kept small, the most troubled first."""
    texts = {
        "hard": (_said("hard", 5, "student", "so <b>sure</b>"), _said("hard", 5, "teacher", "see")),
        "gone": (_said("gone", 5, "student", "y" * 2000),),
    }
    (table,) = problem_tables(_study(FATES, texts=texts))
    assert table.count("<details>") == 2
    assert "2 completions" in table
    assert "so &lt;b&gt;sure&lt;/b&gt;" in table
    assert "first 600 of 2000 characters" in table
    many = {f"p{i:05}": [(0, (0, 8, 0))] for i in range(MAX_TEXTS // 600 + 50)}
    texts = {p: (_said(p, 0, "student", "z" * 600),) for p in many}
    (table,) = problem_tables(_study(many, texts=texts))
    assert table.count("<details>") == MAX_TEXTS // 600


def test_a_long_table_is_cut_and_says_so() -> None:
    """More problems than rows: the most troubled ones are shown, and all are counted."""
    groups = {f"p{i:05}": [(0, (i % 2 * 8, 8 - i % 2 * 8, 0))] for i in range(MAX_ROWS + 100)}
    (table,) = problem_tables(_study(groups))
    assert table.count("<tbody") == MAX_ROWS
    assert f"{MAX_ROWS + 100:,} problems, the {MAX_ROWS:,} most troubled ones are shown" in table
    cliffs = sum("still a cliff" in words[4] for words in _rows(table).values())
    assert cliffs == (MAX_ROWS + 100) // 2
