"""What the data say, in sentences. Every word that claims something is chosen by a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from hdpo_env.report.axes import rate
from hdpo_env.report.seeds import SeedMean
from hdpo_env.report.study import Study

#: A fall of easy pass@1 against the baseline that is worth a sentence.
EASY_COST = 0.02
#: A share of saturated tokens at which JSD no longer teaches most of what it is given.
SATURATED = 0.5
#: A fall of the privileged pass rate that says the teacher is losing the use of its context.
TEACHER_LOSS = 0.2


def metric_name(key: str) -> str:
    """``eval/cliff/pass@8`` as people say it.

    >>> metric_name("eval/cliff/pass@8")
    'cliff pass@8'
    """
    return key.removeprefix("eval/").replace("/", " ")


def algo_name(algo: str) -> str:
    """An algorithm's name as papers write it.

    >>> algo_name("hdpo"), algo_name("sdpg-code")
    ('HDPO', 'SDPG-code')
    """
    head, dash, rest = algo.partition("-")
    return head.upper() + dash + rest


def margin(study: Study) -> float:
    """The difference of a pass rate that is called noise: .02, or two problems if that is more."""
    rows = study.runs[0].evals
    num_problems = len({r.problem_id for r in rows if r.slice == study.hard})
    return max(0.02, 2 / num_problems) if num_problems else 0.02


def best_variant(study: Study) -> str | None:
    """The variant, other than the baseline, that ends highest on the deciding metric."""
    ends = {v: study.end(v, study.hard_key) for v in study.main if v != study.baseline}
    ranked = [(end.mean, v) for v, end in ends.items() if end]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def headline(study: Study) -> str:
    """The result in one sentence."""
    lead = best_variant(study) or study.baseline
    start, end = (
        (study.start(lead, study.hard_key), study.end(lead, study.hard_key))
        if lead
        else (None, None)
    )
    if lead is None or start is None or end is None:
        return f"{_extent(study)}: none evaluated yet"
    base = study.baseline if study.baseline != lead else None
    rival = study.end(base, study.hard_key) if base else None
    sentence = _movement(
        algo_name(study.algo(lead)),
        metric_name(study.hard_key),
        start.mean,
        end.mean,
        margin(study),
    )
    if rival is None or base is None:
        return sentence
    if margin(study) < end.mean - start.mean and end.mean <= rival.mean + margin(study):
        sentence += ", no further than the baseline"
    return f"{sentence}; {algo_name(study.algo(base))} ends at {rate(rival.mean)}"


def _movement(name: str, metric: str, start: float, end: float, noise: float) -> str:
    path = f"from {rate(start)} to {rate(end)}"
    if end - start > noise:
        return f"{name} lifts {metric} {path}"
    if end - start < -noise:
        return f"{name} lowers {metric} {path}"
    return f"{name} leaves {metric} within noise of its start, {path}"


def context(study: Study) -> str:
    """What was run, in one paragraph."""
    best = best_variant(study)
    chosen = f" The headline is about {best}, which ends highest." if best else ""
    spread = (
        "One seed shows no spread, so no interval is given."
        if study.num_seeds == 1
        else "Intervals are 95 % Student t intervals over seeds, cut to 0 and 1; bands in the "
        "figures reach from the lowest to the highest seed."
    )
    return (
        f"{_extent(study)}.{chosen if len(study.variants) > 1 else ''} {spread} "
        f"Differences of less than {rate(margin(study))} are called noise."
    )


def _extent(study: Study) -> str:
    counts = {len(runs) for runs in study.finished.values()}
    many = f"up to {max(counts)} seeds each" if len(counts) > 1 else f"{max(counts)} seeds each"
    seeds = "one seed each" if counts == {1} else many
    steps = f"{study.last_step} step{'' if study.last_step == 1 else 's'}"
    minutes = sum(run.seconds for run in study.runs) / 60
    took = f", {minutes:.0f} minutes of training in all" if minutes >= 1 else ""
    if len(study.variants) == 1:
        only, seeds = next(iter(study.variants)), seeds.removesuffix(" each")
        return f"{only}, {seeds}, {steps}{took}"
    return f"{len(study.variants)} variants, {seeds}, {steps}{took}"


def failures(study: Study) -> list[str]:
    """What does not work here, each with its numbers; empty if every rule is passed."""
    return list(
        chain(
            _unmoved(study),
            _costs(study),
            _saturation(study),
            _lost_teachers(study),
            _moved_controls(study),
        )
    )


def _unmoved(study: Study) -> Iterator[str]:
    for slice_name in [s for s in dict.fromkeys((study.hard, "faint")) if s in study.slices]:
        key = study.hard_key.replace(f"eval/{study.hard}/", f"eval/{slice_name}/")
        stuck = []
        for variant in study.main if slice_name == study.hard else study.ablation:
            start, end = study.start(variant, key), study.end(variant, key)
            if start and end and end.mean - start.mean <= margin(study):
                stuck.append(f"{variant} ({rate(start.mean)} to {rate(end.mean)})")
        if stuck:
            yield f"{_upper(metric_name(key))} does not rise beyond noise under {_list(stuck)}."


def _costs(study: Study) -> Iterator[str]:
    base = study.baseline
    reference = study.end(base, "eval/easy/pass@1") if base else None
    if not reference:
        return
    for variant in study.variants:
        end = study.end(variant, "eval/easy/pass@1")
        if end and reference.mean - end.mean > EASY_COST:
            yield (
                f"{variant} pays for what it learns: easy pass@1 ends at {_with(end)}, "
                f"{100 * (reference.mean - end.mean):.1f} points below {base}."
            )


def _saturation(study: Study) -> Iterator[str]:
    key = "distill/saturated_mass"
    for variant in study.variants:
        points = study.curve(variant, key)
        if not points or points[0].mean < SATURATED or study.divergence(variant) != "jsd":
            continue
        pass_key = study.hard_key.replace(f"eval/{study.hard}/", "eval/faint/")
        end = study.end(variant, pass_key) if variant in study.ablation else None
        result = f" It ends at {metric_name(pass_key)} {_with(end)}." if end else ""
        yield (
            f"{variant} starts with {100 * points[0].mean:.0f} % of its distilled tokens at the "
            "ceiling of the Jensen-Shannon divergence (ln 2), where the gradient vanishes because "
            f"the student gives the teacher's tokens next to no mass.{result}"
        )


def _lost_teachers(study: Study) -> Iterator[str]:
    for variant in study.variants:
        points = study.curve(variant, "privileged/pass_rate", thin=True)
        if len(points) > 1 and points[0].mean - points[-1].mean > TEACHER_LOSS:
            yield (
                f"The teacher of {variant} loses the use of its privileged context: its pass rate "
                f"on cliffs falls from {rate(points[0].mean)} to {rate(points[-1].mean)}. A frozen "
                "teacher or a smaller weight prevents that."
            )


def _moved_controls(study: Study) -> Iterator[str]:
    key = study.hard_key.replace(f"eval/{study.hard}/", "eval/control/")
    for variant in study.variants:
        start, end = study.start(variant, key), study.end(variant, key)
        if start and end and end.mean - start.mean > margin(study):
            yield (
                f"{variant} moves the control slice, which nothing distils: {metric_name(key)} "
                f"goes from {rate(start.mean)} to {rate(end.mean)}. Its gain elsewhere may not "
                "come from distillation."
            )


def _with(value: SeedMean) -> str:
    if value.low is None or value.high is None:
        return f"{rate(value.mean)} (one seed)"
    if value.low == value.high:
        return f"{rate(value.mean)} in every seed"
    return f"{rate(value.mean)} ({rate(value.low)} to {rate(value.high)})"


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
