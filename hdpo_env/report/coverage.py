"""pass@k as a function of k, before and after training, with intervals over problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from math import log2

from hdpo_env.report.axes import Axis
from hdpo_env.report.figures import Figure, looks_of, slug, upper
from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.looks import Look
from hdpo_env.report.records import EvalRow, Run
from hdpo_env.report.seeds import BandPoint
from hdpo_env.report.study import Study
from hdpo_env.stats import mean_over_problems, pass_at_k


def coverage(study: Study) -> list[Figure]:
    """One chart for the hard slice and one for the easy one, where several samples were drawn."""
    slices = dict.fromkeys(s for s in (study.hard, "easy") if s in study.slices)
    return [figure for s in slices if s and (figure := _figure(study, s))]


def _figure(study: Study, slice_name: str) -> Figure | None:
    looks = looks_of(study)
    before = Look(0, True, len(looks))
    starts = [rows for run in study.runs if (rows := end_rows(run, slice_name, min))]
    lines = [_line("before", starts, before)] if starts else []
    for variant in study.main:
        runs = study.finished[variant]
        ends = [rows for run in runs if (rows := end_rows(run, slice_name, max))]
        if ends:
            lines.append(_line(variant, ends, looks[variant]))
    if not any(len(line.points) > 1 for line in lines):
        return None
    ks = sorted({p.step for line in lines for p in line.points})
    axis = Axis("k", tuple((k, f"{2**k:.0f}") for k in ks))
    title = f"{upper(slice_name)} pass@k"
    chart = line_chart(lines, key=slug("coverage", slice_name), title=title, axis=axis)
    caption = (
        "The chance that at least one of k completions is right, at the first and the last "
        "evaluation. Bands are 95 % intervals over problems."
    )
    return Figure(title, caption, chart, tuple(lines), axis)


def end_rows(
    run: Run, slice_name: str | None, end: Callable[[Iterable[int]], int]
) -> list[EvalRow]:
    """The first (``min``) or last (``max``) evaluation of a slice, where several were sampled."""
    rows = [r for r in run.evals if r.slice == slice_name and r.num_samples > 1]
    step = end([r.step for r in rows]) if rows else 0
    return [r for r in rows if r.step == step]


def _line(label: str, evaluations: Sequence[Sequence[EvalRow]], look: Look) -> Line:
    points = []
    for k in _ks(min(r.num_samples for rows in evaluations for r in rows)):
        values = _means(evaluations, k)
        mean = mean_over_problems(values)
        points.append(BandPoint(log2(k), *mean, len(values)))
    return Line(label, points, look, of="problems")


def _ks(num_samples: int) -> Iterator[int]:
    k = 1
    while k < num_samples:
        yield k
        k *= 2
    yield num_samples


def _means(evaluations: Sequence[Sequence[EvalRow]], k: int) -> list[float]:
    # One number per problem, averaged over seeds: a problem is one observation.
    seen: dict[str, list[float]] = {}
    for rows in evaluations:
        for r in rows:
            seen.setdefault(r.problem_id, []).append(pass_rate(r.num_samples, r.num_correct, k))
    return [sum(values) / len(values) for values in seen.values()]


pass_rate = cache(pass_at_k)
