"""The tables of the report: results with intervals, transitions, departures, and the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from hdpo_env.report.axes import Axis, rate
from hdpo_env.report.cliff_figures import CliffFacts, cliff_facts
from hdpo_env.report.figures import KINDS, kind_of, looks_of
from hdpo_env.report.lines import STEPS, Line
from hdpo_env.report.looks import Look
from hdpo_env.report.markup import Markup, el, join
from hdpo_env.report.records import Run
from hdpo_env.report.seeds import SeedMean, seed_mean
from hdpo_env.report.study import Study

MAX_NUMBER_ROWS = 30


def results(study: Study) -> Markup:
    """Variants by slices at the end of training, the common start in the first row."""
    metrics = [
        f"pass@{k}" for k in (study.ks[:1] + study.ks[-1:] if len(study.ks) > 1 else study.ks)
    ]
    metrics = metrics or ["greedy"]
    columns = [f"eval/{s}/{m}" for s, m in product(study.slices, metrics)]
    looks = looks_of(study)
    head = el(
        "thead",
        el(
            "tr",
            el("th", "", rowspan=2),
            el("th", "seeds", rowspan=2, scope="col", class_="num"),
            *(
                el("th", s, colspan=len(metrics), scope="colgroup", class_="slice")
                for s in study.slices
            ),
            el("th", "training cliffs", rowspan=2, scope="col", class_="num"),
        ),
        el("tr", *(el("th", m, scope="col", class_="num") for _ in study.slices for m in metrics)),
    )
    body = [_start_row(study, columns)]
    body += [_result_row(study, v, columns, looks[v]) for v in study.variants]
    caption = "At the last evaluation. Training cliffs: share of groups, first to last."
    if study.num_seeds == 1:
        caption += " One seed, no interval."
    return el("table", el("caption", caption), head, el("tbody", *body), class_="results")


def _start_row(study: Study, columns: Sequence[str]) -> Markup:
    cells = []
    for key in columns:
        starts = [run.curves[key].first for run in study.runs if key in run.curves]
        cells.append(_cell(seed_mean(starts)._replace(low=None, high=None) if starts else None))
    return el(
        "tr",
        el("th", "before training", scope="row"),
        el("td", ""),
        *cells,
        el("td", ""),
        class_="start",
    )


def _result_row(study: Study, variant: str, columns: Sequence[str], look: Look) -> Markup:
    n = len(study.finished[variant])
    note = el("small", "one seed, no interval") if n == 1 < study.num_seeds else None
    seeds = el("td", str(n), note, class_="num seeds")
    cells = [_cell(study.end(variant, key)) for key in columns]
    return el(
        "tr",
        el("th", swatch(look), variant, scope="row"),
        seeds,
        *cells,
        _cliff_cell(study, variant),
        class_=f"v{look.switch}",
    )


def _cell(value: SeedMean | None) -> Markup:
    if value is None:
        return el("td", "–", class_="num none")
    text = interval_text(value)
    return el("td", rate(value.mean), el("small", text) if text else None, class_="num")


def interval_text(value: SeedMean) -> str | None:
    """The interval's ends; a spread of zero is said in words, since it is not a certainty."""
    if value.low is None or value.high is None:
        return None
    return "all equal" if value.low == value.high else f"{rate(value.low)}–{rate(value.high)}"


def _cliff_cell(study: Study, variant: str) -> Markup:
    points = study.curve(variant, "groups/cliff_rate", thin=True)
    text = f"{rate(points[0].mean, 2)} → {rate(points[-1].mean, 2)}" if points else "–"
    return el("td", text, class_="num")


def swatch(look: Look) -> Markup:
    """A short piece of a variant's line."""
    return el(
        "svg",
        el("path", d="M1,5H21", class_="line"),
        viewBox="0 0 22 10",
        class_=f"swatch {look.classes}",
        aria_hidden="true",
    )


def cliff_table(study: Study) -> Markup | None:
    """What became of the cliffs of training, a row for each variant."""
    looks = looks_of(study)
    rows = [
        el(
            "tr",
            el("th", swatch(looks[variant]), variant, scope="row"),
            *(el("td", text, class_="num") for text in _fact_cells(facts)),
            class_=f"v{looks[variant].switch}",
        )
        for variant in study.variants
        if (facts := cliff_facts(study, variant))
    ]
    if not rows:
        return None
    names = (
        "problems",
        "ever a cliff",
        "drawn again",
        "escaped",
        "fell back",
        "last a cliff",
        "half escape in",
    )
    head = el(
        "tr", el("th", "", scope="col"), *(el("th", n, scope="col", class_="num") for n in names)
    )
    return el("table", el("thead", head), el("tbody", *rows), class_="facts")


def _fact_cells(facts: CliffFacts) -> list[str]:
    numbers = [f"{n:,}" for n in facts[:-1]]
    median = facts.median_steps
    return [*numbers, "not seen" if median is None else f"{median} steps"]


def transitions(study: Study, variant: str) -> Markup | None:
    """From the first to the last evaluation: how many hard problems went from kind to kind."""
    moves = Counter(move for run in study.variants[variant] for move in _moves(run, study.hard))
    total = sum(moves.values())
    if not total:
        return None
    rows = []
    for start in KINDS:
        cells = [_move_cell(moves[start, end], total) for end in KINDS]
        rows.append(el("tr", el("th", start, scope="row", class_=f"key {KINDS[start]}"), *cells))
    head = el("tr", el("td", "from \\ to"), *(el("th", k, scope="col") for k in KINDS))
    return el(
        "table", el("caption", variant), el("thead", head), el("tbody", *rows), class_="moves"
    )


def _moves(run: Run, hard: str | None) -> Iterator[tuple[str, str]]:
    seen: dict[str, list[tuple[int, str]]] = {}
    for row in run.evals:
        if row.slice == hard and row.num_samples > 1:
            seen.setdefault(row.problem_id, []).append((row.step, kind_of(row)))
    if not any(len(visits) > 1 for visits in seen.values()):
        seen = {}
        for group in run.groups:
            seen.setdefault(group.problem_id, []).append((group.step, group.kind))
    for visits in seen.values():
        if len(visits) > 1:
            yield min(visits)[1], max(visits)[1]


def _move_cell(count: int, total: int) -> Markup:
    share = f"--share:{count / total:.3f}"
    return el("td", str(count), class_="num heat" if count else "num heat zero", style=share)


def numbers(lines: Sequence[Line], axis: Axis = STEPS) -> Markup:
    """The values behind a line chart, for reading and for screen readers."""
    steps = sorted({p.step for line in lines for p in line.points})
    stride = -(-len(steps) // MAX_NUMBER_ROWS) or 1
    shown = [s for i, s in enumerate(steps) if i % stride == 0 or s == steps[-1]]
    at = {(i, p.step): p.mean for i, line in enumerate(lines) for p in line.points}
    head = el(
        "tr", el("th", axis.label, scope="col"), *(el("th", i.label, scope="col") for i in lines)
    )
    rows = [
        el(
            "tr",
            el("th", axis.value(s), scope="row", class_="num"),
            *(
                el("td", rate(at[i, s]) if (i, s) in at else "", class_="num")
                for i in range(len(lines))
            ),
        )
        for s in shown
    ]
    return join([el("table", el("thead", head), el("tbody", *rows), class_="numbers")])
