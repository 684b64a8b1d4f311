"""Two variants compared problem by problem: on the whole hard slice, and on its first cliffs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hdpo_env.report.axes import rate
from hdpo_env.report.coverage import end_rows, pass_rate
from hdpo_env.report.figures import looks_of
from hdpo_env.report.markup import Markup, el
from hdpo_env.report.study import Study
from hdpo_env.report.tables import swatch
from hdpo_env.stats import paired_difference

Values = Mapping[str, float]


def reference(study: Study) -> str:
    """The variant that the others are compared with: the baseline, or else the first."""
    return study.baseline or study.main[0]


def paired_table(study: Study) -> Markup | None:
    """Differences of the deciding pass@k from the reference; None without two variants to compare.

    The cliffs are those of the first evaluation, a sampling of its own: problems that no run
    solved before training.
    """
    k, cliffs = _deciding_k(study), first_cliffs(study)
    base = last_values(study, reference(study), k)
    looks = looks_of(study)
    rows = []
    for variant in study.main:
        ours = last_values(study, variant, k)
        if variant != reference(study) and base.keys() & ours.keys():
            cells = [*_cells(base, ours, ours), *_cells(base, ours, cliffs)]
            name = el("th", swatch(looks[variant]), variant, scope="row")
            rows.append(el("tr", name, *cells, class_=f"v{looks[variant].switch}"))
    if not rows:
        return None
    names = ("", "problems", f"pass@{k}", "first cliffs", f"pass@{k} on these")
    head = el("tr", *(el("th", n, scope="col", class_="num" if n else None) for n in names))
    return el("table", el("thead", head), el("tbody", *rows), class_="facts")


def _cells(base: Values, ours: Values, only: Collection[str]) -> list[Markup]:
    shared = sorted(base.keys() & ours.keys() & set(only))
    if not shared:
        return [el("td", "0", class_="num"), el("td", "–", class_="num none")]
    found = paired_difference([base[p] for p in shared], [ours[p] for p in shared])
    interval = el("small", f"{_signed(found.low)} to {_signed(found.high)}")
    return [
        el("td", f"{len(shared):,}", class_="num"),
        el("td", _signed(found.value), interval, class_="num"),
    ]


def _signed(value: float) -> str:
    text = rate(value)
    return text if text.startswith("−") or not text.strip(".0") else f"+{text}"


def _deciding_k(study: Study) -> int:
    # The k of the page's headline, unless too few samples were drawn for it.
    rows = [row for run in study.runs for row in end_rows(run, study.hard, max)]
    return min([*study.ks[-1:], *(row.num_samples for row in rows)], default=1)


def last_values(study: Study, variant: str, k: int) -> dict[str, float]:
    """Problem -> pass@k at the last evaluation of the hard slice, averaged over finished seeds."""
    seen: dict[str, list[float]] = {}
    for run in study.finished[variant]:
        for row in end_rows(run, study.hard, max):
            seen.setdefault(row.problem_id, []).append(
                pass_rate(row.num_samples, row.num_correct, k)
            )
    return {problem: sum(values) / len(values) for problem, values in seen.items()}


def first_cliffs(study: Study) -> set[str]:
    """Problems of the hard slice that no run solved at its first evaluation."""
    rows = [row for run in study.runs for row in end_rows(run, study.hard, min)]
    return {r.problem_id for r in rows} - {r.problem_id for r in rows if r.num_correct}
