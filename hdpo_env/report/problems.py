"""Every problem of training as a row: its groups, where it stands, why it failed, what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from hdpo_env.cliffs import Beta, fit_prior
from hdpo_env.report.axes import rate
from hdpo_env.report.cliff_figures import name_of
from hdpo_env.report.figures import KINDS, focus
from hdpo_env.report.histories import History, Visit, histories, windows
from hdpo_env.report.markup import Markup, el, join
from hdpo_env.report.records import Run
from hdpo_env.report.study import Study
from hdpo_env.report.texts import completion
from hdpo_env.stats import Estimate
from hdpo_env.types import Problem, by_id

#: Rows of a table, the most troubled problems first; the rest is counted in its caption.
MAX_ROWS = 3000
#: Characters of a completion in the table, and of all completions together.
MAX_TEXT, MAX_TEXTS = 600, 800_000
MAX_QUESTION = 240
#: Where a problem may stand at the end, the most troubled first.
STANDINGS = ("still a cliff", "fell back", "undecided", "escaped", "never a cliff")


def problem_tables(
    study: Study, problems: Iterable[Problem] = (), *, show_gold: bool = False
) -> list[Markup]:
    """One table for the first run of each variant in focus; questions where ``problems`` has them.

    Gold answers are shown only if ``show_gold`` asks for them.
    """
    known = by_id(problems)
    runs = [study.variants[variant][0] for variant in focus(study)]
    room = MAX_ROWS // max(1, len(runs))
    tables = []
    for run in runs:
        found = histories(run)
        if found:
            tables.append(_table(run, found, known, room, show_gold))
    return tables


@dataclass(frozen=True)
class Context:
    """What the rows of one table share."""

    run: Run
    slices: Mapping[str, str]
    causes: Mapping[str, str]
    problems: Mapping[str, Problem]
    show_gold: bool
    prior: Beta | None


def _table(
    run: Run, found: Sequence[History], known: Mapping[str, Problem], room: int, show_gold: bool
) -> Markup:
    context = Context(
        run,
        {row.problem_id: row.slice for row in run.groups},
        {f.problem_id: name_of(f.cause) for f in run.findings},
        known,
        show_gold,
        _prior(run, found),
    )
    order = sorted(found, key=lambda h: (STANDINGS.index(standing(h)), -_failed(h), h.problem_id))
    shown = order[:room]
    cut = f", the {len(shown):,} most troubled ones are shown" if len(shown) < len(order) else ""
    caption = f"{run.variant}, seed {run.seed}: {len(order):,} problems{cut}."
    names = ["problem", "groups", "first", "last", "pass rate", "standing"]
    names += ["cause of failure"] if context.causes else []
    head = el("tr", *(el("th", n, scope="col", class_=_NUMERIC.get(n)) for n in names))
    left = [MAX_TEXTS]
    bodies = [_body(history, context, left) for history in shown]
    return el("table", el("caption", caption), el("thead", head), *bodies, class_="problems")


_NUMERIC = {"first": "num", "last": "num", "pass rate": "num"}


def standing(history: History) -> str:
    """Where a problem stands at its last decided group; one of `STANDINGS`."""
    kinds = [v.kind for v in history.visits if v.kind in KINDS]
    if "cliff" not in kinds:
        return "never a cliff" if kinds else "undecided"
    since = kinds[kinds.index("cliff") :]
    if kinds[-1] != "cliff":
        return "escaped"
    return "still a cliff" if set(since) == {"cliff"} else "fell back"


def _failed(history: History) -> int:
    return sum(v.num_wrong for v in history.visits)


def _prior(run: Run, found: Sequence[History]) -> Beta | None:
    counts = [counts for h in found if sum(counts := h.counts(*windows(run)[1]))]
    fit = fit_prior(counts) if counts else None
    return fit.prior if fit and not fit.is_bounded else None


def _body(history: History, context: Context, left: list[int]) -> Markup:
    place, cause = standing(history), context.causes.get(history.problem_id)
    cells = [
        el("th", *_name(history, context), scope="row"),
        el("td", strip(history.visits), title=_kinds(history)),
        _count(history.first),
        _count(history.last),
        _belief(history, context),
        el("td", place, _since(history, place)),
    ]
    if context.causes:
        cells.append(el("td", cause if cause and place != "never a cliff" else ""))
    texts = _texts(context.run, history.problem_id, left)
    more = el("tr", el("td", texts, colspan=len(cells))) if texts else None
    return el("tbody", el("tr", *cells, class_="said" if more else None), more, data_s=place)


def _name(history: History, context: Context) -> list[Markup | str]:
    problem = context.problems.get(history.problem_id)
    parts: list[Markup | str] = [history.problem_id[:40]]
    if slice_name := context.slices.get(history.problem_id):
        parts.append(el("small", slice_name))
    if problem is not None:
        cut = "…" if len(problem.question) > MAX_QUESTION else ""
        parts.append(el("small", problem.question[:MAX_QUESTION] + cut, class_="question"))
        if context.show_gold:
            parts.append(el("small", f"gold: {problem.gold}"))
    return parts


def strip(visits: Sequence[Visit]) -> Markup:
    """A problem's groups from left to right, each as wide as the others, coloured by kind."""
    pieces, x = [], 0
    for kind, run in groupby(v.kind for v in visits):
        width = len(list(run))
        if kind in KINDS:
            pieces.append(el("path", d=f"M{x},0h{width}v1h-{width}z", class_=KINDS[kind]))
        x += width
    return el(
        "svg",
        *pieces,
        viewBox=f"0 0 {x} 1",
        preserveAspectRatio="none",
        class_="groups",
        aria_hidden="true",
    )


def _kinds(history: History) -> str:
    counts = Counter(v.kind for v in history.visits)
    return ", ".join(f"{number} {kind}" for kind, number in counts.items())


def _count(visit: Visit) -> Markup:
    judged = visit.num_correct + visit.num_wrong
    order = visit.num_correct / judged if judged else -1.0
    return el("td", f"{visit.num_correct}/{judged}", class_="num", data_v=f"{order:.3f}")


def _belief(history: History, context: Context) -> Markup:
    counts = history.counts(*windows(context.run)[1])
    if context.prior is None or not sum(counts):
        return el("td", "–", class_="num none", data_v="-1")
    mean, low, high = _interval(context.prior.a, context.prior.b, *counts)
    interval = el("small", f"{rate(low, 2)}–{rate(high, 2)}")
    return el("td", rate(mean, 2), interval, class_="num", data_v=f"{mean:.4f}")


@cache
def _interval(a: float, b: float, correct: int, wrong: int) -> Estimate:
    return Beta(a, b).updated(correct, wrong).interval(0.9)


def _since(history: History, place: str) -> Markup | None:
    decided = [v for v in history.visits if v.kind in KINDS]
    kinds = [v.kind for v in decided]
    if place == "escaped":
        since = kinds.index("cliff")
        escape = next(v for v in decided[since:] if v.kind != "cliff")
        return el("small", f"at step {escape.step}")
    if place in ("still a cliff", "fell back"):
        return el("small", f"{kinds.count('cliff')} of {len(kinds)} groups")
    return None


def _texts(run: Run, problem_id: str, left: list[int]) -> Markup | None:
    rows = run.texts.get(problem_id, ())
    size = sum(min(len(row.text), MAX_TEXT) for row in rows)
    if not rows or size > left[0]:
        return None
    left[0] -= size
    count = f"{len(rows)} completion{'s' if len(rows) > 1 else ''}"
    return el("details", el("summary", count), join(completion(row, MAX_TEXT) for row in rows))
