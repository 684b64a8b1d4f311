"""Progress bars with the numbers one watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column

WATCHED = {
    "groups/cliff_rate": "cliffs",
    "rollouts/reward": "reward",
    "privileged/pass_rate": "priv",
    "losses/distill": "distill",
}


class RunProgress:
    """One bar a run."""

    def __init__(self, progress: Progress, steps: Mapping[str, int]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            name: progress.add_task(name, total=total, note="waiting")
            for name, total in steps.items()
        }

    def advance(self, name: str, step: int, metrics: Mapping[str, float]) -> None:
        """Move one bar to ``step`` and show its newest numbers."""
        shown = [f"{label} {metrics[key]:.2g}" for key, label in WATCHED.items() if key in metrics]
        self._progress.update(self._tasks[name], completed=step, note=" ".join(shown))

    def note(self, name: str, text: str) -> None:
        """Write a word beside one bar."""
        self._progress.update(self._tasks[name], note=text)

    def log(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(text)


@contextmanager
def show_progress(steps: Mapping[str, int]) -> Iterator[RunProgress]:
    """Bars for these runs, on the terminal while the block lasts.

    A run of thousands of steps fits into 80 columns; where it does not, its numbers wrap.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=3),
        MofNCompleteColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", table_column=Column(no_wrap=False)),
    )
    with Progress(*columns) as progress:
        yield RunProgress(progress, steps)
