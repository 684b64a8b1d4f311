"""Which settings of the runs differ from the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hdpo_env.config import PRESETS, to_dict
from hdpo_env.report.markup import Markup, el
from hdpo_env.report.study import Study


def departures(study: Study) -> Markup | None:
    """Where the configurations differ from the presets of the same name."""
    held: dict[tuple[str, str, str], list[str]] = {}
    known = [v for v in study.variants if study.algo(v) in PRESETS]
    for variant in known:
        run = study.variants[variant][0]
        paper = _flat(to_dict(PRESETS[run.algo]))
        for name, value in _flat(run.config).items():
            if name in paper and _plain(paper[name]) != _plain(value) and name != "seed":
                row = name, _plain(paper[name]), _plain(value)
                held.setdefault(row, []).append(variant)
    if not held:
        return None
    rows = [
        el(
            "tr",
            el("th", el("code", name), scope="row"),
            el("td", published),
            el("td", ours),
            el("td", "all" if len(variants) == len(study.variants) else ", ".join(variants)),
        )
        for (name, published, ours), variants in sorted(held.items())
    ]
    head = el("tr", *(el("th", t, scope="col") for t in ("setting", "preset", "here", "variants")))
    return el("table", el("thead", head), el("tbody", *rows), class_="plain")


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(v) for v in value)
    return "none" if value is None else str(value)
