"""``hdpo report``: one offline HTML page about runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hdpo_env.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """Write one self-contained HTML page about runs."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, or folders that hold several runs."""
    out: Path | None = None
    """Where the page goes; report.html in the first folder by default."""
    figure: Path | None = None
    """Also draw the two deciding curves of the first folder as one SVG."""


def run(options: Options) -> int:
    """Write the page and, if asked for, the picture."""
    from hdpo_env.report import write_figure, write_report

    if not options.runs:
        raise ConfigError("name at least one run folder: hdpo report runs/demo")
    if options.figure is not None:
        print(write_figure(options.runs[0], options.figure))
    print(write_report(options.runs, options.out or options.runs[0] / "report.html"))
    return 0
