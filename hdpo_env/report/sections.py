"""What the page says, section by section; a section without data is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hdpo_env.cliffs.triage import ABOUT, Cause, remedy_of
from hdpo_env.report import figures, tables, texts
from hdpo_env.report.cliff_figures import beliefs, causes, escapes, moves, name_of
from hdpo_env.report.coverage import coverage
from hdpo_env.report.departures import departures
from hdpo_env.report.findings import context, failures, headline
from hdpo_env.report.glossary import WORDS
from hdpo_env.report.markup import Markup, el, join
from hdpo_env.report.paired import paired_table, reference
from hdpo_env.report.problems import problem_tables
from hdpo_env.report.study import Study
from hdpo_env.report.tables import cliff_table
from hdpo_env.report.weights import weights
from hdpo_env.types import Problem


def content(
    study: Study, title: str, problems: Iterable[Problem] = (), *, show_gold: bool = False
) -> list[Markup | None]:
    """Everything between the page's edges, in reading order; None where there is nothing to say."""
    return [
        el("header", el("p", f"hdpo report · {title}", class_="kicker"), el("h1", headline(study))),
        el("p", context(study), class_="lead"),
        _legend(study),
        _section("decide", "What was learned, and what it cost", _grid(figures.deciding(study))),
        _section("results", "Results", _wide(tables.results(study), "Results")),
        _paired(study),
        _section("coverage", "How much more k samples find", _grid(coverage(study))),
        _trade_off(study),
        _section("training", "During training", _grid(figures.training(study))),
        _cliffs(study),
        _transitions(study),
        _section(
            "control", "The control: never distilled", _grid(figures.control(study)), _CONTROL
        ),
        _section(
            "ablation",
            "Which divergence, where support is faint",
            _grid(figures.ablation(study)),
            _FAINT,
        ),
        _failures(study),
        _departures(study),
        _problems(study, problems, show_gold=show_gold),
        _completions(study),
        _glossary(),
        _data_notes(study),
    ]


def every_figure(study: Study) -> Iterator[figures.Figure]:
    """All figures of the page, in reading order."""
    gain, escaped, focus = figures.trade_off(study), escapes(study), figures.focus(study)
    yield from figures.deciding(study)
    yield from coverage(study)
    yield from [gain] if gain else []
    yield from weights(study)
    yield from figures.training(study)
    yield from [escaped] if escaped else []
    for variants, make in ((focus, beliefs), (study.main, moves), (focus, causes)):
        yield from (figure for variant in variants if (figure := make(study, variant)))
    yield from figures.rasters(study)
    yield from figures.control(study)
    yield from figures.ablation(study)


_CONTROL = (
    "Problems of a kind that training neither rewards into reach nor distils. If this slice rose, "
    "the gains above would need another explanation than distillation."
)
_FAINT = (
    "On this slice the student gives the right tokens almost no probability. The Jensen-Shannon "
    "divergence then sits at its ceiling and its gradient vanishes; the Kullback-Leibler "
    "divergence from teacher to student keeps pulling."
)


def _section(key: str, title: str, content: Markup | None, intro: str = "") -> Markup | None:
    if not content:
        return None
    lead = el("p", intro) if intro else None
    return el(
        "section",
        el("h2", title, id=f"{key}-heading"),
        lead,
        content,
        aria_labelledby=f"{key}-heading",
    )


def _grid(shown: Sequence[figures.Figure], *, small: bool = False) -> Markup | None:
    css = "grid small" if small else "grid"
    return el("div", *map(_figure, shown), class_=css) if shown else None


def _figure(figure: figures.Figure) -> Markup:
    caption = el("figcaption", el("strong", figure.title), " ", figure.caption)
    return el("figure", caption, el("div", figure.chart, class_="chart"), _numbers(figure))


def _numbers(figure: figures.Figure) -> Markup | None:
    if not figure.lines:
        return None
    table = _wide(tables.numbers(figure.lines, figure.axis), f"Numbers of {figure.title}")
    return el("details", el("summary", "the numbers"), table)


def _wide(table: Markup, label: str, css: str = "wide") -> Markup:
    # A table that may scroll sideways can be reached and scrolled by keyboard.
    return el("div", table, class_=css, tabindex="0", role="region", aria_label=label)


def _legend(study: Study) -> Markup | None:
    if len(study.variants) < 2:
        return None
    looks = figures.looks_of(study)
    boxes = [
        el(
            "label",
            el("input", type="checkbox", checked="", id=f"show-{looks[v].switch}"),
            tables.swatch(looks[v]),
            v,
        )
        for v in study.variants
    ]
    return el("fieldset", el("legend", "Show"), *boxes, class_="legend")


def _trade_off(study: Study) -> Markup | None:
    gain = figures.trade_off(study)
    shown = [*([gain] if gain else []), *weights(study)]
    return _section("trade", "Gain against cost", _grid(shown))


def _paired(study: Study) -> Markup | None:
    table = paired_table(study)
    if table is None:
        return None
    base = reference(study)
    intro = (
        f"How much more than {base} each variant solves of slice {study.hard} at the end, as a "
        "mean over the same problems with a 95 % interval over problems. First cliffs: those that "
        "no run solved before training."
    )
    return _section("paired", f"Against {base}, problem by problem", _wide(table, "Paired"), intro)


def _cliffs(study: Study) -> Markup | None:
    table = cliff_table(study)
    if table is None:
        return None
    believed = [figure for v in figures.focus(study) if (figure := beliefs(study, v))]
    flows = [figure for v in study.main if (figure := moves(study, v))]
    failed = [figure for v in figures.focus(study) if (figure := causes(study, v))]
    escaped = escapes(study)
    parts = [
        _wide(table, "Cliffs of training"),
        _grid([*([escaped] if escaped else []), *believed]),
        el("h3", "How problems moved") if flows else None,
        _grid(flows, small=True),
        el("h3", "Why groups failed") if failed else None,
        _grid(failed),
        _causes(study),
    ]
    return _section("cliffs", "What became of the cliffs of training", join(parts), _CLIFFS)


_CLIFFS = (
    "A cliff is a group without a success: nothing can be learned from its rewards. Counted are "
    "the problems of training, once for every seed."
)


def _causes(study: Study) -> Markup | None:
    found: dict[Cause, dict[str, list[str]]] = {}  # cause -> what to do -> the variants it is for
    for variant in figures.focus(study):
        runs = study.variants[variant]
        for cause in {finding.cause for run in runs for finding in run.findings}:
            advice = remedy_of(cause, runs[0].curves)
            found.setdefault(cause, {}).setdefault(advice, []).append(variant)
    rows = [
        join([el("dt", name_of(c)), el("dd", f"{ABOUT[c]}. What to do: {_advice(found[c])}.")])
        for c in Cause
        if c in found
    ]
    return el("dl", *rows) if rows else None


def _advice(variants: Mapping[str, Sequence[str]]) -> str:
    if len(variants) == 1:
        return next(iter(variants))
    return "; ".join(f"under {', '.join(names)}, {what}" for what, names in variants.items())


def _problems(study: Study, problems: Iterable[Problem], *, show_gold: bool) -> Markup | None:
    found = problem_tables(study, problems, show_gold=show_gold)
    tables = [_wide(table, "Problems of training", css="wide tall") for table in found]
    keys = el("p", *_kind_keys(), class_="keys")
    return _section(
        "problems", "Every problem", join([keys, *tables]) if tables else None, _PROBLEMS
    )


_PROBLEMS = (
    "A row for each problem of training, the most troubled first. First and last: successes among "
    "the judged rollouts of its first and its last group. Pass rate: what its groups in the last "
    "third of training say, with a 90 % interval."
)


def _kind_keys() -> list[Markup]:
    return [el("span", k, class_=f"key {css}") for k, css in figures.KINDS.items()]


def _transitions(study: Study) -> Markup | None:
    moves = [t for v in study.main if (t := tables.transitions(study, v))]
    if not moves:
        return None
    shown = figures.rasters(study)
    key = el("p", *_kind_keys(), class_="keys")
    intro = (
        f"How the problems of slice {study.hard} moved from the first evaluation to the last, "
        "counted over all seeds."
    )
    content = join([el("div", *moves, class_="grid small"), key if shown else None, _grid(shown)])
    return _section("moves", "From cliff to mixed to saturated", content, intro)


def _failures(study: Study) -> Markup:
    found = failures(study)
    content = (
        el("ul", *(el("li", sentence) for sentence in found))
        if found
        else el(
            "p",
            "Nothing was found by these rules: a deciding metric that does not rise, easy "
            "pass@1 lost against the baseline, saturated divergence, a teacher that loses the "
            "use of its context, a control that moves.",
        )
    )
    return join([_section("failures", "What does not work", content)])


def _departures(study: Study) -> Markup | None:
    table = departures(study)
    if table is None:
        return None
    intro = "Settings that differ from the published ones; everything else is the preset's."
    return _section("config", "Departures from the presets", _wide(table, "Departures"), intro)


def _completions(study: Study) -> Markup | None:
    blocks = [
        block
        for variant in study.variants
        for block in texts.completions(study.variants[variant][0])
    ]
    intro = "As the models wrote them; unprintable characters are written as code points."
    return _section("texts", "Completions to read", join(blocks), intro)


def _glossary() -> Markup:
    entries = [join([el("dt", word), el("dd", meaning)]) for word, meaning in WORDS]
    return join([_section("words", "Words", el("dl", *entries))])


def _data_notes(study: Study) -> Markup | None:
    finished = {id(run) for runs in study.finished.values() for run in runs}
    notes = [
        note for run in study.runs for note in texts.data_notes(run, is_at_end=id(run) in finished)
    ]
    if not notes:
        return None
    return _section("data", "Notes on the data", el("ul", *(el("li", n) for n in notes)))
