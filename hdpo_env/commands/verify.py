"""``hdpo verify``: judge one completion, or every line of a file."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import tyro

from hdpo_env.commands.pairs import Pair, read_pairs
from hdpo_env.commands.places import check_out
from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import VERIFIERS, VerifierPool

_CHUNK = 2_000  # items between two moves of the progress bar


@dataclass(frozen=True)
class Options:
    """Judge a completion against a gold answer, or every line of a .jsonl or .parquet file.

    The file - is standard input. hdpo verify COMPLETION GOLD exits 0 if correct, 1 if
    wrong, 2 if the verifier abstains.
    """

    what: Annotated[tuple[str, ...], tyro.conf.Positional]
    """A completion and its gold answer, or one file with a completion and a gold on each line."""
    completion_field: str = "completion"
    """Field with the completion's text."""
    gold_field: str = "gold"
    """Field with the gold answer, or a list of accepted forms."""
    label_field: str = "correct"
    """Field that says what is true, if known: true or false, yes or no, 1 or 0."""
    finish_reason_field: str = "finish_reason"
    """Field that says length where a token limit cut the completion."""
    verifier: str = "math"
    """Who judges: math, exact, numeric, gsm8k or choice."""
    boxed_only: bool = False
    """Accept only a boxed answer (math)."""
    workers: int = 2
    """Processes that judge a file."""
    timeout_s: float = 5.0
    """Seconds an item may take."""
    limit: int | None = None
    """Read at most this many lines."""
    slowest: int = 3
    """Slowest items to name."""
    out: Path | None = None
    """Write every verdict to this file, one JSON object a line, with the line it is about."""
    json: bool = False
    """Print the numbers as JSON."""


def run(options: Options) -> int:
    """Judge and print."""
    verifier = _verifier(options)
    if len(options.what) not in (1, 2):
        raise ConfigError("give a completion and its gold answer, or one file of them")
    if options.slowest < 0:
        raise ConfigError(f"--slowest is {options.slowest}: choose a number of items >= 0")
    is_file = len(options.what) == 1
    check_out("--out", options.out, options.what if is_file else ())
    if is_file:
        return _file(verifier, options)
    if os.path.isfile(options.what[0]):  # of any text, as Path.is_file is not
        raise ConfigError(
            f"{options.what[0]!r} is a file: give it alone, with a gold on each of its lines "
            "(--gold-field names the field)"
        )
    return _one(verifier.verify(*options.what), options)


def _verifier(options: Options) -> Any:
    if not options.boxed_only:
        return VERIFIERS[options.verifier]()
    if options.verifier != "math":
        raise ConfigError(f"--boxed-only is for --verifier math, not {options.verifier}")
    from hdpo_env.verifiers import MathVerifier

    return MathVerifier(policy="boxed_only")


def _one(verdict: Verdict, options: Options) -> int:
    if options.out is not None:
        _write(options.out, [(None, verdict)])
    facts = {**asdict(verdict), "outcome": verdict.outcome.value}
    if options.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(verdict.outcome.name + (f": {verdict.reason}" if verdict.reason else ""))
        print(f"answer {verdict.extracted!r}, stage {verdict.stage}, {verdict.ms:.2f} ms")
    return {True: 0, False: 1, None: 2}[verdict.correct]


def _file(verifier: Any, options: Options) -> int:
    names = {
        name: getattr(options, f"{name}_field")
        for name in ("completion", "gold", "label", "finish_reason")
    }
    pairs = read_pairs(Path(options.what[0]), limit=options.limit, **names)
    start = perf_counter()
    verdicts = _judge(verifier, pairs, options)
    facts = summarize(pairs, verdicts, perf_counter() - start)
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        _print_summary(facts)
        for pair, verdict in slowest(pairs, verdicts)[: options.slowest]:
            told = f"line {pair.line}, {verdict.ms:.1f} ms, {verdict.outcome.name}"
            print(f"slowest: {told}", file=sys.stderr)
    if options.out is not None:
        _write(options.out, [(p.line, v) for p, v in zip(pairs, verdicts, strict=True)])
    return 0


def _judge(verifier: Any, pairs: Sequence[Pair], options: Options) -> list[Verdict]:
    from rich.console import Console
    from rich.progress import track

    verdicts: list[Verdict] = []
    starts = range(0, len(pairs), _CHUNK)
    with VerifierPool(verifier, options.workers, options.timeout_s) as pool:
        for at in track(starts, "judging", console=Console(stderr=True), transient=True):
            chunk = pairs[at : at + _CHUNK]
            verdicts += pool.map([(p.completion, p.gold, p.finish_reason) for p in chunk])
    return verdicts


def summarize(pairs: Sequence[Pair], verdicts: Sequence[Verdict], seconds: float) -> dict[str, Any]:
    """Counts of outcomes, abstention rate, throughput, and agreement with labels if there are any.

    An abstention agrees with no label; a label that is neither true nor false counts as none.
    """
    outcomes = Counter(v.outcome for v in verdicts)
    facts: dict[str, Any] = {
        "items": len(verdicts),
        "outcomes": {o.value: outcomes[o] for o in Outcome if outcomes[o]},
        "abstention_rate": sum(v.is_abstention for v in verdicts) / len(verdicts),
        "items_per_s": len(verdicts) / seconds if seconds else None,
    }
    labelled = [(p.label, v.correct) for p, v in zip(pairs, verdicts, strict=True)]
    labelled = [(label, correct) for label, correct in labelled if label is not None]
    if unusable := sum(p.is_mislabelled for p in pairs):
        facts["unusable_labels"] = unusable
    if labelled:
        facts["accuracy"] = sum(label is got for label, got in labelled) / len(labelled)
        facts["missed"] = sum(label and got is not True for label, got in labelled)
        facts["paid_wrongly"] = sum(not label and got is True for label, got in labelled)
    return facts


def _write(path: Path, judged: Sequence[tuple[int | None, Verdict]]) -> None:
    """Verdicts, each with the line of the file it is about."""
    with path.open("w", encoding="utf-8") as out:
        for line, verdict in judged:
            row = {**asdict(verdict), "outcome": verdict.outcome.value}
            numbered = row if line is None else {"line": line, **row}
            out.write(json.dumps(numbered, ensure_ascii=False) + "\n")


def _print_summary(facts: dict[str, Any]) -> None:
    for name, count in facts["outcomes"].items():
        print(f"{name:>10} {count:>9,}")
    if "accuracy" in facts:
        print(
            f"right on {facts['accuracy']:.2%} of the labelled lines: {facts['missed']} right "
            f"answers missed, {facts['paid_wrongly']} wrong ones paid"
        )
    if "unusable_labels" in facts:
        print(f"{facts['unusable_labels']} labels are neither true nor false: they do not count")
    rate = facts["items_per_s"] or 0.0
    print(f"abstentions {facts['abstention_rate']:.2%}, {rate:,.0f} items/s")


def slowest(pairs: Sequence[Pair], verdicts: Sequence[Verdict]) -> list[tuple[Pair, Verdict]]:
    """The lines with their verdicts, the one that took longest first."""
    return sorted(zip(pairs, verdicts, strict=True), key=lambda judged: -judged[1].ms)
