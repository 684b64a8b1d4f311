"""What the teacher may see: views of a problem, and the teacher's prompt built from one.

This is the only module that may put a gold answer, a solution or a hint into a prompt. A *view*
says which pieces the teacher gets; a *privileged template* says in which words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hdpo_env.errors import ViewError
from hdpo_env.prompts import TEMPLATES, Template, fill, student_prompt
from hdpo_env.registry import Registry
from hdpo_env.types import Group, Message, Problem, Prompt


class Piece(NamedTuple):
    """One kind of privileged text, such as ("answer", "72")."""

    kind: str
    text: str


View = Callable[[Problem, "Group | None"], "tuple[Piece, ...]"]

VIEWS: Registry[View] = Registry("view")


def _none(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    return ()


def _answer(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    return (Piece("answer", problem.gold),)


def _solution(problem: Problem, group: Group | None) -> tuple[Piece, ...]:
    if not (problem.solution or "").strip():
        raise ViewError(
            f"problem {problem.id} has no solution, which view 'solution' needs: "
            "use view='answer', or data with solutions"
        )
    return (*_answer(problem, group), Piece("solution", str(problem.solution)))


VIEWS.add("none", _none)
VIEWS.add("answer", _answer)
VIEWS.add("solution", _solution)  # the gold answer and the worked solution, as both papers give


@dataclass(frozen=True)
class PrivilegedTemplate:
    """The words around privileged context.

    ``user`` may use ``{prompt}`` (the student's own user message), ``{question}`` and
    ``{context}``. ``words`` gives a pattern with ``{text}`` for each kind of piece; a kind without
    words is not shown. ``student`` is the student's template unless another one is asked for.
    ``telltales`` are phrases by which a completion admits that it was given help.
    """

    name: str
    version: int
    student: Template
    user: str
    words: Mapping[str, str]
    telltales: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


PRIVILEGED_TEMPLATES: Registry[PrivilegedTemplate] = Registry("privileged_template")

# Phrases are matched without regard to case and spacing; see ``filters``.
TELLTALES = (
    "the given answer",
    "the given solution",
    "the provided answer",
    "the provided solution",
    "the reference answer",
    "the reference solution",
    "reference material",
    "the known answer",
    "the hint",
    "as provided",
    "as given above",
    "according to the solution",
    "we are told that the answer",
    "we know the answer",
    "matches the correct answer",
    "matches the expected answer",
)

for _template in (
    PrivilegedTemplate(
        "hdpo",
        1,
        student=TEMPLATES["boxed"],
        user="{prompt}\n\nFor your eyes only, here is reference material on this problem.\n\n"
        "{context}\n\nWrite a complete derivation of your own that would convince a reader who has "
        "never seen this material. Do not mention it.",
        words={
            "answer": "Final answer: {text}",
            "solution": "Worked solution:\n{text}",
        },
        telltales=TELLTALES,
    ),
    PrivilegedTemplate(
        "sdpg",
        1,
        student=TEMPLATES["boxed"],
        user="{prompt}\n\n[Hint]\n{context}\n[End of hint]\n\n"
        "If you can reach the answer by a different route that is just as rigorous, take that "
        "route. If you cannot, present the standard route, and make every step of it clear. "
        "Write as if you had found everything yourself: never say or suggest that an answer, a "
        "hint or a reference was available to you.",
        words={
            "answer": "The correct answer is: {text}",
            "solution": "A common way to solve the problem is:\n{text}",
        },
        telltales=TELLTALES,
    ),
    PrivilegedTemplate(
        "chain",
        1,
        student=TEMPLATES["chain"],
        user="P{question}|{context}",
        words={"solution": "{text}"},
    ),
):
    PRIVILEGED_TEMPLATES.add(_template.name, _template)


def privileged_prompt(
    problem: Problem,
    view: str = "solution",
    template: str | PrivilegedTemplate = "hdpo",
    *,
    student: str | Template | None = None,
    group: Group | None = None,
) -> Prompt:
    """The prompt that the teacher sees: the student's prompt and the pieces of one view.

    View ``none`` gives exactly the student's prompt. ``student`` is the template of the student's
    prompt, by default the one that the privileged template was written for. ``group`` is the
    problem's own group of student rollouts, for views that quote from it.

    Raises:
        RegistryError: unknown view or template.
        ViewError: the problem lacks what the view needs, or the template has no words for it.

    >>> problem = Problem("3+7+2", ("02",), solution="02")
    >>> privileged_prompt(problem, "solution", "chain").messages[0].content
    'P3+7+2|02'
    """
    chosen = PRIVILEGED_TEMPLATES[template] if isinstance(template, str) else template
    plain = student_prompt(problem, student or chosen.student)
    pieces = VIEWS[view](problem, group)
    if not pieces:
        return plain
    context = _worded(pieces, chosen, problem, view)
    *before, user = plain.messages
    content = fill(chosen.user, prompt=user.content, question=problem.question, context=context)
    return Prompt(problem.id, (*before, Message("user", content)), template=chosen.label, view=view)


def _worded(
    pieces: tuple[Piece, ...], template: PrivilegedTemplate, problem: Problem, view: str
) -> str:
    shown = [fill(template.words[p.kind], text=p.text) for p in pieces if p.kind in template.words]
    if not shown:
        raise ViewError(
            f"template {template.name!r} has no words for view {view!r} of problem {problem.id}: "
            f"it words {', '.join(template.words)}; choose another view or template"
        )
    return "\n\n".join(shown)
