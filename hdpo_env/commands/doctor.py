"""``hdpo doctor``: why a run stalls or a file of rollouts is full of cliffs, and what to do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hdpo_env.cliffs import GroupRates, triage_rows
from hdpo_env.cliffs.diagnosis import Vitals, diagnose, headline
from hdpo_env.commands.line_options import LineOptions, format_of, warn
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import GroupKind


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
    vitals = of_run(options.place, options.last) if options.place.is_dir() else _of_file(options)
    symptoms = diagnose(vitals)
    if options.json:
        findings = [
            {**asdict(f), "cause": f.cause.value, "sentence": f.sentence} for f in vitals.findings
        ]
        told = {"headline": headline(vitals), "symptoms": [s._asdict() for s in symptoms]}
        print(json.dumps({**told, "findings": findings}, indent=2))
    else:
        _print(vitals, symptoms)
    return 1 if symptoms else 0


def of_run(run_dir: Path, last: int = 20) -> Vitals:
    """What the last steps of a run's logs say.

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
    rows, metrics = _lines(path), _lines(run_dir / "metrics.jsonl")
    if not rows:
        raise DataError(f"{path} is empty: the run has finished no step yet")
    since = max(row["step"] for row in rows) - last
    recent = Counter(row["kind"] for row in rows if row["step"] > since)
    return Vitals(
        GroupRates(**{f"num_{kind.value}": recent[kind.value] for kind in GroupKind}),
        [f for f in triage_rows(rows) if f.step is not None and f.step > since],
        _means(row for row in metrics if row["step"] > since),
    )


def _of_file(options: Options) -> Vitals:
    from hdpo_env.commands.details import read_details
    from hdpo_env.commands.tally import tally_file

    tally = tally_file(options.place, format_of(options))
    warn(tally, options)
    details = read_details({options.place: tally.formats[str(options.place)]}, options.threshold)
    return Vitals(details.kinds, details.findings, phantom_rate=details.phantom_rate)


def _lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a log; a last line that is still being written is left out."""
    found: list[dict[str, Any]] = []
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            row = json.loads(line) if line else None
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row:
            found.append(row)
    return found


def _means(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, (int, float)) and name not in ("step", "time_s"):
                sums.setdefault(name, []).append(float(value))
    return {name: sum(values) / len(values) for name, values in sums.items()}


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
        console.print(Text(f"  look at {finding.problem_id}: {finding.sentence}"), soft_wrap=True)
