"""What a group's rollouts say about why it failed, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hdpo_env.cliffs.agreement import Tally, largest_agreement
from hdpo_env.errors import DataError
from hdpo_env.rollouts import verifier_named
from hdpo_env.types import Group, Outcome, Problem, Rollout
from hdpo_env.verifiers.protocol import Verifier


@dataclass(frozen=True)
class Evidence:
    """What a group's rollouts say about why it failed; counts only, no text of a gold answer.

    Args:
        outcomes: how many rollouts came to each outcome, by its value.
        answers: rollouts whose final answer was judged wrong.
        votes: the largest set of them that agrees.
        rescued: failures, ambiguous ones aside, that a lenient reading of the text would accept.
        privileged: (correct, judged) privileged rollouts; None if none was tried.
    """

    outcomes: Mapping[str, int]
    answers: int = 0
    votes: int = 0
    rescued: int = 0
    privileged: tuple[int, int] | None = None

    @property
    def num_rollouts(self) -> int:
        """All rollouts of the group."""
        return sum(self.outcomes.values())

    def tally(self) -> Tally:
        """The part that says how the answers agree."""
        correct = self.outcomes.get(Outcome.CORRECT.value, 0)
        faults = sum(self.outcomes.get(o.value, 0) for o in (Outcome.TIMEOUT, Outcome.ERROR))
        return Tally(self.num_rollouts - faults, correct, self.answers, self.votes)

    def row(self) -> dict[str, Any]:
        """A JSON-able object; `from_row` reads it back."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Evidence:
        """Rebuild the evidence from its row.

        Raises:
            DataError: it counts no rollout, an outcome that does not exist, or in odd numbers.
        """
        known = {outcome.value for outcome in Outcome}
        outcomes = row.get("outcomes")
        if not isinstance(outcomes, Mapping) or not outcomes or set(outcomes) - known:
            raise DataError(f"evidence {outcomes!r:.80}: give counts of {', '.join(sorted(known))}")
        pair = row.get("privileged") or None
        numbers = {name: row.get(name) or 0 for name in ("answers", "votes", "rescued")}
        is_pair = pair is None or (isinstance(pair, (list, tuple)) and len(pair) == 2)
        counts = [*outcomes.values(), *numbers.values(), *(pair if is_pair and pair else ())]
        if not is_pair or any(type(n) is not int or n < 0 for n in counts):
            raise DataError(f"evidence {dict(row)!r:.160}: give whole numbers of 0 or more")
        return cls(dict(outcomes), **numbers, privileged=tuple(pair) if pair else None)


def evidence_of(
    group: Group,
    privileged: Group | None = None,
    *,
    verifier_of: Callable[[Problem], Verifier] = verifier_named,
    lenient: Verifier | None = None,
) -> Evidence:
    """Collect the evidence of one group, of its own and of its privileged rollouts.

    ``verifier_of`` says which verifier compares answers with each other; ``lenient`` is asked
    whether a failure would pass a looser reading (None: nothing is read again).
    """
    problem = group.problem
    failures = [r.verdict for r in group.rollouts if r.verdict.outcome is Outcome.WRONG]
    wrong = [v.extracted for v in failures if v.extracted]
    # What took the last, slow stage once would take it again for every pair.
    slow = {v.extracted.strip() for v in failures if v.extracted and v.stage == "symbolic"}
    same = equality(verifier_of(problem), by_letters=slow)
    judged = [c for c in privileged.correct if c is not None] if privileged else None
    return Evidence(
        dict(Counter(r.verdict.outcome.value for r in group.rollouts)),
        len(wrong),
        largest_agreement(wrong, same)[1],
        _rescued(group.rollouts, problem, lenient) if lenient else 0,
        (sum(judged), len(judged)) if judged is not None else None,
    )


def equality(verifier: Verifier, *, by_letters: Collection[str] = ()) -> Callable[[str, str], bool]:
    """Whether two final answers are the same to a verifier; some are compared by letters only."""
    # The second is shown to it as a completion that states nothing else.
    boxed = verifier.name.startswith("math")

    def same(first: str, second: str) -> bool:
        if first in by_letters or second in by_letters:
            return first == second
        stated = rf"\boxed{{{second}}}" if boxed else second
        return verifier.verify(stated, first).correct is True

    return same


def _rescued(rollouts: Sequence[Rollout], problem: Problem, lenient: Verifier) -> int:
    failures = [
        r.completion.text
        for r in rollouts
        if r.verdict.correct is False and r.verdict.outcome is not Outcome.AMBIGUOUS
    ]
    return sum(lenient.verify(t, problem.answers).correct is True for t in failures)
