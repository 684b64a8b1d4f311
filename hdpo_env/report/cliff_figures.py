"""What became of the cliffs of training: escapes, moves, beliefs about pass rates, causes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hdpo_env.cliffs import Beta, PriorFit, fit_prior
from hdpo_env.cliffs.transitions import EscapeTime, Transitions
from hdpo_env.cliffs.triage import ABOUT, Cause, remedy_of
from hdpo_env.report.axes import Axis, rate
from hdpo_env.report.bars import Bar, Series, bar_rows, histogram
from hdpo_env.report.figures import KINDS, Figure, looks_of, slug, upper
from hdpo_env.report.flows import flow_chart
from hdpo_env.report.histories import histories, window_counts
from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.seeds import BandPoint
from hdpo_env.report.study import Study
from hdpo_env.report.survival import Survival, median_time, survival

#: Bins of the histogram of pass rates.
NUM_BINS = 20
#: Fewer problems than this make no distribution.
MIN_PROBLEMS = 10
#: A pass rate at which eight rollouts are a cliff nine times out of ten.
HARD_RATE = 0.01


class CliffFacts(NamedTuple):
    """What became of the cliffs of a variant, over all its seeds; a problem counts once a seed."""

    num_problems: int
    num_cliffs: int  # were a cliff at some time
    num_revisited: int  # of these, were drawn again later
    num_escaped: int  # of these, were then solved at some time
    num_relapsed: int  # of these, were a cliff again
    num_standing: int  # are a cliff at their last group
    median_steps: int | None  # until half had escaped


def cliff_facts(study: Study, variant: str) -> CliffFacts | None:
    """The numbers of one variant; None if no run kept what its groups came to."""
    lives = [h for run in study.variants[variant] for h in histories(run)]
    if not lives:
        return None
    relapsed = sum(
        len({(m.problem_id, m.policy) for m in moves if m.kind == "relapsed"})
        for moves in _transitions(study, variant)
    )
    times = _times(study, variant)
    standing = [h for h in lives if (seen := _decided(h.visits)) and seen[-1] == "cliff"]
    return CliffFacts(
        num_problems=len(lives),
        num_cliffs=len(times),
        num_revisited=sum(t.last_step > t.born_step for t in times),
        num_escaped=sum(t.escaped_step is not None for t in times),
        num_relapsed=relapsed,
        num_standing=len(standing),
        median_steps=median_time(survival(times)),
    )


def _transitions(study: Study, variant: str) -> list[Transitions]:
    ledgers = [(r.ledger, r.cliff_threshold) for r in study.variants[variant] if r.ledger]
    found = [ledger.transitions(threshold=threshold) for ledger, threshold in ledgers]
    return [moves for moves in found if len(moves)]


def _times(study: Study, variant: str) -> list[EscapeTime]:
    return [time for moves in _transitions(study, variant) for time in moves.escape_times()]


def _decided(visits: Sequence) -> list[str]:
    return [visit.kind for visit in visits if visit.kind in KINDS]


def escapes(study: Study) -> Figure | None:
    """The share of cliffs that has escaped, by steps since they were first seen."""
    looks = looks_of(study)
    curves = {v: survival(_times(study, v)) for v in study.main}
    lines = tuple(
        Line(v, [_escaped(s) for s in curve], looks[v], is_stepped=True, of="at risk")
        for v, curve in curves.items()
        if len(curve) > 1
    )
    if not lines:
        return None
    axis = Axis("steps since it became a cliff")
    title = "Escapes from cliffs"
    chart = line_chart(lines, key="escapes", title=title, axis=axis, until=study.last_step)
    caption = (
        "Share of cliffs with a success since, by Kaplan-Meier: problems that training left while "
        "they were cliffs count for as long as they were watched. Bands are 95 % intervals. An "
        "escape is noticed when the problem is drawn again."
    )
    return Figure(title, caption, chart, lines, axis)


def _escaped(s: Survival) -> BandPoint:
    return BandPoint(s.time, 1 - s.share, 1 - s.high, 1 - s.low, s.num_at_risk)


def moves(study: Study, variant: str) -> Figure | None:
    """The last group in each third of training, of the problems that have one in all of them.

    From the first group to the last if those are fewer than half of the ones drawn at least twice.
    """
    ends: Counter[tuple[str, ...]] = Counter()
    thirds: Counter[tuple[str, ...]] = Counter()
    for run in study.variants[variant]:
        spans = list(pairwise((run.last_step + 1) * i / 3 for i in range(4)))
        for history in histories(run):
            kinds = _decided(history.visits)
            if len(kinds) < 2:
                continue
            ends[kinds[0], kinds[-1]] += 1
            seen = [_decided([v for v in history.visits if a <= v.step < b]) for a, b in spans]
            if all(seen):
                thirds[tuple(part[-1] for part in seen)] += 1
    if (num_twice := ends.total()) < MIN_PROBLEMS:
        return None
    key, title = slug("flow", variant), f"How problems of training moved, {variant}"
    caption = f"{num_twice:,} problems drawn at least twice"
    if 2 * thirds.total() < num_twice:
        return Figure(variant, f"{caption}.", flow_chart(ends, kinds=KINDS, key=key, title=title))
    caption = (
        f"{thirds.total():,} of {caption}: those with a decided group in every third of training, "
        "by the last one in each."
    )
    chart = flow_chart(thirds, kinds=KINDS, key=key, title=title, times=_THIRDS)
    return Figure(variant, caption, chart)


_THIRDS = ("first third", "second third", "last third")


def beliefs(study: Study, variant: str) -> Figure | None:
    """The posterior of pass rates in the first and in the last third of training.

    A third whose counts leave the prior open has none.
    """
    pooled: tuple[list, list] = ([], [])
    for run in study.variants[variant]:
        for window, counts in zip(pooled, window_counts(run, histories(run)), strict=True):
            window.extend(counts)
    if min(map(len, pooled)) < MIN_PROBLEMS:
        return None
    looks = ("c0", f"c{looks_of(study)[variant].color or 2}")
    thirds = [
        _Third(name, window, fit, css)
        for name, window, css in zip(_WINDOWS, pooled, looks, strict=True)
        if not (fit := fit_prior(window)).is_bounded
    ]
    if not thirds:
        return None
    edges = [i / NUM_BINS for i in range(NUM_BINS + 1)]
    series = []
    for third in thirds:
        cdf = mixture_cdf(third.counts, third.fit.prior, edges)
        series.append(Series(third.name, [b - a for a, b in pairwise(cdf)], third.css))
    title = f"Pass rates of training problems, {variant}"
    chart = histogram(
        series, edges, key=slug("beliefs", variant), title=title, axis=Axis("pass rate")
    )
    return Figure(title, _belief_caption(thirds), chart)


_WINDOWS = ("first third of training", "last third")


class _Third(NamedTuple):
    name: str
    counts: Sequence[tuple[int, int]]
    fit: PriorFit
    css: str


def _belief_caption(thirds: Sequence[_Third]) -> str:
    told = []
    for name, counts, fit, _ in thirds:
        [below] = mixture_cdf(counts, fit.prior, [HARD_RATE])
        told.append(
            f"{name}: {len(counts):,} problems, prior Beta({fit.prior.a:.2g}, {fit.prior.b:.2g}), "
            f"share with a pass rate below {rate(HARD_RATE, 2)}: {rate(below)}"
        )
    left = [name for name in _WINDOWS if name not in {third.name for third in thirds}]
    open_ = f" The counts of the {left[0]} leave its prior open." if left else ""
    return (
        f"What the counts say, with a prior fitted to each third. {upper('; '.join(told))}.{open_}"
    )


def causes(study: Study, variant: str) -> Figure | None:
    """Why the groups without a success had none, the most frequent cause first."""
    found = Counter(f.cause for run in study.variants[variant] for f in run.findings)
    if not found:
        return None
    told = study.variants[variant][0].curves
    bars = [
        Bar(name_of(cause), number, found.total(), f"{ABOUT[cause]}\n{remedy_of(cause, told)}")
        for cause, number in found.most_common()
    ]
    title = f"Why groups failed, {variant}"
    chart = bar_rows(bars, key=slug("causes", variant), title=title, css="c3")
    return Figure(title, f"{found.total():,} groups without a success.", chart)


def name_of(cause: Cause) -> str:
    """A cause as people say it.

    >>> name_of(Cause.NO_ANSWER)
    'no answer'
    """
    return cause.value.replace("_", " ")


def mixture_cdf(
    counts: Sequence[tuple[int, int]], prior: Beta, places: Sequence[float]
) -> list[float]:
    """The mean over problems of ``P(p <= x | correct, wrong)``, at each x.

    >>> mixture_cdf([(0, 0)], Beta(1, 1), [0.25, 0.5])
    [0.25, 0.5]
    """
    total = [0.0] * len(places)
    for (correct, wrong), number in Counter(counts).items():
        posterior = prior.updated(correct, wrong)
        for i, x in enumerate(places):
            total[i] += number * posterior.cdf(x)
    return [value / len(counts) for value in total]
