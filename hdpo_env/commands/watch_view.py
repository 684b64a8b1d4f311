"""One frame of ``hdpo watch``: where a run stands, its curves as sparklines, its last events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hdpo_env.report.live import LiveRun

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 40  # characters of a sparkline
NUM_EVENTS = 5

# Metric, its name, its colour, and the range of its sparkline (None: that of its values).
RATE = (0.0, 1.0)
ROWS: tuple[tuple[str, str, str, tuple[float, float] | None], ...] = (
    ("groups/cliff_rate", "cliff rate", "red", RATE),
    ("groups/mixed_rate", "mixed rate", "yellow", RATE),
    ("groups/saturated_rate", "saturated rate", "blue", RATE),
    ("rollouts/reward", "reward", "green", RATE),
    ("privileged/pass_rate", "privileged pass rate", "magenta", RATE),
    ("losses/policy", "policy loss", "cyan", None),
    ("losses/distill", "distillation loss", "cyan", None),
    ("losses/entropy", "entropy", "cyan", None),
    ("optim/grad_norm", "gradient norm", "cyan", None),
)


def frame(run: LiveRun, now: float) -> RenderableType:
    """All that is known of the run, or that it is waited for; ``now`` in seconds since 1970."""
    if run.step is None:
        return Text(f"waiting for {run.folder}: it has no numbers yet", style="yellow")
    parts: list[RenderableType] = [_head(run, now), _bar(run), Text(), _numbers(run)]
    if events := run.events(NUM_EVENTS):
        parts += [Text(), *(Text(f"step {e.step:>6}  {e.text}", style="dim") for e in events)]
    if run.num_bad:
        parts.append(Text(f"{run.num_bad} lines of metrics.jsonl cannot be read", style="yellow"))
    return Group(*parts)


def _head(run: LiveRun, now: float) -> Text:
    of = f" of {run.planned}" if run.planned is not None else ""
    text = Text.assemble((run.folder.name, "bold"), f"  {run.done}{of} steps done")
    elapsed = run.series("time_s")
    if elapsed:
        text.append(f"  {clock(elapsed[-1])} so far")
    if run.is_finished:
        text.append("  finished", style="green")
    elif run.is_silent(now):
        text.append("  silent: no new numbers for a while", style="yellow")
    elif run.left_s is not None:
        text.append(f"  about {clock(run.left_s)} left")
    return text


def _bar(run: LiveRun) -> RenderableType:
    if run.planned is None:
        return Text()
    return ProgressBar(total=max(1, run.planned), completed=run.done, width=60)


def _numbers(run: LiveRun) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column()
    table.add_column("first", justify="right", style="dim")
    table.add_column("now", justify="right")
    table.add_column()
    passed = [(key, name, "green", RATE) for name, key in run.pass_keys.items()]
    for key, name, color, limits in (*ROWS, *passed):
        values = run.series(key)
        if values:
            line = Text(sparkline(values, limits=limits), style=color)
            table.add_row(name, f"{values[0]:.3f}", f"{values[-1]:.3f}", line)
    return table


def sparkline(
    values: Sequence[float], *, limits: tuple[float, float] | None = None, width: int = WIDTH
) -> str:
    """The values as a row of blocks, each the mean of as many values; their range by default.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    >>> sparkline([0.0, 0.5, 1.0, 1.0], limits=(0, 1), width=2)
    '▃█'
    >>> sparkline([3, 3])
    '▁▁'
    """
    bins = min(width, len(values))
    edges = [i * len(values) // bins for i in range(bins + 1)] if bins else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = limits or (min(means, default=0), max(means, default=0))
    span = high - low or 1.0
    last = len(BLOCKS) - 1
    return "".join(BLOCKS[min(last, max(0, round((m - low) / span * last)))] for m in means)


def clock(seconds: float) -> str:
    """Seconds as people read them.

    >>> clock(7), clock(125), clock(3 * 3600 + 62)
    ('0:07', '2:05', '3:01:02')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
