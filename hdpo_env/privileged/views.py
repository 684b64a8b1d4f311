"""Which pieces of a problem, or of its group of rollouts, the teacher gets."""

from __future__ import annotations

import re
from fractions import Fraction

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.privileged.control import wrong_answer
from hdpo_env.privileged.masking import mask_answer
from hdpo_env.privileged.pieces import Piece, View, ViewTable
from hdpo_env.privileged.quoted import feedback, sibling
from hdpo_env.types import Group, Problem

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


VIEWS.add("none", _none)
VIEWS.add("answer", _answer)
VIEWS.add("solution", _solution)  # the gold answer and the worked solution, as both papers give
VIEWS.add("reference_only", _reference_only)  # the worked solution alone (arXiv 2601.18734)
VIEWS.add("masked_solution", _masked_solution)
VIEWS.add_with_argument("prefix", _prefix, default="0.5")
VIEWS.add_with_argument("hints", _hints, default="1000")  # that is all of them
VIEWS.add("sibling", sibling)  # arXiv 2601.20802
VIEWS.add("feedback", feedback)  # arXiv 2601.20802
VIEWS.add("wrong_answer", wrong_answer)  # arXiv 2606.11709
