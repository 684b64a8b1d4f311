"""Rollouts in files -> what each group's rollouts came to and stated, for finding causes.

Slower than counting: failures are read again by the verifier, on all cores where a file is large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hdpo_env.cliffs import Cause, Evidence, Finding, GroupRates, classify_counts, triage_rows
from hdpo_env.cliffs.agreement import largest_agreement
from hdpo_env.cliffs.evidence import equality
from hdpo_env.commands.dialects import golds_of
from hdpo_env.commands.rollout_lines import (
    GroupKey,
    LineError,
    LineFormat,
    LineReader,
    parsed,
)
from hdpo_env.commands.tally import PART_BYTES, cut, in_processes, lines_between, parquet_lines
from hdpo_env.types import GroupKind, Outcome
from hdpo_env.verifiers import VERIFIERS, Verifier

_NO_GOLD = ("0",)  # stands in where a file holds none: what is extracted does not depend on it
_ABSTENTIONS = (Outcome.TIMEOUT, Outcome.ERROR, Outcome.BAD_GOLD)


@dataclass
class GroupDetail:
    """Outcomes of one group, the final answers judged wrong, and failures that read as right.

    ``rewards`` are the ends of what its failures were trained on; None if the file does not say.
    ``privileged`` counts the rollouts that saw privileged context: (correct, judged).
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    answers: list[str] = field(default_factory=list)
    rescued: int = 0
    rewards: tuple[float, float] | None = None
    privileged: tuple[int, int] = (0, 0)

    def note_reward(self, reward: object) -> None:
        """Widen the range of rewards; null and NaN were trained on by nobody."""
        if isinstance(reward, (int, float)) and reward == reward:
            low, high = self.rewards or (reward, reward)
            self.rewards = min(low, reward), max(high, reward)

    def add(self, other: GroupDetail) -> None:
        """Add what another part of the file says about the same group."""
        self.outcomes.update(other.outcomes)
        self.answers += other.answers
        self.rescued += other.rescued
        for reward in other.rewards or ():
            self.note_reward(reward)
        (solved, judged), (more_solved, more_judged) = self.privileged, other.privileged
        self.privileged = solved + more_solved, judged + more_judged

    def note_privileged(self, correct: bool | None) -> None:
        """Count a rollout that saw privileged context; abstentions say nothing."""
        solved, judged = self.privileged
        self.privileged = solved + (correct is True), judged + (correct is not None)

    def evidence(self, verifier: Verifier) -> Evidence:
        """The counts that `triage_rows` reads."""
        votes = largest_agreement(self.answers, equality(verifier))[1]
        told = self.privileged if self.privileged[1] else None
        return Evidence(dict(self.outcomes), len(self.answers), votes, self.rescued, told)

    def kind(self, threshold: int) -> GroupKind:
        """What the group is, from its own rollouts."""
        correct = self.outcomes[Outcome.CORRECT.value]
        abstained = sum(self.outcomes[o.value] for o in _ABSTENTIONS)
        wrong = sum(self.outcomes.values()) - correct - abstained
        return classify_counts(correct, wrong, abstained, threshold=threshold)


class DetailReader:
    """Reads rows of one format and files what they say under their groups."""

    def __init__(self, line_format: LineFormat, groups: dict[GroupKey, GroupDetail]) -> None:
        self.reader = LineReader(line_format)
        # Groups repeat themselves: models give the same short completion many times over.
        self.verify = lru_cache(maxsize=1 << 12)(VERIFIERS[line_format.verifier]().verify)
        self.groups = groups

    def line(self, line: bytes) -> None:
        """File one line.

        Raises:
            LineError: it cannot be counted.
        """
        row, expand = parsed(line), self.reader.expand
        if expand is None:
            self._file(row, self.reader.correct(row), self._detail(row))
            return
        for one in expand(row):
            correct, detail = self.reader.correct(one), self._detail(one)
            if one.get("privileged"):
                detail.note_privileged(correct)
            else:
                self._file(one, correct, detail, one.get("times", 1))

    def _detail(self, row: Mapping[str, Any]) -> GroupDetail:
        return self.groups.setdefault(self.reader.key(row), GroupDetail())

    def _file(
        self, row: Mapping[str, Any], correct: bool | None, detail: GroupDetail, times: int = 1
    ) -> None:
        if correct is False:
            detail.note_reward(row.get("shaped", self.reader.text(row, "reward")))
        outcome = Outcome.CORRECT if correct else self._outcome(row, correct, detail)
        detail.outcomes[outcome.value] += times

    def _outcome(
        self, row: Mapping[str, Any], correct: bool | None, detail: GroupDetail
    ) -> Outcome:
        told = self._told(row)
        if told not in (None, Outcome.WRONG):
            return told
        if told and isinstance(row.get("extracted"), str):  # a run's own verifier has read it
            detail.answers.append(row["extracted"])
            return told
        text, ended = (self.reader.text(row, n) for n in ("completion", "finish_reason"))
        if not isinstance(text, str):
            cut = Outcome.TRUNCATED if ended == "length" else Outcome.WRONG
            return Outcome.ERROR if correct is None else cut
        golds = golds_of(self.reader.text(row, "gold"))
        has_gold = golds is not None
        verdict = self.verify(
            text,
            golds if golds is not None else _NO_GOLD,
            finish_reason=ended if isinstance(ended, str) else None,
        )
        if correct is None:
            return verdict.outcome if verdict.is_abstention else Outcome.ERROR
        if verdict.outcome is Outcome.CORRECT and has_gold:
            detail.rescued += 1
        elif verdict.extracted and verdict.outcome in (Outcome.WRONG, Outcome.CORRECT):
            detail.answers.append(verdict.extracted)
        is_telling = verdict.outcome in (Outcome.NO_ANSWER, Outcome.AMBIGUOUS, Outcome.TRUNCATED)
        if is_telling or (verdict.outcome is Outcome.BAD_GOLD and has_gold):
            return verdict.outcome
        return Outcome.WRONG

    def _told(self, row: Mapping[str, Any]) -> Outcome | None:
        verdict = self.reader.text(row, "verdict")
        named = {outcome.value: outcome for outcome in Outcome}
        return named.get(verdict.strip().lower()) if isinstance(verdict, str) else None


@dataclass(frozen=True)
class Details:
    """What the groups of some files are, and why those without a success failed.

    ``phantom_rate`` is the share of cliffs whose failures were rewarded differently, so that form
    or length was trained among them; None without cliffs whose rewards the files give.
    """

    kinds: GroupRates
    findings: list[Finding]
    phantom_rate: float | None


def read_details(
    formats: Mapping[Path, LineFormat], threshold: int = 0, *, part_bytes: int = PART_BYTES
) -> Details:
    """Read files once more, whose formats are settled; lines that cannot be counted are skipped."""
    groups: dict[GroupKey, GroupDetail] = {}
    for path, line_format in formats.items():
        for found in _parts(path, line_format, part_bytes):
            for key, detail in found.items():
                if key in groups:
                    groups[key].add(detail)
                else:
                    groups[key] = detail
    groups = {key: detail for key, detail in groups.items() if detail.outcomes}
    kinds = [detail.kind(threshold) for detail in groups.values()]
    rates = GroupRates(**{f"num_{kind.value}": n for kind, n in Counter(kinds).items()})
    rewarded = [
        g.rewards[0] < g.rewards[1]
        for g, kind in zip(groups.values(), kinds, strict=True)
        if kind is GroupKind.CLIFF and g.rewards is not None
    ]
    phantom = sum(rewarded) / len(rewarded) if rewarded else None
    name = next((f.verifier for f in formats.values()), "math")
    return Details(rates, triage_rows(_rows(groups, name)), phantom)


Found = dict[GroupKey, GroupDetail]


def _parts(path: Path, line_format: LineFormat, part_bytes: int) -> Iterator[Found]:
    if path.suffix == ".parquet":
        yield _details_of(parquet_lines(path), line_format)
        return
    parts = [(path, *ends, line_format) for ends in cut(path.stat().st_size, part_bytes)]
    yield from in_processes(_part, parts)


def _part(part: tuple[Path, int, int, LineFormat]) -> Found:
    path, start, end, line_format = part
    with path.open("rb") as file:
        return _details_of(lines_between(file, start, end), line_format)


def _details_of(lines: Iterable[bytes], line_format: LineFormat) -> Found:
    groups: Found = {}
    reader = DetailReader(line_format, groups)
    for line in lines:
        try:
            reader.line(line)
        except LineError:
            continue  # `tally_file` has named and counted it
    return groups


def _rows(groups: Found, verifier: str) -> list[Mapping[str, Any]]:
    told = list(groups.items())
    chunks = [(told[at : at + _CHUNK], verifier) for at in range(0, len(told), _CHUNK)]
    return [row for rows in in_processes(_evidence, chunks) for row in rows]


_CHUNK = 5000  # groups whose answers one process compares at a time


def _evidence(part: tuple[list[tuple[GroupKey, GroupDetail]], str]) -> list[Mapping[str, Any]]:
    groups, name = part
    verifier = VERIFIERS[name]()
    return [
        {"problem_id": problem, "step": step, "evidence": detail.evidence(verifier).row()}
        for (problem, step), detail in groups
    ]


def causes(findings: Iterable[Finding]) -> dict[str, int]:
    """How many groups failed for each cause, the commonest first."""
    return dict(Counter(finding.cause.value for finding in findings).most_common())


def suspects(findings: Iterable[Finding]) -> list[str]:
    """The problems whose gold answer is suspected, the most suspect first."""
    found = [f for f in findings if f.cause is Cause.SUSPECTED_WRONG_GOLD]
    return list(dict.fromkeys(f.problem_id for f in sorted(found, key=lambda f: -f.suspicion)))
