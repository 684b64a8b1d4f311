"""Which pieces of a problem, or of its group of rollouts, the teacher gets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from random import Random

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.feedback import FEEDBACK
from hdpo_env.privileged.masking import mask_answer, states_answer
from hdpo_env.privileged.pieces import Piece, View, ViewTable
from hdpo_env.types import Group, Outcome, Problem, Rollout, derive_seed
from hdpo_env.verifiers.forms import stated
from hdpo_env.verifiers.protocol import VERIFIERS

VIEWS = ViewTable()


def _none(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    return ()


def _answer(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    return (Piece("answer", problem.gold),)


def _reference_only(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    return (Piece("solution", _solution_text(problem, "reference_only")),)


def _solution(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    text = _solution_text(problem, "solution")
    return (*_answer(problem, group), Piece("solution", text))


def _masked_solution(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    text = _solution_text(problem, "masked_solution")
    return (Piece("solution", mask_answer(problem, text)),)


def _solution_text(problem: Problem, view: str) -> str:
    if not (problem.solution or "").strip():
        raise ViewError(
            f"problem {problem.id} has no solution, which view {view!r} needs: "
            "use view='answer', or data with solutions"
        )
    return str(problem.solution)


def _prefix(argument: str) -> View:
    """The beginning of the solution, cut back to the last blank so that no word is cut."""
    rule = "a share of the solution in (0, 1], such as 0.5"
    share = _number(f"prefix:{argument}", argument, rule)
    if not 0 < share <= 1:
        raise ConfigError(f"view 'prefix:{argument}': {argument} is not {rule}")

    def view(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
        text = _solution_text(problem, f"prefix:{argument}").strip()
        shown = _beginning(text, round(float(share) * len(text)))
        if not shown:
            raise ViewError(
                f"the solution of problem {problem.id} is too short for view 'prefix:{argument}': "
                "use a larger share or view='solution'"
            )
        return (Piece("prefix", shown),)

    return view


def _beginning(text: str, length: int) -> str:
    if length >= len(text) or not re.search(r"\s", text):
        return text[:length]  # a text without blanks may be cut anywhere
    ends = [m.start() for m in re.finditer(r"\s+", text) if m.start() <= length]
    return text[: ends[-1]] if ends else ""


def _hints(argument: str) -> View:
    """The first k hints of the problem's ladder, or all that there are."""
    rule = "a whole number above 0, such as 2"
    wanted = _number(f"hints:{argument}", argument, rule)
    if wanted < 1 or wanted.denominator != 1:
        raise ConfigError(f"view 'hints:{argument}': {argument} is not {rule}")

    def view(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
        if not problem.hints:
            raise ViewError(
                f"problem {problem.id} has no hints, which view 'hints' needs: use "
                "view='prefix:0.25' or view='solution', or data with hints"
            )
        return tuple(Piece("hint", hint) for hint in problem.hints[: int(wanted)])

    return view


def _number(view: str, argument: str, what: str) -> Fraction:
    try:
        return Fraction(argument.strip())
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"view {view!r}: {argument!r} is not {what}") from None


def _sibling(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
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


def _feedback(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    """What was wrong with the group's failed rollouts: their own final answers, never the gold."""
    failed = [r for r in _rollouts(problem, group, "feedback") if r.verdict.correct is False]
    if not failed:
        raise ViewError(
            f"no rollout of problem {problem.id} failed, so view 'feedback' has nothing to say: "
            "use it for groups with failures"
        )
    remarks = list(dict.fromkeys(_remark(problem, rollout) for rollout in failed))
    return tuple(Piece("feedback", remark) for remark in remarks[:_MAX_REMARKS])


_MAX_REMARKS = 4


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
            f"view {view!r} quotes from rollouts of problem {problem.id}: pass group=, the "
            "problem's group of student rollouts"
        )
    if group.problem.id != problem.id:
        raise ViewError(
            f"view {view!r} of problem {problem.id} was given the group of problem "
            f"{group.problem.id}: pass the problem's own group"
        )
    return group.rollouts


def _wrong_answer(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
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
        "needs: pass group=, whose wrong answers it then uses"
    )


def _other(part: str, rng: Random) -> str:
    """Another number of the same length, or another letter of a choice."""
    if part.isalpha():
        return rng.choice([letter for letter in "ABCDE" if letter != part])
    low = 0 if part[0] == "0" else 10 ** (len(part) - 1)
    return str(rng.randrange(low, 10 ** len(part))).zfill(len(part))


VIEWS.add("none", _none)
VIEWS.add("answer", _answer)
VIEWS.add("solution", _solution)  # the gold answer and the worked solution, as both papers give
VIEWS.add("reference_only", _reference_only)  # the worked solution alone (arXiv 2601.18734)
VIEWS.add("masked_solution", _masked_solution)
VIEWS.add_with_argument("prefix", _prefix, default="0.5")
VIEWS.add_with_argument("hints", _hints, default="1000")  # that is all of them
VIEWS.add("sibling", _sibling)  # arXiv 2601.20802
VIEWS.add("feedback", _feedback)  # arXiv 2601.20802
VIEWS.add("wrong_answer", _wrong_answer)  # arXiv 2606.11709

_FROM_ROLLOUTS = frozenset({"sibling", "feedback"})


def quotes_rollouts(view: str) -> bool:
    """Whether a view can only be shown once the problem's group of rollouts is there.

    >>> quotes_rollouts("answer+feedback"), quotes_rollouts("solution")
    (True, False)
    """
    return not _FROM_ROLLOUTS.isdisjoint(view.split("+"))
