"""``hdpo cliffs``: find the problems that every rollout failed, in rollouts of any system."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from hdpo_env.cliffs.triage import ABOUT, REMEDY, Cause
from hdpo_env.commands.card import GROUP_SIZES, card_of, counted, write_card
from hdpo_env.commands.cliff_facts import summarize, told_posterior
from hdpo_env.commands.details import Details, causes, read_details, suspects
from hdpo_env.commands.line_options import LineOptions, format_of, printable, warn
from hdpo_env.commands.places import check_out
from hdpo_env.commands.rollout_lines import LineFormat
from hdpo_env.commands.tally import Tally, tally_file, tally_stream
from hdpo_env.errors import ConfigError
from hdpo_env.verifiers import VERIFIERS

if TYPE_CHECKING:
    from rich.table import Table

_MAX_IDS = 20  # ids printed; --ids writes them all


@dataclass(frozen=True)
class Options(LineOptions):
    """Classify groups of rollouts as cliffs, mixed or saturated, and name the cliffs.

    Each line is a JSON object with a problem id and a verdict, a reward, or a completion with its
    gold answer. Files of OpenRLHF, TRL, verl, lm-evaluation-harness and of our own runs are
    recognised by their fields.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """JSON-lines or parquet files; - reads standard input."""
    ids: Path | None = None
    """Write the id of every problem that was never solved to this file, one a line; ids that hold
    line breaks or other controls, or begin with a quote, as JSON strings."""
    causes: bool = False
    """Also say why groups failed; reads the completions of failures once more."""
    card: Path | None = None
    """Write a cliff card (card.md and card.json) to this folder."""
    data: str = ""
    """Name of the data set on the card; the files' names by default."""
    model: str = "unnamed model"
    """Name of the model on the card."""
    budget: int = 512
    """Rollouts a step, for the budget on the card."""
    json: bool = False
    """Print the numbers as JSON instead of a table."""


def run(options: Options) -> int:
    """Read, classify, print; malformed lines are named on standard error."""
    if not options.files:
        raise ConfigError("name at least one file of rollouts, or - for standard input")
    if options.threshold < 0:
        raise ConfigError(f"--threshold is {options.threshold}: choose a number of successes >= 0")
    if options.budget < GROUP_SIZES[0]:
        raise ConfigError(
            f"--budget is {options.budget}: choose the rollouts of a step, {GROUP_SIZES[0]} or more"
        )
    if options.causes and Path("-") in options.files:
        raise ConfigError("--causes reads the rollouts twice: give a file instead of -")
    _refuse_twice(options.files)
    check_out("--ids", options.ids, options.files)
    check_out("--bad-lines", options.bad_lines, options.files)
    if options.card is not None:
        for name in ("card.md", "card.json"):
            check_out("--card", options.card / name, options.files)
    VERIFIERS[options.verifier]  # an unknown name is refused before a million lines are read
    tally = Tally(max_faults=options.max_faults)
    for path in options.files:
        tally.num_read = 0  # line numbers are each file's own
        tally.add(_read(path, format_of(options), options.max_faults))
    warn(tally, options)
    facts = summarize(tally, options.threshold)
    details = _details(tally, options) if options.causes or options.card else None
    if details is not None:
        facts |= {
            "causes": causes(details.findings),
            "suspected_wrong_golds": suspects(details.findings),
            "phantom_rate": details.phantom_rate,
        }
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_table(facts)
    _write(tally, facts, options)
    return 0


def _write(tally: Tally, facts: dict[str, Any], options: Options) -> None:
    if options.ids is not None:
        lines = (f"{_on_a_line(name)}\n" for name in facts["never_solved"])
        options.ids.write_text("".join(lines), encoding="utf-8", newline="\n")
    if options.card is not None:
        data = options.data or ", ".join(path.name for path in options.files)
        names = {"data": data, "model": options.model, "num_rollouts": options.budget}
        write_card(card_of(tally, facts, **names), options.card)


def _on_a_line(name: str) -> str:
    # str.splitlines breaks at more characters than \n, all of them controls or separators.
    is_plain = name.isprintable() and not name.startswith('"')
    return name if is_plain else json.dumps(name)


def _refuse_twice(files: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for path in files:
        place = path if str(path) == "-" else path.resolve()
        if place in seen:
            raise ConfigError(f"{path} is given twice, and its rollouts would count twice")
        seen.add(place)


def _read(path: Path, line_format: LineFormat, max_faults: int) -> Tally:
    if str(path) == "-":
        return tally_stream(sys.stdin.buffer, "-", line_format, max_faults)
    return tally_file(path, line_format, max_faults=max_faults)


def _details(tally: Tally, options: Options) -> Details | None:
    formats = {path: tally.formats[str(path)] for path in options.files if str(path) != "-"}
    return read_details(formats, options.threshold) if formats else None


def _print_table(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(_kinds_table(facts))
    rate = "unknown" if facts["pass_rate"] is None else f"{facts['pass_rate']:.4f}"
    console.print(
        f"{counted(facts['rollouts'], 'rollout')} of {counted(facts['problems'], 'problem')}, "
        f"pass rate {rate}, {counted(facts['abstentions'], 'abstention')}, "
        f"{counted(facts['malformed_lines'], 'malformed line')}",
        soft_wrap=True,
    )
    if facts["group_size"][1] == 1:
        console.print("Every group has one rollout: a cliff is then only a wrong answer.")
    else:
        console.print(told_posterior(facts), soft_wrap=True)
    if found := facts.get("causes"):
        console.print(_causes_table(found))
    if ids := facts.get("suspected_wrong_golds"):
        shown = printable(" ".join(ids[:_MAX_IDS]))
        console.print(Text(f"suspected wrong golds ({len(ids):,}): {shown}"), soft_wrap=True)
    if rate := facts.get("phantom_rate"):
        console.print(
            f"{rate:.2f} of the cliffs get a phantom gradient: all failed, rewarded differently",
            soft_wrap=True,
        )
    if never := facts["never_solved"]:
        shown = printable(" ".join(never[:_MAX_IDS]))
        more = f" ... ({len(never) - _MAX_IDS:,} more: --ids FILE)" if len(never) > _MAX_IDS else ""
        console.print(Text(f"never solved ({len(never):,}): {shown}{more}"), soft_wrap=True)


def _kinds_table(facts: dict[str, Any]) -> Table:
    from rich.table import Table

    low, high = facts["group_size"]
    size = f"{low}" if low == high else f"{low} to {high}"
    rollouts = "1 rollout" if high == 1 else f"{size} rollouts"
    table = Table(title=f"{counted(facts['groups'], 'group')} of {rollouts}")
    for name in ("kind", "groups", "rate"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind, row in facts["kinds"].items():
        table.add_row(kind, f"{row['groups']:,}", f"{row['rate']:.4f}")
    return table


def _causes_table(found: dict[str, int]) -> Table:
    from rich.table import Table

    table = Table(title="why groups failed")
    for name in ("cause", "groups", "what to do"):
        table.add_column(name, justify="right" if name == "groups" else "left")
    for name, number in found.items():
        table.add_row(ABOUT[Cause(name)], f"{number:,}", REMEDY[Cause(name)])
    return table
