"""The trade-off of the distillation weight: variants that differ in nothing else, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hdpo_env.report.axes import Axis, short
from hdpo_env.report.figures import Figure, looks_of, slug, upper
from hdpo_env.report.findings import metric_name
from hdpo_env.report.lines import Line, line_chart
from hdpo_env.report.looks import Look
from hdpo_env.report.seeds import BandPoint
from hdpo_env.report.study import Study


def weights(study: Study) -> list[Figure]:
    """What the largest pass@k of the hard slice and pass@1 of the easy one come to, by weight.

    Only where at least two variants have the same settings but for a positive weight; the baseline
    stands at weight 0.
    """
    families = [f for f in _families(study) if len(f) > 1]
    if not families:
        return []
    places = sorted({0.0, *(w for family in families for w in family)})
    axis = Axis("distillation weight", tuple((i, short(w)) for i, w in enumerate(places)))
    looks = looks_of(study)
    figures = []
    for key in dict.fromkeys([study.hard_key, "eval/easy/pass@1"]):
        lines = tuple(
            line for f in families if (line := _line(study, f, places, key, looks)).points
        )
        if lines:
            title = f"{upper(metric_name(key))} by distillation weight"
            chart = line_chart(
                lines,
                key=slug("weight", key),
                title=title,
                axis=axis,
                y_range=(0.0, 1.0) if key == study.hard_key else None,
                include_zero=key == study.hard_key,
            )
            caption = "At the last evaluation. Bands reach from the lowest to the highest seed."
            caption += f" Weight 0 is {study.baseline}." if study.baseline else ""
            caption += "" if key == study.hard_key else " The vertical axis does not start at 0."
            figures.append(Figure(title, caption, chart, lines, axis))
    return figures


def _families(study: Study) -> list[dict[float, str]]:
    # Weight -> variant, for each set of variants whose algorithms differ in the weight alone.
    found: dict[str, dict[float, str]] = {}
    for variant in study.main:
        algo = study.variants[variant][0].config.get("algo")
        distill = algo.get("distill") if isinstance(algo, Mapping) else None
        weight = distill.get("weight") if isinstance(distill, Mapping) else None
        if isinstance(algo, Mapping) and isinstance(weight, (int, float)) and weight > 0:
            found.setdefault(_but_weight(algo), {})[float(weight)] = variant
    return list(found.values())


def _but_weight(algo: Mapping[str, Any]) -> str:
    others = {k: v for k, v in algo["distill"].items() if k != "weight"}
    return json.dumps({**algo, "distill": others}, sort_keys=True, default=str)


def _line(
    study: Study,
    family: Mapping[float, str],
    places: list[float],
    key: str,
    looks: Mapping[str, Look],
) -> Line:
    members = {0.0: study.baseline, **family} if study.baseline else dict(family)
    points = []
    for weight in sorted(members):
        runs = study.finished[str(members[weight])]
        ends = [run.curves[key].last for run in runs if key in run.curves]
        if ends:
            mean = sum(ends) / len(ends)
            points.append(BandPoint(places.index(weight), mean, min(ends), max(ends), len(ends)))
    label = _shared_name([family[w] for w in sorted(family)])
    return Line(label, points, looks[family[min(family)]])


def _shared_name(names: list[str]) -> str:
    # hdpo-gentle-frozen, hdpo-strong-frozen -> hdpo-frozen
    others = [set(name.split("-")) for name in names[1:]]
    words = [w for w in names[0].split("-") if all(w in other for other in others)]
    return "-".join(words) or names[0]
