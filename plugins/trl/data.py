"""Problems -> a dataset with the columns that TRL's trainers read, and no gold among them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hdpo_env.exports import to_trl
from hdpo_env.hosting import require
from hdpo_env.types import Problem, Prompt


def to_dataset(
    problems: Iterable[Problem],
    *,
    template: str | None = None,
    view: str | None = None,
    teacher_template: str = "hdpo",
) -> Any:
    """A ``datasets.Dataset`` with ``prompt`` (chat messages) and ``problem_id``.

    Without a ``template`` each prompt has the form that the problem's verifier reads.
    With a ``view``, such as "answer" or "solution", there is a third column,
    ``privileged_context``: what that view shows the teacher beyond the prompt, in the words of
    ``teacher_template``. TRL's SDPO (with ``include_environment_feedback=True``) and SDFT read it;
    without it SDPO learns nothing on a cliff. Leave it out for GRPO, HDPO and SDPG. (`hdpo export
    --to trl` writes the same columns, and golds for reward functions other than `VerdictReward`.)

    Raises:
        MissingDependencyError: the library datasets is not installed.
        ViewError: a problem lacks what the view shows, such as a solution.
        ConfigError: the teacher's template does not begin with the student's prompt.
    """
    export = to_trl(
        problems, view=view or "none", template=teacher_template, student=template, strict=True
    )
    columns = ["prompt", "problem_id", *(["privileged_context"] if view else [])]
    rows = [{name: row[name] for name in columns} for row in export.rows]
    return require("datasets", "datasets>=4.0").Dataset.from_list(rows)


def messages_of(prompt: Prompt) -> list[dict[str, str]]:
    """A prompt as TRL's conversational format.

    >>> from hdpo_env.prompts import student_prompt
    >>> messages_of(student_prompt(Problem("1+1=?", ("2",)), "plain"))
    [{'role': 'user', 'content': '1+1=?'}]
    """
    return [{"role": m.role, "content": m.content} for m in prompt.messages]


def text_of(completion: Any) -> str:
    """The text of a TRL completion: a string, or the last message of a conversation.

    >>> text_of([{"role": "assistant", "content": "4"}])
    '4'
    """
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
