"""Which chart shows what: from a study to the figures of its report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hdpo_env.report.axes import Axis, rate
from hdpo_env.report.findings import best_variant, metric_name
from hdpo_env.report.lines import STEPS, Line, line_chart
from hdpo_env.report.looks import Look, assign_looks
from hdpo_env.report.markup import Markup
from hdpo_env.report.raster import raster
from hdpo_env.report.records import EvalRow, Run
from hdpo_env.report.scatter import Dot, scatter
from hdpo_env.report.study import Study

#: The raster shows at most this many problems, evenly chosen after sorting.
MAX_RASTER_ROWS = 240
MAX_FOCUS = 3
KINDS = {"cliff": "k-cliff", "mixed": "k-mixed", "saturated": "k-saturated"}


class Figure(NamedTuple):
    """A chart, its heading, and what a reader should know to read it."""

    title: str
    caption: str
    chart: Markup
    lines: tuple[Line, ...] = ()
    axis: Axis = STEPS


class Panel(NamedTuple):
    """What to plot over steps; ``thin`` averages consecutive steps.

    ``axis``: "rate" is 0 to 1, "zero" fits the data and 0, "fit" fits the data alone.
    """

    key: str
    title: str
    caption: str
    axis: str = "rate"
    thin: bool = True
    size: tuple[float, float] = (520, 280)


TRAINING = (
    Panel(
        "groups/cliff_rate",
        "Training cliff rate",
        "Share of training groups in which every rollout failed.",
    ),
    Panel(
        "privileged/pass_rate",
        "Privileged pass rate",
        "Share of the teacher's rollouts on cliffs that are correct, given privileged context. "
        "A teacher that loses this ability has nothing left to teach.",
    ),
    Panel(
        "distill/token_divergence",
        "Distillation loss",
        "The divergence of student and teacher per distilled token, in nats, before its weight. "
        "Different divergences have different scales.",
        axis="zero",
    ),
    Panel(
        "distill/saturated_mass",
        "Saturated mass",
        "Share of distilled tokens whose Jensen-Shannon divergence is above 0.9 ln 2: there its "
        "gradient is next to nothing.",
    ),
    Panel(
        "cliffs/pass_rate_after",
        "Former cliffs, drawn again",
        "The student's share of correct rollouts on problems that were cliffs and were distilled "
        "before. Their groups had no success then.",
    ),
    Panel(
        "cliffs/phantom_rate",
        "Phantom gradients",
        "Share of cliffs to which a small bonus for stating an answer would still give a policy "
        "gradient: it would teach form, not mathematics.",
    ),
)


def looks_of(study: Study) -> dict[str, Look]:
    """The look of each variant of a study."""
    return assign_looks(list(study.variants), study.baseline)


def deciding(study: Study, size: tuple[float, float] = (520, 280)) -> list[Figure]:
    """The two curves that decide: pass@k on the hard slice, pass@1 on the easy one.

    Without an easy slice, pass@1 of the hard one stands beside its pass@k.
    """
    beside = "easy" if "easy" in study.slices else study.hard
    panels = [
        Panel(
            key,
            upper(metric_name(key)),
            _SLICE_CAPTIONS.get(key.split("/")[1], ""),
            axis="fit" if key == "eval/easy/pass@1" else "rate",
            thin=False,
            size=size,
        )
        for key in dict.fromkeys([study.hard_key, f"eval/{beside}/pass@1"])
    ]
    return over_steps(study, panels, study.main)


_SLICE_CAPTIONS = {
    "cliff": "Problems that the starting model practically never solves. Rising means that cliffs "
    "are learned.",
    "easy": "Problems that the starting model mostly solves. What is lost here is the price. The "
    "axis does not start at 0.",
}


def training(study: Study) -> list[Figure]:
    """The curves of training itself."""
    return over_steps(study, TRAINING, study.main)


def control(study: Study) -> list[Figure]:
    """The slice that is never distilled."""
    key = study.hard_key.replace(f"eval/{study.hard}/", "eval/control/")
    panel = Panel(key, upper(metric_name(key)), "It should stay at 0.", thin=False, size=(520, 200))
    return over_steps(study, [panel], study.main)


def ablation(study: Study) -> list[Figure]:
    """Divergences compared where the student has next to no support."""
    key = study.hard_key.replace(f"eval/{study.hard}/", "eval/faint/")
    panels = [
        Panel(key, upper(metric_name(key)), "Which divergence moves the slice?", thin=False),
        TRAINING[3],
    ]
    return over_steps(study, panels, study.ablation)


def over_steps(study: Study, panels: Sequence[Panel], variants: Sequence[str]) -> list[Figure]:
    """One line chart per panel that has data, one line per variant that has the metric."""
    looks = looks_of(study)
    figures = []
    for panel in panels:
        curves = {v: study.curve(v, panel.key, thin=panel.thin) for v in variants}
        lines = tuple(Line(v, points, looks[v]) for v, points in curves.items() if points)
        if not lines:
            continue
        chart = line_chart(
            lines,
            key=slug("line", panel.key, *variants[:1]),
            title=panel.title,
            y_range=(0.0, 1.0) if panel.axis == "rate" else None,
            include_zero=panel.axis != "fit",
            size=panel.size,
            until=study.last_step,
        )
        note = f" Each point is the mean of {study.thinning} steps."
        caption = panel.caption + (note if panel.thin and study.thinning > 1 else "")
        figures.append(Figure(panel.title, caption, chart, lines))
    return figures


def focus(study: Study) -> tuple[str, ...]:
    """The variants that are shown one by one: all if there are few, else baseline and best."""
    if len(study.main) <= MAX_FOCUS:
        return study.main
    return tuple(v for v in dict.fromkeys([study.baseline, best_variant(study)]) if v)


def trade_off(study: Study) -> Figure | None:
    """What is gained on the hard slice against what is kept on the easy one, a point per run."""
    x_key, y_key = study.hard_key, "eval/easy/pass@1"
    looks = looks_of(study)
    dots = [
        Dot(run.variant, x.last, y.last, looks[run.variant], _dot_note(run, x.last, y.last))
        for variant in study.main
        for run in study.finished[variant]
        if (x := run.curves.get(x_key)) and (y := run.curves.get(y_key))
    ]
    if len(dots) < 2 or x_key == y_key:
        return None
    names = metric_name(x_key), metric_name(y_key)
    chart = scatter(
        dots,
        key="trade-off",
        title=f"{upper(names[1])} against {names[0]}",
        x_label=f"{names[0]} at the end",
        y_label=f"{names[1]} at the end",
    )
    caption = (
        "One point per run, at its last evaluation. Up and to the right is better. The vertical "
        "axis does not start at 0."
    )
    return Figure("Gain against cost", caption, chart)


def _dot_note(run: Run, x: float, y: float) -> str:
    return f"{run.variant}, seed {run.seed}\n{rate(x)} hard, {rate(y)} easy"


def rasters(study: Study) -> list[Figure]:
    """Each hard problem over the evaluations, for the baseline and the best variant."""
    figures = []
    for variant in dict.fromkeys([study.baseline, best_variant(study)]):
        if variant is None:
            continue
        run = study.variants[variant][0]
        rows = [row for row in run.evals if row.slice == study.hard and row.num_samples > 1]
        steps = sorted({row.step for row in rows})
        if len(steps) < 2:
            continue
        table, note = _raster_rows(rows, steps)
        title = f"{variant}, seed {run.seed}"
        chart = raster(table, steps=steps, kinds=KINDS, key=slug("raster", variant), title=title)
        figures.append(Figure(title, f"One row per problem of slice {study.hard}.{note}", chart))
    return figures


def kind_of(row: EvalRow) -> str:
    """The kind of the group that one problem's evaluation samples form."""
    if row.num_correct == 0:
        return "cliff"
    return "saturated" if row.num_correct == row.num_samples else "mixed"


def _raster_rows(
    rows: Sequence[EvalRow], steps: Sequence[int]
) -> tuple[list[list[str | None]], str]:
    column = {step: i for i, step in enumerate(steps)}
    table: dict[str, list[str | None]] = {}
    solved: dict[str, int] = {}
    for row in rows:
        table.setdefault(row.problem_id, [None] * len(steps))[column[row.step]] = kind_of(row)
        solved[row.problem_id] = solved.get(row.problem_id, 0) + row.num_correct
    order = sorted(table, key=lambda problem: (-solved[problem], problem))
    if len(order) <= MAX_RASTER_ROWS:
        return [table[problem] for problem in order], ""
    shown = [order[i * len(order) // MAX_RASTER_ROWS] for i in range(MAX_RASTER_ROWS)]
    note = f" {MAX_RASTER_ROWS} of {len(order)} problems, evenly chosen."
    return [table[problem] for problem in shown], note


def slug(*parts: str) -> str:
    """An element id made of these parts."""
    text = "-".join(parts).lower()
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)


def upper(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
