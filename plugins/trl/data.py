"""Problems -> a dataset with the columns that TRL's trainers read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.hosting import require
from hdpo_env.privileged import privileged_prompt
from hdpo_env.prompts import student_prompt
from hdpo_env.types import Problem, Prompt


def to_dataset(
    problems: Iterable[Problem],
    *,
    template: str = "boxed",
    view: str | None = None,
    teacher_template: str = "hdpo",
) -> Any:
    """A ``datasets.Dataset`` with ``prompt`` (chat messages) and ``problem_id``; no gold in it.

    With a ``view``, such as "answer" or "solution", there is a third column,
    ``privileged_context``: what that view shows the teacher beyond the prompt, in the words of
    ``teacher_template``. TRL's SDPO (with ``include_environment_feedback=True``) and SDFT read it;
    without it SDPO learns nothing on a cliff. Leave it out for GRPO, HDPO and SDPG.

    Raises:
        MissingDependencyError: the library datasets is not installed.
        ViewError: a problem lacks what the view shows, such as a solution.
        ConfigError: the teacher's template does not begin with the student's prompt.
    """
    rows = [_row(problem, template, view, teacher_template) for problem in problems]
    return require("datasets", "datasets>=4.0").Dataset.from_list(rows)


def _row(problem: Problem, template: str, view: str | None, teacher: str) -> dict[str, Any]:
    prompt = student_prompt(problem, template)
    row = {"prompt": messages_of(prompt), "problem_id": problem.id}
    if view is not None:
        told = privileged_prompt(problem, view, teacher, student=template)
        row["privileged_context"] = _context(prompt, told)
    return row


def messages_of(prompt: Prompt) -> list[dict[str, str]]:
    """A prompt as TRL's conversational format.

    >>> messages_of(student_prompt(Problem("1+1=?", ("2",)), "plain"))
    [{'role': 'user', 'content': '1+1=?'}]
    """
    return [{"role": m.role, "content": m.content} for m in prompt.messages]


def _context(prompt: Prompt, told: Prompt) -> str:
    """What the privileged prompt adds to the student's."""
    asked, shown = prompt.messages[-1].content, told.messages[-1].content
    if not shown.startswith(asked):
        raise ConfigError(
            f"teacher_template {told.template!r} does not begin with the student's prompt, so its "
            "context cannot stand in a column of its own; use hdpo or sdpg"
        )
    return shown[len(asked) :].strip()
