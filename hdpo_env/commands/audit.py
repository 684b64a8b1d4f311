"""``hdpo audit``: check a data set's golds, and the verifier against math-verify."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hdpo_env.commands.pairs import read_pairs
from hdpo_env.commands.places import check_limit, columns_of
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.rows import load_problems
from hdpo_env.types import Verdict
from hdpo_env.verifiers import VERIFIERS, Verifier, VerifierPool
from hdpo_env.verifiers.audit import Disagreement, Finding, audit, differences


@dataclass(frozen=True)
class Options:
    """Check that golds parse, accept themselves and reject nothing, and find repeats and leaks.

    Exits 1 if anything was found, and 2 if nothing could be compared with math-verify.
    """

    data: Annotated[str, tyro.conf.Positional]
    """Problems: a file, a folder or a hub id; with --differential, lines of completion and gold."""
    field_map: str = "plain"
    """Which columns hold question, answer and solution: a ready map or field=column,..."""
    split: str = "train"
    """Split of a hub data set."""
    against: str | None = None
    """Other problems, such as a test set, that must not overlap."""
    verifier: str = "math"
    """Who judges."""
    differential: bool = False
    """Judge completions with this verifier and with math-verify, and list where they differ."""
    limit: int | None = None
    """At most this many problems, or completions with --differential."""
    workers: int = 2
    """Processes that judge, with --differential."""
    show: int = 20
    """Findings printed."""
    show_golds: bool = False
    """Also print the golds of what was found."""
    json: bool = False
    """Print everything as JSON."""


def run(options: Options) -> int:
    """Audit, print, and say by the exit code whether anything was found or nothing was read."""
    check_limit(options.limit)
    if options.show < 0:
        raise ConfigError(f"--show is {options.show}: choose a number of findings >= 0")
    return _differential(options) if options.differential else _golds(options)


def _golds(options: Options) -> int:
    def load(path: str) -> Any:
        return load_problems(
            path, field_map=options.field_map, split=options.split, limit=options.limit
        )

    columns_of(options.field_map)
    report = load(options.data)
    others = load(options.against).problems if options.against else ()
    if options.against and not others:
        raise DataError(f"{options.against} holds no usable problem to compare with")
    findings = audit(report.problems, VERIFIERS[options.verifier](), others=others)
    if report.bad_rows:
        print(report.listing(options.show), file=sys.stderr)
    if options.field_map == "plain" and any("####" in p.gold for p in report.problems):
        print("note: some golds end in '#### ANSWER': try --field-map gsm8k", file=sys.stderr)
    counts = Counter(finding.kind for finding in findings)
    shown = {p.id: p.answers for p in report.problems} if options.show_golds else {}
    if options.json:
        facts = {
            "problems": len(report.problems),
            "bad_rows": report.num_bad,
            "further_solutions": report.num_repeats,
            "counts": dict(counts),
            "findings": [_told(finding, shown) for finding in findings],
        }
        print(json.dumps(facts, indent=2))
    else:
        _print_findings([_told(f, shown) for f in findings], options.show)
        _print_counts(counts, len(report.problems), report.num_bad)
    return 1 if findings or report.bad_rows or not report.problems else 0


def _told(finding: Finding, golds: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """A finding as a row, with the golds of its problem if they are to be shown."""
    row = asdict(finding)
    return {**row, "golds": list(golds[finding.problem_id])} if golds else row


def _print_findings(rows: list[dict[str, Any]], show: int) -> None:
    for row in rows[:show]:
        golds = f" (golds {row['golds']})" if "golds" in row else ""
        print(f"{row['kind']}: problem {row['problem_id']}: {row['detail']}{golds}")
    if len(rows) > show:
        print(f"... and {len(rows) - show} more")


def _print_counts(counts: Counter[str], problems: int, bad_rows: int) -> None:
    if not problems:
        print(f"nothing to audit: no problem could be read, {bad_rows} bad rows")
        return
    what = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "no other fault"
    print(f"{problems} problems, {bad_rows} bad rows: {what}")


def _differential(options: Options) -> int:
    from hdpo_env.verifiers.peers import MathVerifyVerifier

    pairs = read_pairs(Path(options.data), limit=options.limit)
    items = [(pair.completion, pair.gold) for pair in pairs]
    judges = (VERIFIERS[options.verifier](), MathVerifyVerifier())
    ours, theirs = (_judged_by(judge, items, options.workers) for judge in judges)
    found = differences(items, ours, theirs)
    both = [
        a.correct is not None and b.correct is not None for a, b in zip(ours, theirs, strict=True)
    ]
    abstained = {
        "ours": sum(v.is_abstention for v in ours),
        "math_verify": sum(v.is_abstention for v in theirs),
    }
    rows = [_facts(d, options) for d in found]
    if options.json:
        facts = {"items": len(items), "compared": sum(both), "abstained": abstained}
        print(json.dumps({**facts, "disagreements": rows}, indent=2))
    else:
        for row in rows[: options.show]:
            print(json.dumps(row, ensure_ascii=False))
        print(
            f"{len(found)} disagreements with math-verify in {sum(both)} of {len(items)} items; "
            f"abstained: we on {abstained['ours']}, math-verify on {abstained['math_verify']}"
        )
    return 1 if found else 0


def _judged_by(judge: Verifier, items: Sequence[Any], workers: int) -> list[Verdict]:
    """All verdicts of one judge, who must have decided something."""
    with VerifierPool(judge, workers, timeout_s=20.0) as pool:
        verdicts = pool.map(items)
    if all(verdict.is_abstention for verdict in verdicts):
        raise DataError(
            f"{judge.name} could judge none of the {len(items)} items, so nothing was compared: "
            f"{verdicts[0].reason}"
        )
    return verdicts


def _facts(found: Disagreement, options: Options) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "item": found.index + 1,
        "answer": found.extracted,
        "ours": found.ours.outcome.value,
        "stage": found.ours.stage,
        "math_verify": found.theirs.outcome.value,
    }
    return {**facts, "gold": found.gold} if options.show_golds else facts
