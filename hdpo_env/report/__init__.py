"""Figures and the HTML report of one or more runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hdpo_env.report.figure import write_figure
from hdpo_env.report.html import page
from hdpo_env.report.load import load_runs
from hdpo_env.report.pages import check_page, write_page
from hdpo_env.report.png import write_pngs
from hdpo_env.report.records import Run
from hdpo_env.report.sections import every_figure
from hdpo_env.report.study import Study
from hdpo_env.types import Problem

__all__ = [
    "write_report",
    "write_figure",
    "write_pictures",
    "check_page",
    "load_runs",
    "Run",
    "Study",
]


def write_report(
    run_dirs: Sequence[str | Path],
    out: str | Path,
    *,
    problems: Iterable[Problem] = (),
    show_gold: bool = False,
) -> Path:
    """Write one self-contained HTML page about the runs and return its path.

    ``problems`` add questions to the table of problems; their gold answers are written to the page
    only if ``show_gold`` asks for them.

    A folder that holds several runs, as ``hdpo compare`` leaves it, counts as all of them. The page
    is named after the folders, or after the one folder that holds them all.

    Raises:
        DataError: a folder does not exist or holds no run.
        ConfigError: ``out`` is a folder, or a file of something else than an HTML page.
    """
    study = Study(load_runs(run_dirs))
    folders = [Path(d).resolve() for d in run_dirs]
    parents = {folder.parent for folder in folders}
    named = folders if len(folders) == 1 or len(parents) > 1 else parents
    title = ", ".join(folder.name for folder in named)
    return write_page(page(study, title, problems, show_gold=show_gold), out)


def write_pictures(run_dirs: Sequence[str | Path], folder: str | Path) -> list[Path]:
    """Write every figure of the report as a PNG file into a folder and return the paths.

    Raises:
        DataError: a folder does not exist or holds no run.
        MissingDependencyError: matplotlib is not installed.
    """
    return write_pngs(every_figure(Study(load_runs(run_dirs))), folder)
