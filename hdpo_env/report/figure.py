"""The README's picture: the two deciding curves side by side, as one SVG for light and dark."""

from __future__ import annotations

from pathlib import Path

from hdpo_env.errors import DataError
from hdpo_env.report.figures import deciding
from hdpo_env.report.findings import headline
from hdpo_env.report.html import stylesheet
from hdpo_env.report.load import load_runs
from hdpo_env.report.markup import Markup, el
from hdpo_env.report.pages import write_page
from hdpo_env.report.study import Study

_SIZE = (450.0, 280.0)
_GAP, _HEAD, _MARGIN = 16.0, 34.0, 12.0


def write_figure(run_dir: str | Path, out: str | Path) -> Path:
    """Write the curves of the hard and the easy slice as one SVG file and return its path.

    Raises:
        DataError: the folder holds no run, or no run was evaluated.
        ConfigError: ``out`` is a file of something else than an SVG picture.
    """
    study = Study(load_runs([run_dir]))
    shown = deciding(study, _SIZE)
    if not shown:
        raise DataError(f"{run_dir} holds no evaluation to draw: let a run reach one first")
    panels, left = [], _MARGIN
    for figure in shown:
        chart = el("g", figure.chart, transform=f"translate({left:g},{_HEAD:g})")
        panels += [el("text", figure.title, x=left, y=22.0, class_="panel"), chart]
        left += _SIZE[0] + _GAP
    picture = el(
        "svg",
        el("title", headline(study), id="figure-title"),
        el("style", Markup(stylesheet("chart.css") + stylesheet("figure.css"))),
        *panels,
        viewBox=f"0 0 {left - _GAP + _MARGIN:g} {_SIZE[1] + _HEAD + _MARGIN:g}",
        role="img",
        aria_labelledby="figure-title",
        xmlns="http://www.w3.org/2000/svg",
    )
    return write_page(f"{picture}\n", out, "an SVG picture")
