"""Which privileged rollouts may teach: correct, untruncated, unleaked, distinct."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from hdpo_env.errors import RegistryError
from hdpo_env.privileged import PRIVILEGED_TEMPLATES
from hdpo_env.types import Group, Rollout


@dataclass(frozen=True)
class Selection:
    """The rollouts that may teach, and how many were dropped for which reason.

    Each dropped rollout counts once, under the first reason that applies, in this order:
    abstained, incorrect, truncated, empty, leaked, duplicate, surplus.
    """

    kept: tuple[Rollout, ...]
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def num_seen(self) -> int:
        """Kept and dropped together."""
        return len(self.kept) + self.dropped.total()

    def metrics(self) -> dict[str, float]:
        """``privileged/kept`` and ``privileged/dropped_<reason>`` counts, for logs."""
        return {
            "privileged/kept": float(len(self.kept)),
            **{f"privileged/dropped_{reason}": float(self.dropped[reason]) for reason in REASONS},
        }


REASONS = ("abstained", "incorrect", "truncated", "empty", "leaked", "duplicate", "surplus")


def select_teachable(
    groups: Sequence[Group],
    *,
    telltales: Sequence[str] | None = None,
    distinct: bool = True,
    max_per_problem: int | None = None,
) -> Selection:
    """Keep the privileged rollouts that may be distilled (HDPO's filter R = 1, and three more).

    Args:
        groups: privileged rollouts, one group per problem.
        telltales: phrases that give away the privileged context; None takes those of the
            template that made each prompt.
        distinct: keep one of several completions with the same token ids.
        max_per_problem: keep at most this many of each group, the first ones.
    """
    phrases_of = cache(telltales_of) if telltales is None else lambda template: tuple(telltales)
    kept: list[Rollout] = []
    dropped: Counter[str] = Counter()
    for group in groups:
        chosen: list[Rollout] = []
        for rollout in group.rollouts:
            reason = _fault(rollout, phrases_of)
            if reason is None and distinct and _repeats(rollout, chosen):
                reason = "duplicate"
            if reason is None and max_per_problem is not None and len(chosen) >= max_per_problem:
                reason = "surplus"
            if reason is None:
                chosen.append(rollout)
            else:
                dropped[reason] += 1
        kept += chosen
    return Selection(tuple(kept), dropped)


def _repeats(rollout: Rollout, chosen: Sequence[Rollout]) -> bool:
    return any(rollout.completion.token_ids == c.completion.token_ids for c in chosen)


def _fault(rollout: Rollout, phrases_of: Callable[[str], Sequence[str]]) -> str | None:
    if rollout.verdict.correct is None:
        return "abstained"
    if rollout.verdict.correct is False:
        return "incorrect"
    if rollout.completion.is_truncated:
        return "truncated"
    if not rollout.completion.token_ids:
        return "empty"  # nothing to distil, and 0 tokens would count as a row
    phrases = phrases_of(rollout.prompt.template)
    return "leaked" if find_telltale(rollout.completion.text, phrases) else None


def telltales_of(template: str) -> tuple[str, ...]:
    """The telltale phrases of the privileged template that made a prompt; none if it is unknown."""
    try:
        return PRIVILEGED_TEMPLATES[template.partition("@")[0]].telltales
    except RegistryError:
        return ()


def find_telltale(text: str, phrases: Sequence[str]) -> str | None:
    r"""The first phrase that a text contains as whole words, whatever its case and spacing.

    >>> find_telltale("Using the  Reference\nsolution, x = 2.", ["the reference solution"])
    'the reference solution'
    >>> find_telltale("bathe hinted", ["the hint"]) is None
    True
    """
    return next((p for p in phrases if _pattern(p).search(text)), None)


@cache
def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, phrase.split()))
    return re.compile(rf"\b{words}\b", re.IGNORECASE)
