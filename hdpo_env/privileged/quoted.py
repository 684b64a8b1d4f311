"""Views that quote the problem's own group of student rollouts."""

from __future__ import annotations

from collections.abc import Sequence

from hdpo_env.errors import ViewError
from hdpo_env.feedback import FEEDBACK
from hdpo_env.privileged.masking import states_answer
from hdpo_env.privileged.pieces import Piece
from hdpo_env.types import Group, Outcome, Problem, Rollout

_MAX_REMARKS = 4


def sibling(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    """The shortest correct rollout of the group, as a worked solution."""
    correct = [
        r.completion.text
        for r in _rollouts(problem, group, "sibling")
        if r.verdict.correct and r.completion.text.strip() and not r.completion.is_truncated
    ]
    if not correct:
        raise ViewError(
            f"no rollout of problem {problem.id} is correct, so view 'sibling' has nothing to "
            "show: on a cliff use view='solution', 'hints' or 'feedback'"
        )
    return (Piece("solution", min(correct, key=len).strip()),)


def feedback(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    """What was wrong with the group's failed rollouts: their own final answers, never the gold."""
    failed = [r for r in _rollouts(problem, group, "feedback") if r.verdict.correct is False]
    if not failed:
        raise ViewError(
            f"no rollout of problem {problem.id} failed, so view 'feedback' has nothing to say: "
            "use it for groups with failures"
        )
    remarks = list(dict.fromkeys(_remark(problem, rollout) for rollout in failed))
    return tuple(Piece("feedback", remark) for remark in remarks[:_MAX_REMARKS])


def _remark(problem: Problem, rollout: Rollout) -> str:
    verdict = rollout.verdict
    said = (verdict.extracted or "").strip()
    # A wrong answer may hold the right one, as "41 or 42" does: then it is not repeated.
    if verdict.outcome is Outcome.WRONG and said and not states_answer(problem, said):
        return f"An attempt ended with the answer {said}. {FEEDBACK[Outcome.WRONG]}"
    return FEEDBACK[verdict.outcome]


def _rollouts(problem: Problem, group: Group | None, view: str) -> Sequence[Rollout]:
    if group is None:
        raise ViewError(
            f"view {view!r} quotes from rollouts of problem {problem.id}, and none are given: "
            "give them (group=, or --rollouts of hdpo export)"
        )
    if group.problem.id != problem.id:
        raise ViewError(
            f"view {view!r} of problem {problem.id} was given the group of problem "
            f"{group.problem.id}: pass the problem's own group"
        )
    return group.rollouts


_FROM_ROLLOUTS = frozenset({"sibling", "feedback"})


def quotes_rollouts(view: str) -> bool:
    """Whether a view can only be shown once the problem's group of rollouts is there.

    >>> quotes_rollouts("answer+feedback"), quotes_rollouts("solution")
    (True, False)
    """
    return not _FROM_ROLLOUTS.isdisjoint(view.split("+"))
