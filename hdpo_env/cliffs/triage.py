"""Why a group failed: a cause with its evidence for every group without a success.

A rollout fails for one reason at a time; a reason explains its group when at least half of the
rollouts share it. What is left failed honestly: the gold answer may be wrong, privileged context
may or may not help.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hdpo_env.cliffs.agreement import AgreementModel, fit_agreement
from hdpo_env.cliffs.evidence import Evidence, evidence_of
from hdpo_env.errors import DataError
from hdpo_env.rollouts import verifier_named
from hdpo_env.types import Group, Outcome, Problem
from hdpo_env.verifiers.protocol import Verifier

SHARE = 0.5  # of the rollouts must share a reason for it to explain their group


class Cause(str, Enum):
    """Why a group holds no success, in the order in which the rules are tried."""

    VERIFIER_FAULT = "verifier_fault"
    UNPARSABLE_GOLD = "unparsable_gold"
    TRUNCATED = "truncated"
    NO_ANSWER = "no_answer"
    FORMAT = "format"
    SUSPECTED_WRONG_GOLD = "suspected_wrong_gold"
    SOLVABLE_WITH_PRIVILEGE = "solvable_with_privilege"
    UNSOLVABLE_WITH_PRIVILEGE = "unsolvable_with_privilege"
    HARD = "hard"


ABOUT = {
    Cause.VERIFIER_FAULT: "the verifier timed out or failed",
    Cause.UNPARSABLE_GOLD: "the gold answer cannot be read",
    Cause.TRUNCATED: "completions are cut before they answer",
    Cause.NO_ANSWER: "completions state no final answer",
    Cause.FORMAT: "the answer is there, but not in the form that counts",
    Cause.SUSPECTED_WRONG_GOLD: "the rollouts agree with each other and not with the gold answer",
    Cause.SOLVABLE_WITH_PRIVILEGE: "solved once privileged context is shown",
    Cause.UNSOLVABLE_WITH_PRIVILEGE: "not solved even with privileged context",
    Cause.HARD: "honest failures; no privileged rollout was tried",
}

REMEDY = {
    Cause.VERIFIER_FAULT: "judge in a VerifierPool with a longer timeout; these are no failures",
    Cause.UNPARSABLE_GOLD: "run hdpo audit on the data and mend or drop these problems",
    Cause.TRUNCATED: "raise --rollout.max-tokens, or teach shorter answers",
    Cause.NO_ANSWER: "ask for a final answer in the prompt, or warm up on the format",
    Cause.FORMAT: "change the template or use the lenient verifier before training",
    Cause.SUSPECTED_WRONG_GOLD: "look at these gold answers and do not distil on them",
    Cause.SOLVABLE_WITH_PRIVILEGE: "this is what HDPO is for: distil these (--algo hdpo)",
    Cause.UNSOLVABLE_WITH_PRIVILEGE: "show more (another view), or leave these out for now",
    Cause.HARD: "sample more rollouts, or try privileged context (--algo hdpo)",
}

#: A metric that only a run which teaches from privileged rollouts on its cliffs writes.
TEACHES = "privileged/cliffs_tried"

_REMEDY_WHERE_TAUGHT = {
    Cause.SOLVABLE_WITH_PRIVILEGE: "the run distils these already: give it more steps, or a larger "
    "--algo.distill.weight",
    Cause.HARD: "raise --algo.distill.max-cliff-prompts if it leaves these out, choose a --view "
    "that can show them, or sample more rollouts",
}


def remedy_of(cause: Cause, metrics: Collection[str] = ()) -> str:
    """What to do about a cause, given the names of the metrics that the run writes.

    A run that has the metric `TEACHES` is not told to begin with what it does already.

    >>> remedy_of(Cause.HARD)
    'sample more rollouts, or try privileged context (--algo hdpo)'
    >>> remedy_of(Cause.SOLVABLE_WITH_PRIVILEGE, {TEACHES})
    'the run distils these already: give it more steps, or a larger --algo.distill.weight'
    """
    special = _REMEDY_WHERE_TAUGHT if TEACHES in metrics else {}
    return special.get(cause, REMEDY[cause])


_OF_OUTCOME = {
    Outcome.TIMEOUT: Cause.VERIFIER_FAULT,
    Outcome.ERROR: Cause.VERIFIER_FAULT,
    Outcome.BAD_GOLD: Cause.UNPARSABLE_GOLD,
    Outcome.TRUNCATED: Cause.TRUNCATED,
    Outcome.NO_ANSWER: Cause.NO_ANSWER,
    Outcome.AMBIGUOUS: Cause.FORMAT,
}


@dataclass(frozen=True)
class Finding:
    """Why one group failed. ``suspicion`` is the probability that its gold answer is wrong."""

    problem_id: str
    cause: Cause
    evidence: Evidence = field(repr=False)
    suspicion: float = 0.0
    step: int | None = None

    @property
    def sentence(self) -> str:
        """The cause and what speaks for it, for a person."""
        return f"{ABOUT[self.cause]}: {_because(self)}"


def cause_of(evidence: Evidence, model: AgreementModel | None = None) -> tuple[Cause, float]:
    """The cause of a group without a success, and how suspect its gold answer is.

    Raises:
        DataError: the group has a success, or no rollout.

    >>> cause_of(Evidence({"truncated": 6, "wrong": 2}, answers=2, votes=1))[0].value
    'truncated'
    >>> cause_of(Evidence({"wrong": 8}, answers=8, votes=2, privileged=(3, 4)))[0].value
    'solvable_with_privilege'
    """
    num = evidence.num_rollouts
    if not num or evidence.outcomes.get(Outcome.CORRECT.value, 0):
        raise DataError(
            f"a group with outcomes {dict(evidence.outcomes)} has no cause of failure: only groups "
            "without a success are triaged"
        )
    suspicion = (model or AgreementModel()).suspicion(evidence.tally())
    if shared := _shared_reason(evidence):
        return shared, suspicion
    if suspicion >= (model or AgreementModel()).quorum:
        return Cause.SUSPECTED_WRONG_GOLD, suspicion
    if evidence.privileged is None or evidence.privileged[1] == 0:
        return Cause.HARD, suspicion
    solved = evidence.privileged[0] > 0
    cause = Cause.SOLVABLE_WITH_PRIVILEGE if solved else Cause.UNSOLVABLE_WITH_PRIVILEGE
    return cause, suspicion


def _shared_reason(evidence: Evidence) -> Cause | None:
    reasons: Counter[Cause] = Counter()
    for outcome, count in evidence.outcomes.items():
        if cause := _OF_OUTCOME.get(Outcome(outcome)):
            reasons[cause] += count
    if reasons[Cause.UNPARSABLE_GOLD]:
        return Cause.UNPARSABLE_GOLD  # what fails one rollout in this way fails them all
    least = SHARE * evidence.num_rollouts
    # What a lenient reading accepts is a matter of form, whatever outcome it was booked under.
    if (reasons[Cause.FORMAT] + evidence.rescued) >= least:
        return Cause.FORMAT
    return next((cause for cause in Cause if reasons[cause] >= least and reasons[cause]), None)


def triage_groups(
    groups: Iterable[Group],
    privileged: Mapping[str, Group] | None = None,
    *,
    model: AgreementModel | None = None,
    verifier_of: Callable[[Problem], Verifier] = verifier_named,
    lenient: Verifier | None = None,
) -> list[Finding]:
    """A finding for every group without a success, in order.

    Without a ``model`` it is fitted to these very groups, solved ones included. ``privileged``
    holds each problem's privileged rollouts.
    """
    seen = [
        (g, evidence_of(g, (privileged or {}).get(g.problem.id), verifier_of=verifier_of))
        for g in groups
    ]
    fitted = model or fit_agreement(evidence.tally() for _, evidence in seen)
    found = []
    for group, evidence in seen:
        if True in group.correct or not group.size:
            continue
        if lenient is not None:
            again = (privileged or {}).get(group.problem.id)
            evidence = evidence_of(group, again, verifier_of=verifier_of, lenient=lenient)
        found.append(Finding(group.problem.id, *_kept(evidence, fitted)))
    return found


def triage_rows(
    rows: Iterable[Mapping[str, Any]], *, model: AgreementModel | None = None
) -> list[Finding]:
    """Findings of the rows of a run's ``groups.jsonl``, with the model fitted to all of them.

    Rows without evidence (of older runs) are passed over.
    """
    seen = [(row, Evidence.from_row(row["evidence"])) for row in rows if row.get("evidence")]
    fitted = model or fit_agreement(evidence.tally() for _, evidence in seen)
    return [
        Finding(str(row["problem_id"]), *_kept(evidence, fitted), step=row.get("step"))
        for row, evidence in seen
        if not evidence.outcomes.get(Outcome.CORRECT.value)
    ]


def _kept(evidence: Evidence, model: AgreementModel) -> tuple[Cause, Evidence, float]:
    cause, suspicion = cause_of(evidence, model)
    return cause, evidence, suspicion


def _because(finding: Finding) -> str:
    evidence, num = finding.evidence, finding.evidence.num_rollouts
    if finding.cause is Cause.SUSPECTED_WRONG_GOLD:
        return (
            f"{evidence.votes} of {num} rollouts give one answer, "
            f"probability of a wrong gold {finding.suspicion:.2f}"
        )
    if finding.cause in (Cause.SOLVABLE_WITH_PRIVILEGE, Cause.UNSOLVABLE_WITH_PRIVILEGE):
        correct, judged = evidence.privileged or (0, 0)
        return f"{correct} of {judged} privileged rollouts succeed"
    if finding.cause is Cause.FORMAT and evidence.rescued:
        return f"{evidence.rescued} of {num} pass a lenient reading"
    shown = sorted(evidence.outcomes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in shown) + f" of {num}"
