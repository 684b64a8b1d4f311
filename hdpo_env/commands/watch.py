"""``hdpo watch``: a run in the terminal while it goes on."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.live import Live

from hdpo_env.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """Show a run in the terminal while it goes on; q leaves, the run does not notice."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder (it may not exist yet), or a folder of several: the one written last."""
    every: float = 1.0
    """Seconds between two looks."""
    once: bool = False
    """Print one frame and leave; the exit code is 1 if there are no numbers yet."""


def run(options: Options) -> int:
    """Look again and again until the run is finished or the reader has had enough.

    Raises:
        ConfigError: the pause is not positive, or a file is to be watched instead of a folder.
    """
    from hdpo_env.commands.watch_view import frame
    from hdpo_env.report.live import LiveRun

    if options.every <= 0:
        raise ConfigError(f"--every {options.every:g}: give the seconds between two looks, above 0")
    if options.run.is_file():
        raise ConfigError(f"{options.run} is a file: give its run's folder, {options.run.parent}")
    live_run = LiveRun(newest_run(options.run))
    live_run.refresh()
    first = frame(live_run, time.time())
    if options.once:
        Console().print(first)
        return 0 if live_run.step is not None else 1
    with suppress(KeyboardInterrupt), Live(first, auto_refresh=False) as live, _keys() as pressed:
        while not live_run.is_finished and pressed(options.every).lower() != "q":
            if live_run.step is None:  # a comparison may start with any of its runs
                live_run = LiveRun(newest_run(options.run))
            live_run.refresh()
            live.update(frame(live_run, time.time()), refresh=True)
    return 0


def newest_run(path: Path) -> Path:
    """The folder itself, or the run in it that was written last if it holds runs and is none."""
    runs = [] if (path / "metrics.jsonl").exists() else list(path.glob("*/metrics.jsonl"))
    return max(runs, key=lambda file: file.stat().st_mtime).parent if runs else path


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Wait up to some seconds for a key; without a terminal to read from, just wait."""
    try:
        import termios
        import tty
    except ImportError:  # not on Windows: there ctrl-C leaves
        yield _no_key
        return
    if not sys.stdin.isatty():
        yield _no_key
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _key
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1) if ready else ""


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""
