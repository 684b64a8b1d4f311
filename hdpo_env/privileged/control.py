"""The control: a wrong answer in the place of the gold one."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from hdpo_env.errors import ViewError
from hdpo_env.privileged.masking import states_answer
from hdpo_env.privileged.pieces import Piece
from hdpo_env.types import Group, Outcome, Problem, derive_seed
from hdpo_env.verifiers.forms import stated
from hdpo_env.verifiers.protocol import VERIFIERS


def wrong_answer(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    """A wrong answer in the place of the gold one: the control that an effect is not just help."""
    return (Piece("answer", _common_mistake(problem, group) or _altered(problem)),)


def _common_mistake(problem: Problem, group: Group | None) -> str | None:
    """The wrong answer that most of the group's rollouts gave."""
    mistakes = Counter(
        said
        for r in (group.rollouts if group else ())
        if r.verdict.outcome is Outcome.WRONG and (said := (r.verdict.extracted or "").strip())
    )
    return next((m for m, _ in mistakes.most_common() if not states_answer(problem, m)), None)


def _altered(problem: Problem) -> str:
    """The gold answer with its last number changed, such that the verifier calls it wrong."""
    judge, rng = VERIFIERS[problem.verifier](), Random(derive_seed("wrong_answer", problem.id))
    *_, last = (None, *re.finditer(r"\d+|(?<![A-Za-z])[A-E](?![A-Za-z])", problem.gold))
    for _ in range(20 if last else 0):
        other = problem.gold[: last.start()] + _other(last[0], rng) + problem.gold[last.end() :]
        verdict = judge.verify(stated(problem.verifier, other), problem.answers)
        if verdict.correct is False and verdict.outcome is Outcome.WRONG:
            return other
    raise ViewError(
        f"the answer of problem {problem.id} has no number to change, which view 'wrong_answer' "
        "needs: give its rollouts (group=, or --rollouts of hdpo export) to quote their mistakes"
    )


def _other(part: str, rng: Random) -> str:
    """Another number of the same length, or another letter of a choice."""
    if part.isalpha():
        return rng.choice([letter for letter in "ABCDE" if letter != part])
    low = 0 if part[0] == "0" else 10 ** (len(part) - 1)
    return str(rng.randrange(low, 10 ** len(part))).zfill(len(part))
