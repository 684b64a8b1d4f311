"""``hdpo report``: one offline HTML page about runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from hdpo_env.commands.places import ColumnsOption, check_out, find_problems
from hdpo_env.errors import ConfigError

if TYPE_CHECKING:
    from hdpo_env.types import Problem


@dataclass(frozen=True)
class Options:
    """Write one self-contained HTML page about runs."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders, or folders that hold several runs."""
    out: Path | None = None
    """Where the page goes; report.html in the first folder by default."""
    figure: Path | None = None
    """Also draw the two deciding curves of the first folder as one SVG."""
    png: Path | None = None
    """Also write every figure as a PNG file into this folder; needs matplotlib."""
    problems: str | None = None
    """A problem file or family: the table of problems then shows their questions."""
    field_map: ColumnsOption = "plain"
    split: str = "train"
    """Split of that family (train, eval, test) or of a hub data set."""
    strict: bool = False
    """Stop at the first bad row of --problems instead of leaving it out aloud."""
    limit: int = 20_000
    """Read this many of --problems at most."""
    gold: bool = False
    """Show the gold answers of --problems too; the page then must not reach a model."""


def run(options: Options) -> int:
    """Write the page and, if asked for, the pictures.

    Raises:
        ConfigError: an option is missing, or an output is a file of something else.
        DataError: a folder does not exist or holds no run.
    """
    from hdpo_env.report import check_page, write_figure, write_pictures, write_report
    from hdpo_env.report.load import find_runs

    if not options.runs:
        raise ConfigError("name at least one run folder: hdpo report runs/demo")
    if options.gold and options.problems is None:
        raise ConfigError("--gold needs --problems: runs hold no gold answers")
    for folder in options.runs:
        find_runs(folder)  # or it is refused
    out = options.out or options.runs[0] / "report.html"
    check_page(out)
    check_out("--out", out, ())
    if options.figure is not None:
        check_page(options.figure, "an SVG picture")
        check_out("--figure", options.figure, ())
        print(write_figure(options.runs[0], options.figure))
    if options.png is not None:
        pictures = write_pictures(options.runs, options.png)
        print(f"{len(pictures)} figure{'' if len(pictures) == 1 else 's'} in {options.png}")
    known = _problems(options)
    if options.problems is not None:
        _say_found(options, {problem.id for problem in known})
    print(write_report(options.runs, out, problems=known, show_gold=options.gold))
    return 0


def _say_found(options: Options, known: set[str]) -> None:
    from hdpo_env.report import load_runs

    trained = {row.problem_id for run in load_runs(options.runs) for row in run.groups}
    print(
        f"questions found for {len(trained & known):,} of {len(trained):,} problems of training "
        f"among the {len(known):,} of {options.problems}",
        file=sys.stderr,
    )
    if trained and not trained & known:
        print(
            "note: problems are matched by id: name the data, --field-map and --split that the run "
            "was trained on, and raise --limit if they stand further down",
            file=sys.stderr,
        )


def _problems(options: Options) -> Sequence[Problem]:
    if options.problems is None:
        return ()
    return find_problems(
        options.problems,
        field_map=options.field_map,
        split=options.split,
        limit=options.limit,
        strict=options.strict,
    )
