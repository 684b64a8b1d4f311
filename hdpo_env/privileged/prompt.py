"""The prompt that the teacher sees, and where in it the question and the context stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hdpo_env.errors import ConfigError, ViewError
from hdpo_env.privileged.pieces import Piece
from hdpo_env.privileged.views import VIEWS
from hdpo_env.privileged.words import PRIVILEGED_TEMPLATES, PrivilegedTemplate
from hdpo_env.prompts import TEMPLATES, Template, default_template, fill, student_prompt
from hdpo_env.types import Group, Message, Problem, Prompt


def privileged_prompt(
    problem: Problem,
    view: str = "solution",
    template: str | PrivilegedTemplate = "hdpo",
    *,
    student: str | Template | None = None,
    group: Group | None = None,
) -> Prompt:
    """The prompt that the teacher sees: the student's prompt and the pieces of one view.

    Views: ``none`` (exactly the student's prompt), ``answer``, ``solution`` (answer and worked
    solution), ``reference_only`` (the worked solution alone), ``masked_solution`` (the worked
    solution with the final answer withheld), ``prefix:0.5`` (its first half), ``hints:2`` (the
    first two hints), ``sibling`` (a correct rollout of the group), ``feedback`` (what was wrong
    with the group's failed rollouts), ``wrong_answer`` (a control), and combinations such as
    ``answer+feedback``.

    ``student`` is the template of the student's prompt, by default the one that the privileged
    template was written for. ``group`` is the problem's own group of student rollouts, for views
    that quote from it.

    Raises:
        RegistryError: unknown view or template.
        ConfigError: a view's argument means nothing.
        ViewError: the problem lacks what the view needs, or the template has no words for it.

    >>> problem = Problem("3+7+2", ("02",), solution="02")
    >>> privileged_prompt(problem, "solution", "chain").messages[0].content
    'P3+7+2|02'
    """
    return teacher_text(problem, view, template, student=student, group=group).prompt


def privileged_context(
    problem: Problem,
    view: str = "solution",
    template: str | PrivilegedTemplate = "hdpo",
    *,
    group: Group | None = None,
) -> str:
    r"""The privileged text alone, for systems that put it into a prompt of their own.

    Raises:
        RegistryError, ConfigError, ViewError: as ``privileged_prompt``; ViewError for view none.

    >>> privileged_context(Problem("3+7?", ("10",)), "answer")
    'Final answer: 10'
    """
    pieces = VIEWS[view](problem, group)
    if not pieces:
        raise ViewError(f"view {view!r} shows nothing, so there is no privileged context")
    return worded(pieces, _template(template), problem, view)


@dataclass(frozen=True)
class TeacherText:
    """A prompt, and where question and privileged context stand in its last message."""

    prompt: Prompt
    question: tuple[int, int]
    context: tuple[int, int]
    pieces: tuple[Piece, ...] = field(repr=False)


def teacher_text(
    problem: Problem,
    view: str,
    template: str | PrivilegedTemplate,
    *,
    student: str | Template | None = None,
    group: Group | None = None,
    pieces: Sequence[Piece] | None = None,
) -> TeacherText:
    """The teacher's prompt with its parts; ``pieces`` stand in for those of the view, if given."""
    chosen = _template(template)
    is_boxed = chosen.student is TEMPLATES["boxed"]
    words = student or (default_template(problem) if is_boxed else chosen.student)
    words = TEMPLATES[words] if isinstance(words, str) else words
    plain = student_prompt(problem, words)
    shown = tuple(VIEWS[view](problem, group) if pieces is None else pieces)
    begins = _start(words.user, "question", question=problem.question)
    if not shown:
        end = len(plain.messages[-1].content)
        asked = (begins, begins + len(problem.question))
        return TeacherText(plain, asked, (end, end), shown)
    *before, user = plain.messages
    context = worded(shown, chosen, problem, view)
    fields = {"prompt": user.content, "question": problem.question, "context": context}
    content = fill(chosen.user, **fields)
    prompt = Prompt(problem.id, (*before, Message("user", content)), chosen.label, view)
    from_prompt = "{prompt}" in chosen.user
    at = _start(chosen.user, "prompt" if from_prompt else "question", **fields)
    at += begins if from_prompt else 0
    told = _start(chosen.user, "context", **fields)
    return TeacherText(prompt, (at, at + len(problem.question)), (told, told + len(context)), shown)


def _start(pattern: str, name: str, **fields: str) -> int:
    """Where the field begins once the pattern is filled."""
    before, mark, _ = pattern.partition(f"{{{name}}}")
    if not mark:
        raise ConfigError(f"the template {pattern[:60]!r} has no {{{name}}}: every prompt needs it")
    return len(fill(before, **fields))


def _template(template: str | PrivilegedTemplate) -> PrivilegedTemplate:
    return PRIVILEGED_TEMPLATES[template] if isinstance(template, str) else template


def worded(
    pieces: Sequence[Piece], template: PrivilegedTemplate, problem: Problem, view: str
) -> str:
    """The pieces in the template's words, one paragraph each."""
    shown = [fill(template.words[p.kind], text=p.text) for p in pieces if p.kind in template.words]
    if not shown:
        raise ViewError(
            f"template {template.name!r} has no words for view {view!r} of problem {problem.id}: "
            f"it words {', '.join(template.words)}; choose another view or template"
        )
    return "\n\n".join(shown)
