"""A *cliff* is a group in which every rollout failed: its advantages are 0 and GRPO learns nothing.

Groups are classified by verdicts, never by shaped rewards. A cliff is an event of probability
(1 - p)^G, not a property of the prompt: ``posterior`` says how sure one can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.types import Group, GroupKind, Outcome, Rollout


def classify(group: Group, *, threshold: float = 0.0) -> GroupKind:
    """Which kind of group this is, from its verdicts alone.

    Raises:
        ConfigError: the threshold is negative.
        DataError: the group is empty.
    """
    return classify_correct(group.correct, threshold=threshold)


def classify_correct(correct: Sequence[bool | None], *, threshold: float = 0.0) -> GroupKind:
    """The kind of a group with these verdicts (None: the verifier abstained).

    SATURATED if all succeeded, CLIFF if at most ``threshold`` of them did (HDPO: 0), else MIXED.
    UNDECIDED if the abstentions, had they been judged, could have made it one kind or another.

    Raises:
        ConfigError: the threshold is negative.
        DataError: there is no verdict.

    >>> classify_correct([False, False, None]), classify_correct([False, True, None])
    (<GroupKind.UNDECIDED: 'undecided'>, <GroupKind.MIXED: 'mixed'>)
    """
    if threshold < 0:
        raise ConfigError(f"threshold {threshold} is negative: 0 means that no rollout succeeded")
    if not correct:
        raise DataError("a group without rollouts has no kind: sample at least one rollout")
    successes = sum(c is True for c in correct)
    abstentions = sum(c is None for c in correct)
    failures = len(correct) - successes - abstentions
    return classify_counts(successes, failures, abstentions, threshold=threshold)


def classify_counts(
    num_correct: int, num_wrong: int, num_abstained: int = 0, *, threshold: float = 0.0
) -> GroupKind:
    """`classify_correct` from counts alone, however large.

    Raises:
        ConfigError: the threshold is negative.
        DataError: a count is negative, or all are 0.

    >>> classify_counts(0, 50_000_000), classify_counts(1, 0)
    (<GroupKind.CLIFF: 'cliff'>, <GroupKind.SATURATED: 'saturated'>)
    """
    counts = num_correct, num_wrong, num_abstained
    if threshold < 0:
        raise ConfigError(f"threshold {threshold} is negative: 0 means that no rollout succeeded")
    if min(counts) < 0 or not any(counts):
        raise DataError(f"counts {counts}: give numbers of rollouts, 0 or more, one above 0")
    # The kind is monotone in the number of successes, so the two extremes decide.
    worst = _kind(num_correct, sum(counts), threshold)
    best = _kind(num_correct + num_abstained, sum(counts), threshold)
    return worst if worst is best else GroupKind.UNDECIDED


def _kind(successes: int, size: int, threshold: float) -> GroupKind:
    if successes == size:
        return GroupKind.SATURATED
    return GroupKind.CLIFF if successes <= threshold else GroupKind.MIXED


@dataclass(frozen=True)
class GroupRates:
    """How many groups were of each kind. Rates are over all groups and sum to 1."""

    num_cliff: int = 0
    num_mixed: int = 0
    num_saturated: int = 0
    num_undecided: int = 0

    @property
    def num_groups(self) -> int:
        """All groups, undecided ones included."""
        return self.num_cliff + self.num_mixed + self.num_saturated + self.num_undecided

    def rate(self, kind: GroupKind) -> float:
        """The share of groups of one kind; 0 when there are no groups."""
        return getattr(self, f"num_{kind.value}") / max(1, self.num_groups)

    def metrics(self) -> dict[str, float]:
        """``groups/<kind>_rate`` for each kind, for logs."""
        return {f"groups/{kind.value}_rate": self.rate(kind) for kind in GroupKind}


def group_rates(groups: Sequence[Group], *, threshold: float = 0.0) -> GroupRates:
    """Count the kinds of groups."""
    kinds = Counter(classify(group, threshold=threshold) for group in groups)
    return GroupRates(**{f"num_{kind.value}": count for kind, count in kinds.items()})


def phantom_gradient_rate(
    groups: Sequence[Group],
    shaped_reward: Callable[[Rollout], float],
    *,
    threshold: float = 0.0,
) -> float | None:
    """The share of cliffs whose failures a shaped reward would still tell apart.

    Such a gradient is a phantom: it rewards format or length among rollouts that failed. ``None``
    when no group is a cliff, which is one with at most ``threshold`` successes.
    """
    cliffs = [g for g in groups if classify(g, threshold=threshold) is GroupKind.CLIFF]
    if not cliffs:
        return None
    failures = [[r for r in g.rollouts if r.verdict.correct is False] for g in cliffs]
    return sum(len({shaped_reward(r) for r in failed}) > 1 for failed in failures) / len(cliffs)


def states_an_answer(rollout: Rollout) -> float:
    """1 if the completion states a final answer, else 0: the bonus that most shaped rewards add.

    For `phantom_gradient_rate`; the size of a bonus does not matter to it.
    """
    return float(rollout.verdict.outcome not in (Outcome.NO_ANSWER, Outcome.TRUNCATED))
