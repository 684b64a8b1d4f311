"""Tables hold the counts and numbers that the records hold."""

from __future__ import annotations

import re

import pytest

from hdpo_env.config import preset, to_dict
from hdpo_env.report.departures import departures
from hdpo_env.report.figures import (
    MAX_RASTER_ROWS,
    deciding,
    kind_of,
    rasters,
    trade_off,
    training,
)
from hdpo_env.report.lines import Line
from hdpo_env.report.looks import Look
from hdpo_env.report.records import Curve, EvalRow, GroupRow, Run
from hdpo_env.report.seeds import BandPoint, SeedMean
from hdpo_env.report.study import Study
from hdpo_env.report.tables import interval_text, numbers, results, transitions

KEY = "eval/cliff/pass@8"


def _run(variant: str = "hdpo", seed: int = 0, **parts: object) -> Run:
    defaults: dict = {"config": {}, "curves": {KEY: Curve((0, 10), (0.0, 0.5))}}
    algo = variant.split("-")[0]
    return Run(f"{variant}-seed{seed}", algo, variant, seed, **{**defaults, **parts})


def _cells(table: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", table, re.S)
    return [re.findall(r"<td[^>]*>([^<]*)", row) for row in rows]


def test_transitions_by_hand() -> None:
    """Three problems fell open, one was lost, one stayed: rows are starts, columns are ends."""
    fates = {"a": (0, 3), "b": (0, 8), "c": (0, 2), "d": (5, 0), "e": (8, 8)}
    evals = tuple(
        EvalRow(step, "cliff", problem, 8, fate[i])
        for problem, fate in fates.items()
        for i, step in enumerate((0, 10))
    )
    middle = EvalRow(5, "cliff", "a", 8, 8)  # only the ends count
    other = EvalRow(0, "easy", "z", 8, 8), EvalRow(10, "easy", "z", 8, 0)
    table = transitions(Study((_run(evals=(middle, *evals, *other)),)), "hdpo")
    assert table is not None
    assert _cells(table)[1:] == [["0", "2", "1"], ["1", "0", "0"], ["0", "0", "1"]]


def test_transitions_of_training_groups_where_nothing_was_evaluated_twice() -> None:
    """Without evaluations the first and last training group of each problem are compared."""
    groups = (
        GroupRow(0, "p", "cliff", "cliff"),
        GroupRow(3, "p", "cliff", "mixed"),
        GroupRow(1, "once", "cliff", "cliff"),
    )
    table = transitions(Study((_run(groups=groups),)), "hdpo")
    assert table is not None
    assert _cells(table)[1] == ["0", "1", "0"]
    assert sum(int(n) for row in _cells(table)[1:] for n in row) == 1


def test_kinds_of_evaluated_problems() -> None:
    """None correct is a cliff, all correct saturated, anything between mixed."""
    kinds = [kind_of(EvalRow(0, "s", "p", 4, c)) for c in range(5)]
    assert kinds == ["cliff", "mixed", "mixed", "mixed", "saturated"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (SeedMean(0.5, 0.25, 0.75, 3), ".250–.750"),
        (SeedMean(0.5, 0.5, 0.5, 3), "all equal"),
        (SeedMean(0.5, None, None, 1), None),
    ],
)
def test_interval_texts(value: SeedMean, text: str | None) -> None:
    """A spread of zero is words, one seed nothing."""
    assert interval_text(value) == text


def test_results_by_hand() -> None:
    """Start, end and training cliffs stand in their columns."""
    curves = {
        KEY: Curve((0, 10), (0.125, 0.5)),
        "eval/cliff/pass@1": Curve((0, 10), (0.01, 0.2)),
        "groups/cliff_rate": Curve((0, 10), (0.75, 0.25)),
    }
    cells = _cells(results(Study((_run(curves=curves),))))
    assert cells[2] == ["", ".010", ".125", ""]
    assert cells[3] == ["1", ".200", ".500", ".75 → .25"]


def test_a_lonely_seed_among_several_is_marked() -> None:
    """One seed beside variants with more says so in its row; among equals the caption does."""
    mixed = results(Study((_run("a"), _run("b"), _run("b", 1))))
    assert mixed.count("one seed, no interval") == 1
    assert "One seed, no interval." not in mixed
    alone = results(Study((_run("a"), _run("b"))))
    assert "One seed, no interval." in alone
    assert "one seed, no interval" not in alone


def test_a_transition_is_shaded_by_its_share() -> None:
    """One of four problems is a quarter of the shade."""
    fates = {"a": (0, 3), "b": (0, 0), "c": (0, 0), "d": (0, 0)}
    evals = tuple(
        EvalRow(10 * i, "cliff", problem, 8, fate[i])
        for problem, fate in fates.items()
        for i in (0, 1)
    )
    table = transitions(Study((_run(evals=evals),)), "hdpo")
    assert table is not None
    assert '--share:0.250">1<' in table
    assert '--share:0.750">3<' in table


def test_departures_by_hand() -> None:
    """Two changed settings of one variant, one of both; the seed is no departure."""
    plain, changed = to_dict(preset("hdpo")), to_dict(preset("hdpo"))
    plain["seed"] = changed["seed"] = 5
    plain["steps"] = changed["steps"] = 7
    changed["algo"]["distill"]["weight"] = 0.5  # type: ignore[index]
    changed["eval"]["ks"] = [1]  # type: ignore[index]
    table = departures(Study((_run("hdpo", config=plain), _run("hdpo-b", config=changed))))
    assert table is not None
    names = re.findall(r"<code>(.*?)</code>", table)
    assert dict(zip(names, _cells(table)[1:], strict=True)) == {
        "algo.distill.weight": ["0.01", "0.5", "hdpo-b"],
        "eval.ks": ["1, 4, 8", "1", "hdpo-b"],
        "steps": ["2000", "7", "all"],
    }


def test_no_departure_no_table() -> None:
    """A run of the preset itself, or of an algorithm without preset, has nothing to list."""
    exact = _run("hdpo", config=to_dict(preset("hdpo")))
    unknown = _run("mine", config={"steps": 3})
    assert departures(Study((exact, unknown))) is None


def test_long_curves_keep_their_last_number() -> None:
    """The table behind a chart is thinned but ends where the curve ends."""
    points = [BandPoint(s, s / 1000, 0, 1, 1) for s in range(500)]
    table = numbers([Line("a", points, Look(0, False, 0))])
    steps = re.findall(r'<th scope="row"[^>]*>(\d+)', table)
    assert len(steps) <= 31
    assert (steps[0], steps[-1]) == ("0", "499")
    assert ".499" in table


def test_training_curves_are_thinned_means() -> None:
    """Of 200 steps each point averages four, and the caption says so."""
    rates = Curve(tuple(range(200)), tuple(float(s % 4 == 0) for s in range(200)))
    (figure,) = training(Study((_run(curves={"groups/cliff_rate": rates}),)))
    assert {p.mean for p in figure.lines[0].points} == {0.25}
    assert "mean of 4 steps" in figure.caption


@pytest.mark.parametrize(
    ("keys", "titles"),
    [
        (["cliff/pass@8", "easy/pass@1", "easy/pass@8"], ["Cliff pass@8", "Easy pass@1"]),
        (["AIME/pass@1", "AIME/pass@32"], ["AIME pass@32", "AIME pass@1"]),
        (["AIME/greedy"], ["AIME greedy"]),
        ([], []),
    ],
)
def test_the_deciding_curves_fit_what_was_evaluated(keys: list[str], titles: list[str]) -> None:
    """The demo's slices, a benchmark with its own k, greedy accuracy alone, or nothing."""
    curves = {f"eval/{key}": Curve((0, 10), (0.1, 0.5)) for key in keys}
    run = _run(curves={**curves, "groups/cliff_rate": Curve((0,), (0.5,))})
    assert [figure.title for figure in deciding(Study((run,)))] == titles


def test_trade_off_is_one_point_a_run() -> None:
    """Two finished runs, two points at their last values; an unfinished seed has none."""
    both = {KEY: Curve((0, 10), (0.0, 0.5)), "eval/easy/pass@1": Curve((0, 10), (0.7, 0.9))}
    early = {k: Curve((0,), c.values[:1]) for k, c in both.items()}
    runs = (_run("grpo", curves=both), _run("hdpo", curves=both), _run("hdpo", 1, curves=early))
    figure = trade_off(Study(runs))
    assert figure is not None
    assert figure.chart.count("<circle") == 2
    assert "grpo at .500, .900" in figure.chart


def test_large_rasters_are_thinned_evenly() -> None:
    """Of 1,000 problems every fourth is drawn, best first, and the caption counts them."""
    evals = tuple(
        EvalRow(step, "cliff", f"{i:04d}", 8, 8 if step and i < 500 else 0)
        for i in range(1000)
        for step in (0, 10)
    )
    (figure,) = rasters(Study((_run(evals=evals),)))
    assert f"{MAX_RASTER_ROWS} of 1000 problems, evenly chosen." in figure.caption
    assert "At step 10: 120 cliff, 0 mixed, 120 saturated." in figure.chart
