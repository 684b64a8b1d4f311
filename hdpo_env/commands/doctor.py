"""``hdpo doctor``: why a run stalls or a file of rollouts is full of cliffs, and what to do."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hdpo_env.cliffs import GroupRates, triage_rows
from hdpo_env.cliffs.diagnosis import Vitals, diagnose, headline
from hdpo_env.commands.line_options import LineOptions, format_of, printable, warn
from hdpo_env.commands.places import check_out
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.report.load import load_logs
from hdpo_env.report.records import Curve, Skipped
from hdpo_env.types import GroupKind

_MAX_NAMED = 10  # pieces of logs that are printed; --json lists them all


@dataclass(frozen=True)
class Options(LineOptions):
    """Explain why training stalls: which groups are cliffs, for which causes, and what to do.

    The exit code is 1 if there is something to do.
    """

    place: Annotated[Path, tyro.conf.Positional]
    """Folder of a run, or a file of rollouts; the options about fields are for a file."""
    last: int = 20
    """Steps of a run to look at, counted from its end."""
    json: bool = False
    """Print one JSON object."""


def run(options: Options) -> int:
    """Look, and print what was found."""
    if options.last < 1:
        raise ConfigError(f"--last is {options.last}: look at one step or more")
    if options.threshold < 0:
        raise ConfigError(f"--threshold is {options.threshold}: choose a number of successes >= 0")
    check_out("--bad-lines", options.bad_lines, [options.place])
    skipped: list[Skipped] = []
    is_run = options.place.is_dir()
    vitals = of_run(options.place, options.last, skipped) if is_run else _of_file(options)
    if is_run and options.bad_lines is not None:
        options.bad_lines.write_text("".join(f"{s}\n" for s in skipped), encoding="utf-8")
    for sentence in _told(skipped):
        print(sentence, file=sys.stderr)
    symptoms = diagnose(vitals)
    if options.json:
        findings = [
            {**asdict(f), "cause": f.cause.value, "sentence": f.sentence} for f in vitals.findings
        ]
        told = {"headline": headline(vitals), "symptoms": [s._asdict() for s in symptoms]}
        found = {**told, "findings": findings, "skipped": [str(s) for s in skipped]}
        print(json.dumps(found, indent=2))
    else:
        _print(vitals, symptoms)
    return 1 if symptoms else 0


def of_run(run_dir: Path, last: int = 20, skipped: list[Skipped] | None = None) -> Vitals:
    """What the last steps of a run's logs say; ``skipped`` takes up what cannot be read.

    The causes are judged with a model of agreement that is fitted to all of its steps.

    Raises:
        DataError: the folder holds no log of a run.
    """
    path = run_dir / "groups.jsonl"
    if not path.exists():
        runs = sorted(p.parent.name for p in run_dir.glob("*/groups.jsonl"))
        such = f", such as {run_dir / runs[0]}" if runs else ""
        raise DataError(
            f"{run_dir} holds no groups.jsonl: give the folder of one run{such}, or a file of "
            "rollouts"
        )
    lost: list[Skipped] = [] if skipped is None else skipped
    curves, rows = load_logs(run_dir, lost)
    if not rows:
        why = f"no line of it can be used: {lost[-1]}" if path.stat().st_size else "it is empty"
        raise DataError(f"{path} holds no group, and the run has finished no step yet: {why}")
    since = max(row.step for row in rows) - last
    recent = Counter(row.kind for row in rows if row.step > since)
    found = triage_rows([row.triaged() for row in rows])
    return Vitals(
        GroupRates(**{f"num_{kind.value}": recent[kind.value] for kind in GroupKind}),
        [f for f in found if f.step is not None and f.step > since],
        _means(curves, since),
    )


def _means(curves: Mapping[str, Curve], since: int) -> dict[str, float]:
    recent = {
        name: [v for step, v in zip(curve.steps, curve.values, strict=True) if step > since]
        for name, curve in curves.items()
        if name != "time_s"
    }
    return {name: sum(values) / len(values) for name, values in recent.items() if values}


def _told(skipped: Sequence[Skipped]) -> list[str]:
    told = [str(piece) for piece in skipped[:_MAX_NAMED]]
    more = len(skipped) - len(told)
    return told + ([f"... and {more:,} more that cannot be read"] if more else [])


def _of_file(options: Options) -> Vitals:
    from hdpo_env.commands.details import read_details
    from hdpo_env.commands.tally import tally_file

    tally = tally_file(options.place, format_of(options), max_faults=options.max_faults)
    warn(tally, options)
    details = read_details({options.place: tally.formats[str(options.place)]}, options.threshold)
    return Vitals(details.kinds, details.findings, phantom_rate=details.phantom_rate)


def _print(vitals: Vitals, symptoms: Sequence[Any]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(headline(vitals), style="bold"), soft_wrap=True)
    if not symptoms:
        console.print("Nothing calls for action.")
    for sentence, remedy in symptoms:
        console.print(Text(f"- {sentence}\n    {remedy}"), soft_wrap=True)
    suspects = [f for f in vitals.findings if f.cause.value == "suspected_wrong_gold"]
    for finding in sorted(suspects, key=lambda f: -f.suspicion)[:10]:
        console.print(
            Text(f"  look at {printable(finding.problem_id)}: {finding.sentence}"), soft_wrap=True
        )
