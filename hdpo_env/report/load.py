"""Runs on disk -> typed records. What cannot be read is skipped, counted and named.

A run that is still being written, was killed, or was resumed is read as far as it goes: a torn last
line is skipped, and a step that was logged twice counts once, with its later values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from hdpo_env.cliffs.triage import Evidence, Finding, triage_rows
from hdpo_env.errors import DataError
from hdpo_env.report.histories import ledger_of, training_ledger
from hdpo_env.report.records import CompletionRow, Curve, EvalRow, GroupRow, Run, Skipped
from hdpo_env.types import GroupKind


def load_runs(paths: Sequence[str | Path]) -> tuple[Run, ...]:
    """Read runs; a folder that holds several runs counts as all of them, in order of name.

    Raises:
        DataError: a path does not exist, or holds no run.
    """
    folders = [folder for path in paths for folder in find_runs(Path(path))]
    return tuple(load_run(folder) for folder in dict.fromkeys(folders))


def find_runs(path: Path) -> list[Path]:
    """The run folders at a path: itself, or its children.

    Raises:
        DataError: the path does not exist, or holds no run.
    """
    if not path.is_dir():
        raise DataError(f"no folder is at {path}: give the folder of a run, such as runs/demo")
    if (path / "metrics.jsonl").is_file():
        return [path]
    children = sorted(c for c in path.iterdir() if (c / "metrics.jsonl").is_file())
    if not children:
        raise DataError(
            f"{path} holds no run: neither it nor a folder in it has a metrics.jsonl; "
            "give a folder that `hdpo train` or `hdpo compare` has written"
        )
    return children


def load_run(folder: Path) -> Run:
    """Read one run folder; every file but ``metrics.jsonl`` may be absent.

    Raises:
        DataError: ``config.json`` or ``summary.json`` exists and is not JSON.
    """
    skipped: list[Skipped] = []
    config, summary = read_json(folder / "config.json"), read_json(folder / "summary.json")
    curves, groups = load_logs(folder, skipped)
    variant, seed = _identity(folder.name, config, summary)
    texts = tuple(_typed(folder / "completions.jsonl", _completion_row, skipped))
    ledger = training_ledger(folder)
    skipped += [Skipped("ledger", 0, fault) for fault in ledger.faults] if ledger else []
    return Run(
        name=folder.name,
        algo=_algo(config, summary, variant),
        variant=variant,
        seed=seed,
        config=config,
        curves=curves,
        groups=groups,
        evals=_latest(_typed(folder / "eval.jsonl", _eval_row, skipped)),
        completions=_ends(texts),
        texts=_newest(texts),
        ledger=ledger or ledger_of(groups),
        findings=_findings(groups),
        seconds=_seconds(summary, curves),
        skipped=tuple(skipped),
    )


def load_logs(
    folder: Path, skipped: list[Skipped]
) -> tuple[dict[str, Curve], tuple[GroupRow, ...]]:
    """The metrics and the groups of a run, as far as they can be read; ``skipped`` names the rest.

    A file that does not exist holds nothing.
    """
    curves = _curves(_lines(folder / "metrics.jsonl", skipped), skipped)
    return curves, tuple(_typed(folder / "groups.jsonl", _group_row, skipped))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is no file.

    Raises:
        DataError: the file is not JSON.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}): mend it or remove it") from None
    return content if isinstance(content, dict) else {}


def _lines(path: Path, skipped: list[Skipped]) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            row = json_object(line)
            if row is not None:
                yield number, row
            elif line.strip():
                why = "is not a JSON object" if line.endswith(b"\n") else "was cut off in writing"
                skipped.append(Skipped(path.name, number, why))


def json_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object on a line; None if there is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _curves(rows: Iterator[tuple[int, dict[str, Any]]], skipped: list[Skipped]) -> dict[str, Curve]:
    points: dict[str, dict[int, float]] = {}
    for number, row in rows:
        step = row.get("step")
        if not isinstance(step, int):
            skipped.append(Skipped("metrics.jsonl", number, "has no integer step"))
            continue
        for key, value in run_metrics(row):
            if isfinite(value):
                points.setdefault(key, {})[step] = value
            else:
                skipped.append(Skipped("metrics.jsonl", number, f"{key} is {value}"))
    return {key: _curve(values) for key, values in points.items()}


def run_metrics(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a line of ``metrics.jsonl``, without its step."""
    for key, value in row.items():
        if key != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield key, float(value)


def _curve(values: Mapping[int, float]) -> Curve:
    steps = tuple(sorted(values))
    return Curve(steps, tuple(values[step] for step in steps))


def _typed(path: Path, make: Any, skipped: list[Skipped]) -> Iterator[Any]:
    for number, row in _lines(path, skipped):
        try:
            yield make(row)
        except (KeyError, TypeError, ValueError, DataError) as error:
            skipped.append(Skipped(path.name, number, f"has no usable {error}"))


def _group_row(row: Mapping[str, Any]) -> GroupRow:
    counts = [row.get(f"num_{how}") for how in ("correct", "wrong", "abstained")]
    correct, wrong, abstained = (int(n) if isinstance(n, int) else -1 for n in counts)
    evidence = row.get("evidence")
    if evidence is not None:
        Evidence.from_row(evidence)  # or it is no evidence, which the caller reports
    return GroupRow(
        int(row["step"]),
        str(row["problem_id"]),
        str(row.get("slice", "")),
        GroupKind(row["kind"]).value,
        (correct, wrong, abstained) if min(correct, wrong, abstained) >= 0 else None,
        evidence,
    )


def _findings(groups: Iterable[GroupRow]) -> tuple[Finding, ...]:
    return tuple(triage_rows(row.triaged() for row in groups if row.evidence))


def _eval_row(row: Mapping[str, Any]) -> EvalRow:
    n, correct = int(row["n"]), int(row["correct"])
    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"counts: {correct} correct of {n}")
    where = int(row["step"]), str(row.get("slice", "")), str(row["problem_id"])
    return EvalRow(*where, n, correct)


def _completion_row(row: Mapping[str, Any]) -> CompletionRow:
    extracted = row.get("extracted")
    return CompletionRow(
        int(row["step"]),
        str(row.get("role", "student")),
        str(row["problem_id"]),
        str(row["text"]),
        str(row.get("outcome", "")),
        None if extracted is None else str(extracted),
    )


def _latest(rows: Iterator[EvalRow]) -> tuple[EvalRow, ...]:
    # A resumed run may have evaluated a step twice: the later record stands.
    return tuple({(r.step, r.slice, r.problem_id): r for r in rows}.values())


def _ends(rows: Iterable[CompletionRow]) -> tuple[CompletionRow, ...]:
    # A long run keeps thousands of texts; a reader wants the beginning and the end of each role.
    first: dict[str, list[CompletionRow]] = {}
    last: dict[str, list[CompletionRow]] = {}
    for row in rows:
        for kept, is_newer in ((first, False), (last, True)):
            held = kept.setdefault(row.role, [row])
            if held[0].step == row.step and held[0] is not row:
                held.append(row)
            elif (row.step > held[0].step) if is_newer else (row.step < held[0].step):
                kept[row.role] = [row]
    return tuple(dict.fromkeys(row for kept in (first, last) for r in kept.values() for row in r))


def _newest(rows: Iterable[CompletionRow]) -> dict[str, tuple[CompletionRow, ...]]:
    newest: dict[str, dict[str, CompletionRow]] = {}
    for row in rows:
        held = newest.setdefault(row.problem_id, {})
        if row.role not in held or row.step >= held[row.role].step:
            held[row.role] = row
    return {problem: tuple(held[role] for role in sorted(held)) for problem, held in newest.items()}


def _identity(name: str, config: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[str, int]:
    match = re.fullmatch(r"(.+)-seed(\d+)", name)
    variant, number = match.groups() if match else (name, "0")
    seed = summary.get("seed", config.get("seed", int(number)))
    return str(summary.get("variant") or variant), int(seed)


def _algo(config: Mapping[str, Any], summary: Mapping[str, Any], variant: str) -> str:
    algo = config.get("algo")
    named = algo.get("name") if isinstance(algo, dict) else algo
    return str(summary.get("algo") or named or variant.split("-")[0])


def _seconds(summary: Mapping[str, Any], curves: Mapping[str, Curve]) -> float:
    seconds = summary.get("seconds")
    if isinstance(seconds, (int, float)):
        return float(seconds)
    return curves["time_s"].last if "time_s" in curves else 0.0
