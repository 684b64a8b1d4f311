"""``hdpo audit``: check a data set's golds, and the verifier against math-verify."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hdpo_env.commands.pairs import read_pairs
from hdpo_env.commands.places import check_limit, columns_of
from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.rows import load_problems
from hdpo_env.verifiers import VERIFIERS, VerifierPool
from hdpo_env.verifiers.audit import Disagreement, Finding, audit, differences


@dataclass(frozen=True)
class Options:
    """Check that golds parse, accept themselves and reject nothing, and find repeats and leaks.

    Exits 1 if anything was found.
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
    """Also print the golds of disagreements."""
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
    if options.json:
        facts = {
            "problems": len(report.problems),
            "bad_rows": report.num_bad,
            "further_solutions": report.num_repeats,
            "counts": dict(counts),
            "findings": [asdict(finding) for finding in findings],
        }
        print(json.dumps(facts, indent=2))
    else:
        _print_findings(findings, counts, len(report.problems), report.num_bad, options.show)
    return 1 if findings or report.bad_rows or not report.problems else 0


def _print_findings(
    findings: list[Finding], counts: Counter[str], problems: int, bad_rows: int, show: int
) -> None:
    for finding in findings[:show]:
        print(f"{finding.kind}: problem {finding.problem_id}: {finding.detail}")
    if len(findings) > show:
        print(f"... and {len(findings) - show} more")
    if not problems:
        print(f"nothing to audit: no problem could be read, {bad_rows} bad rows")
        return
    what = ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())) or "no other fault"
    print(f"{problems} problems, {bad_rows} bad rows: {what}")


def _differential(options: Options) -> int:
    from hdpo_env.verifiers.peers import MathVerifyVerifier

    pairs = read_pairs(Path(options.data), limit=options.limit)
    items = [(pair.completion, pair.gold) for pair in pairs]
    judged = []
    for judge in (VERIFIERS[options.verifier](), MathVerifyVerifier()):
        with VerifierPool(judge, options.workers, timeout_s=20.0) as pool:
            judged.append(pool.map(items))
    found = differences(items, *judged)
    if options.json:
        print(json.dumps([_facts(d, options) for d in found], indent=2))
    else:
        for disagreement in found[: options.show]:
            print(json.dumps(_facts(disagreement, options), ensure_ascii=False))
        print(f"{len(found)} disagreements with math-verify in {len(items)} items")
    return 1 if found else 0


def _facts(found: Disagreement, options: Options) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "item": found.index + 1,
        "answer": found.extracted,
        "ours": found.ours.outcome.value,
        "stage": found.ours.stage,
        "math_verify": found.theirs.outcome.value,
    }
    return {**facts, "gold": found.gold} if options.show_golds else facts
