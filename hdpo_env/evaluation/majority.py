"""Majority votes over rollouts: the accuracy of the answer that most of k rollouts state."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from hdpo_env.cliffs.agreement import agreement_classes
from hdpo_env.cliffs.evidence import equality
from hdpo_env.errors import DataError
from hdpo_env.rollouts import verifier_named
from hdpo_env.stats import Estimate, maj_at_k, mean_over_problems
from hdpo_env.types import Group, Outcome, Problem
from hdpo_env.verifiers.protocol import Verifier

_RIGHT = object()  # all correct answers are one vote, however they are spelt


def majority_at(
    groups: Sequence[Group],
    ks: Iterable[int],
    *,
    verifier_of: Callable[[Problem], Verifier] = verifier_named,
    confidence: float = 0.95,
) -> dict[int, Estimate]:
    """Maj@k over problems: the chance that the plurality of k judged rollouts is correct.

    Answers vote together if the verifier finds them equal; rollouts without an answer are drawn
    and cannot win; ties are broken evenly; abstentions are left out. A k is averaged over the
    groups with at least k judged rollouts, and left out where there are none.

    Raises:
        DataError: there is no group.
    """
    if not groups:
        raise DataError("there are no groups to vote: sample at least one")
    if not (wanted := tuple(ks)):
        return {}
    votes = [_votes(group, verifier_of(group.problem)) for group in groups]
    found = {}
    for k in wanted:
        values = [maj_at_k(v, _RIGHT, k) for v in votes if len(v) >= k]
        if values:
            found[k] = mean_over_problems(values, confidence=confidence)
    return found


def _votes(group: Group, verifier: Verifier) -> list[Hashable | None]:
    wrong = [
        r.verdict.extracted
        for r in group.rollouts
        if r.verdict.outcome is Outcome.WRONG and r.verdict.extracted
    ]
    form_of = agreement_classes(wrong, equality(verifier), max_forms=len(wrong))
    votes: list[Hashable | None] = []
    for rollout in group.rollouts:
        verdict = rollout.verdict
        if verdict.correct is True:
            votes.append(_RIGHT)
        elif verdict.correct is False:
            said = verdict.extracted if verdict.outcome is Outcome.WRONG else None
            votes.append(form_of[said.strip()] if said else None)
    return votes
