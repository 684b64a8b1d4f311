"""What the report says about cliffs is what the groups of the runs say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import combinations, product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.cliffs import Beta, LedgerWriter, fit_prior
from hdpo_env.report.axes import rate
from hdpo_env.report.cliff_figures import (
    beliefs,
    causes,
    cliff_facts,
    escapes,
    mixture_cdf,
    moves,
)
from hdpo_env.report.coverage import coverage
from hdpo_env.report.histories import histories, ledger_of, windows
from hdpo_env.report.html import page
from hdpo_env.report.load import load_run
from hdpo_env.report.records import Curve, EvalRow, GroupRow, Run
from hdpo_env.report.study import Study
from hdpo_env.report.weights import weights

KINDS = {"c": (0, 4), "m": (1, 3), "s": (4, 0), "u": (0, 3)}


def _rows(fates: dict[str, str], spacing: int = 10) -> list[GroupRow]:
    """One group every ``spacing`` steps: c cliff, m mixed, s saturated, u undecided."""
    return [
        GroupRow(spacing * i, problem, "", "", (*KINDS[kind], int(kind == "u")))
        for problem, fate in fates.items()
        for i, kind in enumerate(fate)
        if kind != "."
    ]


def _run(fates: dict[str, str] | None = None, **parts: object) -> Run:
    rows = tuple(_rows(fates or {}))
    defaults: dict = {"config": {}, "curves": {"a": Curve((0, 30), (0.0, 1.0))}}
    made = {"algo": "hdpo", "variant": "hdpo", "seed": 0, **defaults, **parts}
    return Run("hdpo-seed0", groups=rows, ledger=ledger_of(rows), **made)


def test_facts_by_hand() -> None:
    """Seven problems: which were cliffs, came again, escaped, fell back, and are cliffs at last."""
    fates = {
        "escaped": "ccm",
        "relapsed": "cmc",
        "both": "cmcm",
        "stands": "cc",
        "once": "c",
        "never": "mms",
        "open": "u",
    }
    facts = cliff_facts(Study((_run(fates),)), "hdpo")
    assert facts is not None
    assert facts._asdict() == {
        "num_problems": 7,
        "num_cliffs": 5,
        "num_revisited": 4,
        "num_escaped": 3,
        "num_relapsed": 2,
        "num_standing": 3,
        "median_steps": 10,
    }


@given(st.dictionaries(st.sampled_from("abcdefg"), st.text("cmsu", min_size=1, max_size=5)))
def test_facts_are_what_reading_each_fate_gives(fates: dict[str, str]) -> None:
    """Every count is that of regular expressions over the problems' fates, undecided left out."""
    facts = cliff_facts(Study((_run(fates),)), "hdpo")
    if not fates:
        assert facts is None
        return
    known = [fate.replace("u", "") for fate in fates.values()]
    assert facts is not None
    assert facts.num_problems == len(fates)
    assert facts.num_cliffs == sum("c" in fate for fate in known)
    assert facts.num_escaped == sum(bool(re.search("c.*[ms]", fate)) for fate in known)
    assert facts.num_relapsed == sum(bool(re.search("c.*[ms].*c", fate)) for fate in known)
    assert facts.num_standing == sum(fate.endswith("c") for fate in known)
    assert facts.num_revisited == sum(
        fate.find("c") + 1 < len(fate) for fate in known if "c" in fate
    )


def test_a_ledger_and_its_groups_tell_the_same(writer: Callable) -> None:
    """With a ledger or with groups.jsonl alone, every problem has the same history."""
    folder = writer("with").run("hdpo-gentle", _variant(writer), 0)
    kept = load_run(folder)
    for file in (folder / "ledger").iterdir():
        file.unlink()
    rebuilt = load_run(folder)
    assert histories(kept) == histories(rebuilt)
    assert len(histories(kept)) > 50
    (folder / "groups.jsonl").unlink()
    assert histories(load_run(folder)) == ()


def _variant(writer: Callable) -> object:
    import sys

    return sys.modules[type(writer()).__module__].DEMO["hdpo-gentle"]


def test_held_out_groups_are_no_training(tmp_path: Path) -> None:
    """The ledger's evaluation groups are left out, and a torn ledger is named on the page."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 0, "a": 1}\n')
    for name, problem in (("train", "p"), ("eval", "q")):
        with LedgerWriter(folder / "ledger", writer=name) as ledger:
            ledger.append(problem, step=0, num_correct=0, num_wrong=4)
    with (folder / "ledger" / "train.events").open("ab") as file:
        file.write(b"torn")
    run = load_run(folder)
    assert [h.problem_id for h in histories(run)] == ["p"]
    assert [s.why for s in run.skipped] == [
        "train.events: the last record is torn (4 bytes); skipped"
    ]


def test_a_threshold_makes_more_cliffs() -> None:
    """Where one success still counts as a cliff, a group with one is of that kind."""
    config = {"algo": {"distill": {"cliff_threshold": 1.0}}}
    (plain,) = histories(_run({"p": "m"}))
    (lenient,) = histories(_run({"p": "m"}, config=config))
    assert (plain.first.kind, lenient.first.kind) == ("mixed", "cliff")


def test_escapes_by_hand() -> None:
    """Of three cliffs one escapes after 10 steps, one after 20; one is watched for 10 only."""
    run = _run({"a": "cm", "b": "ccm", "d": "cc"})
    figure = escapes(Study((run,)))
    assert figure is not None
    (line,) = figure.lines
    assert [(p.step, round(p.mean, 4), p.num_seeds) for p in line.points] == [
        (0, 0.0, 3),
        (10, 0.3333, 3),
        (20, 1.0, 1),
    ]
    assert "from .000 to 1.000" in figure.chart
    assert escapes(Study((_run({"a": "mm"}),))) is None


def test_moves_by_hand() -> None:
    """First and last decided group of each problem drawn twice; the rest is not counted."""
    fates = {f"a{i}": "cm" for i in range(6)} | {f"b{i}": "muc" for i in range(5)}
    figure = moves(Study((_run(fates | {"once": "c", "open": "uc"}),)), "hdpo")
    assert figure is not None
    assert "11 problems: 6 from cliff to mixed; 5 from mixed to cliff." in figure.chart
    assert figure.caption == "11 problems drawn at least twice."
    assert moves(Study((_run({"a": "cm"}),)), "hdpo") is None


def test_moves_through_thirds_by_hand() -> None:
    """The last decided group in each third of steps 0 to 30, if half of the problems have one."""
    fates = {f"a{i}": "mcms" for i in range(6)} | {f"b{i}": "ccuc" for i in range(5)}
    figure = moves(Study((_run(fates),)), "hdpo")
    assert figure is not None
    told = "first third to second third: 6 from cliff to mixed. "
    told += "second third to last third: 6 from mixed to saturated."
    assert f"6 problems. {told}" in figure.chart
    assert figure.caption == (
        "6 of 11 problems drawn at least twice: those with a decided group in every third of "
        "training, by the last one in each."
    )
    few = moves(Study((_run(fates | {f"d{i}": "cm" for i in range(2)}),)), "hdpo")
    assert few is not None
    assert few.caption == "13 problems drawn at least twice."


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=6),
    st.floats(0.6, 4),
    st.floats(0.6, 4),
)
def test_the_mixture_is_the_mean_of_densities(
    counts: list[tuple[int, int]], a: float, b: float
) -> None:
    """Summing the posterior densities on a fine grid gives the same shares below each place."""
    places = [0.1, 0.35, 0.8]
    num = 40_000
    grid = [(i + 0.5) / num for i in range(num)]
    expected = [0.0] * 3
    for c, w in counts:
        weights_ = [x ** (a + c - 1) * (1 - x) ** (b + w - 1) for x in grid[::20]]
        total = sum(weights_)
        for i, place in enumerate(places):
            below = sum(v for x, v in zip(grid[::20], weights_, strict=True) if x < place)
            expected[i] += below / total / len(counts)
    assert mixture_cdf(counts, Beta(a, b), places) == pytest.approx(expected, abs=0.02)


def _in_thirds(first: list[int], last: list[int]) -> Run:
    """Twelve problems' successes of eight at steps 9 and 25 of 30; at 15 each has four."""
    run = _run(curves={"a": Curve((0, 29), (0.0, 1.0))})
    rows = tuple(
        GroupRow(step, f"p{i}", "", "", (c, 8 - c, 0))
        for i, (a, b) in enumerate(zip(first, last, strict=True))
        for step, c in ((9, a), (15, 4), (25, b))
    )
    return Run("r", "hdpo", "hdpo", 0, {}, run.curves, groups=rows, ledger=ledger_of(rows))


HARD, EASY = [0] * 7 + [1, 2, 4, 7, 8], [0, 1, 5, 6, 7] + [8] * 7


def test_beliefs_split_training_in_thirds() -> None:
    """Steps 0 to 9 of 30 are the first window, 20 to 29 the last; the middle counts in neither."""
    run = _in_thirds(HARD, EASY)
    assert windows(run) == ((0, 10.0), (pytest.approx(20.0), 30))
    figure = beliefs(Study((run,)), "hdpo")
    assert figure is not None
    told = []
    for name, successes in (("first third of training", HARD), ("last third", EASY)):
        counts = [(c, 8 - c) for c in successes]
        prior = fit_prior(counts).prior
        [below] = mixture_cdf(counts, prior, [0.01])
        told.append(
            f"{name}: 12 problems, prior Beta({prior.a:.2g}, {prior.b:.2g}), "
            f"share with a pass rate below .01: {rate(below)}"
        )
    assert "; ".join(told)[1:] in figure.caption
    assert "open" not in figure.caption
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="bar c0"', figure.chart)]
    assert heights[0] == max(heights)
    assert beliefs(Study((_run({"p": "cmcm"}),)), "hdpo") is None


def test_an_open_prior_is_not_drawn() -> None:
    """A third that solved nothing, or everything, has no posterior; the other is still shown."""
    figure = beliefs(Study((_in_thirds(HARD, [8] * 12),)), "hdpo")
    assert figure is not None
    assert "The counts of the last third leave its prior open." in figure.caption
    assert "Last third:" not in figure.caption
    assert "; last third:" not in figure.caption
    assert beliefs(Study((_in_thirds([0] * 12, [8] * 12),)), "hdpo") is None


def test_causes_by_hand(tmp_path: Path) -> None:
    """Three groups cut short, two without an answer, one solved: five are explained."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 9, "a": 1}\n')
    outcomes = [{"truncated": 4}] * 3 + [{"no_answer": 3, "wrong": 1}] * 2 + [{"correct": 4}]
    rows = [
        {"step": i, "problem_id": f"p{i}", "kind": "cliff", "evidence": {"outcomes": o}}
        for i, o in enumerate(outcomes)
    ]
    rows.append({**rows[0], "evidence": {"outcomes": {"nonsense": 4}}})
    (folder / "groups.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    run = load_run(folder)
    assert len(run.skipped) == 1
    figure = causes(Study((run,)), run.variant)
    assert figure is not None
    assert "truncated 3 of 5; no answer 2 of 5." in figure.chart
    assert "3 · 60 %" in figure.chart
    assert causes(Study((_run({"p": "c"}),)), "hdpo") is None


def test_advice_knows_which_variant_distils_already(tmp_path: Path) -> None:
    """The same cause in two variants: each gets its own advice, in the figure and in the list."""
    evidence = {"outcomes": {"wrong": 4}, "answers": 4, "votes": 1}
    counts = {"num_correct": 0, "num_wrong": 4, "num_abstained": 0}
    row = {"step": 1, "problem_id": "p", "kind": "cliff", "evidence": evidence, **counts}
    told = {"step": 1, "privileged/cliffs_tried": 2.0}
    for name, metrics in (("grpo", {"step": 1, "a": 1}), ("hdpo", told)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(json.dumps(metrics) + "\n")
        (tmp_path / name / "groups.jsonl").write_text(json.dumps(row) + "\n")
    study = Study((load_run(tmp_path / "grpo"), load_run(tmp_path / "hdpo")))
    for variant, begins in (("grpo", True), ("hdpo", False)):
        figure = causes(study, variant)
        assert figure is not None
        assert ("--algo hdpo" in figure.chart) is begins
    text = page(study, "two")
    advice = re.search(r"What to do: under grpo, (.*?); under hdpo, (.*?)</dd>", text)
    assert advice is not None
    assert ("--algo hdpo" in advice[1], "--algo hdpo" in advice[2]) == (True, False)


def _brute(n: int, c: int, k: int) -> float:
    subsets = list(combinations([True] * c + [False] * (n - c), k))
    return sum(any(s) for s in subsets) / len(subsets)


def test_coverage_is_pass_at_k_by_enumeration() -> None:
    """Before and after, at k = 1, 2, 4 and n: the mean over problems and seeds of all subsets."""
    rng = Random(5)
    counts = {
        (seed, step, i): rng.randrange(7) for seed, step, i in product((0, 1), (0, 5, 9), range(12))
    }
    runs = [
        _run(
            seed=seed,
            evals=tuple(
                EvalRow(step, "cliff", f"p{i}", 6, counts[seed, step, i])
                for step in (0, 5, 9)
                for i in range(12)
            ),
            curves={"eval/cliff/pass@4": Curve((0, 9), (0.0, 1.0))},
        )
        for seed in (0, 1)
    ]
    (figure,) = coverage(Study(tuple(runs)))
    for line, step in zip(figure.lines, (0, 9), strict=True):
        assert [figure.axis.value(p.step) for p in line.points] == ["1", "2", "4", "6"]
        for point, k in zip(line.points, (1, 2, 4, 6), strict=True):
            values = [_brute(6, counts[s, step, i], k) for s in (0, 1) for i in range(12)]
            assert point.mean == pytest.approx(sum(values) / len(values))
            assert point.low <= point.mean <= point.high
            assert point.num_seeds == 12
    spread = figure.lines[1].points[0]
    assert 0.05 < spread.high - spread.low < 0.5
    assert [line.label for line in figure.lines] == ["before", "hdpo"]


def _weighted(variant: str, weight: float, ends: Sequence[float], **distill: object) -> list[Run]:
    config = {"algo": {"name": "hdpo", "distill": {"weight": weight, **distill}}}
    algo = "grpo" if variant == "grpo" else "hdpo"
    return [
        _run(
            algo=algo,
            variant=variant,
            seed=seed,
            config=config,
            curves={"eval/cliff/pass@8": Curve((0, 9), (0.0, end))},
        )
        for seed, end in enumerate(ends)
    ]


def test_weights_by_hand() -> None:
    """Twins that differ in the weight alone form a line from the baseline; others do not join."""
    runs = [
        *_weighted("grpo", 0.0, [0.0, 0.1]),
        *_weighted("hdpo-gentle", 0.01, [0.3, 0.5]),
        *_weighted("hdpo-strong", 0.1, [0.8]),
        *_weighted("hdpo-gentle-frozen", 0.01, [0.2], teacher="frozen"),
        *_weighted("hdpo-strong-frozen", 0.1, [0.7], teacher="frozen"),
        *_weighted("other", 0.5, [0.9], top_k=3),
    ]
    (figure,) = weights(Study(tuple(runs)))
    assert figure.caption.endswith("Weight 0 is grpo.")
    assert figure.axis.ticks == ((0, "0"), (1, ".01"), (2, ".1"))
    assert [line.label for line in figure.lines] == ["hdpo", "hdpo-frozen"]
    first, second = ([tuple(p) for p in line.points] for line in figure.lines)
    assert first == [(0, 0.05, 0.0, 0.1, 2), (1, 0.4, 0.3, 0.5, 2), (2, 0.8, 0.8, 0.8, 1)]
    assert [p[1] for p in second] == [0.05, 0.2, 0.7]
    assert weights(Study(tuple(_weighted("hdpo", 0.1, [0.3])))) == []
