"""From a rollout's prompt and label back to its problem, and on to the teacher's prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from hdpo_env.errors import ConfigError, DataError, ViewError
from hdpo_env.privileged import PRIVILEGED_TEMPLATES, PrivilegedTemplate, privileged_prompt
from hdpo_env.prompts import TEMPLATES, Template
from hdpo_env.types import Message, Problem, Prompt, content_hash
from hdpo_plugins.openrlhf.labels import asked_key, read_label

FIRST_ROWS = 100  # rows in which a start without any privileged context is noticed
Render = Callable[..., str]  # (chat, in_template=...) -> prompt text


class ProblemSource:
    """The training set by the prompts that OpenRLHF made of it.

    Args:
        rows: the data set, ``rows[i][column]``.
        prompts: the text of each row's prompt, as the rollouts echo it.
        labels: each row's label; a prompt that occurs twice is told apart by it.
        input_key: column of the question: a user message, or a chat that ends in one.
        solution_key: column of the worked solution, or None.
        render: makes a prompt's text of a chat.
    """

    def __init__(
        self,
        rows: Any,
        prompts: Sequence[str],
        labels: Sequence[Any],
        *,
        input_key: str,
        solution_key: str | None,
        render: Render,
    ) -> None:
        if len(rows) != len(prompts):
            raise ConfigError(
                f"the data set has {len(rows)} rows and OpenRLHF made {len(prompts)} prompts of "
                "it: this version prepares its data differently; install a supported one"
            )
        if solution_key and len(rows) and solution_key not in rows[0]:
            raise ConfigError(
                f"--data.solution_key {solution_key}: the data set has the columns "
                f"{', '.join(rows[0])}; name one of them, or drop the flag"
            )
        self._rows, self._render = rows, render
        self._prompts, self._labels = prompts, labels
        self._input_key, self._solution_key = input_key, solution_key
        self._row_of: dict[tuple[str, str], int] = {}
        for row, (prompt, label) in enumerate(zip(prompts, labels, strict=True)):
            self._row_of.setdefault(asked_key(prompt, label), row)

    def row(self, prompt: str, label: Any) -> int | None:
        """The row of the data set that a rollout came from; the first of equal ones."""
        return self._row_of.get(asked_key(prompt, label))

    def problem(self, prompt: str, label: Any, template: str) -> Problem | None:
        """The problem behind a prompt; None where its row or its answer is unknown.

        ``template`` is the teacher's: if the data set's prompts were made with the student's
        template that belongs to it, the question is what stands inside.
        """
        row = self.row(prompt, label)
        if row is None:
            return None
        answers, solution = read_label(label)
        if self._solution_key:
            solution = self._rows[row][self._solution_key] or solution
        question, _ = asked(_content(self._rows[row][self._input_key]), template)
        try:
            return Problem(question, answers, solution=None if solution is None else str(solution))
        except DataError:
            return None

    def problem_id(self, prompt: str, label: Any, template: str) -> str:
        """The problem's id, the same as everywhere in hdpo_env; a hash of the prompt if unknown."""
        problem = self.problem(prompt, label, template)
        return problem.id if problem else content_hash(prompt)

    def teacher_prompt(self, prompt: str, label: Any, view: str, template: str) -> Prompt | None:
        """The prompt that the teacher reads, rendered; None where the row lacks what it needs."""
        problem, chosen = self.problem(prompt, label, template), privileged_template(template)
        row = self.row(prompt, label)
        if problem is None or row is None:
            return None
        chat = self._rows[row][self._input_key]
        _, student = asked(_content(chat), template)
        try:
            found = privileged_prompt(problem, view, chosen, student=student)
        except ViewError:
            return None
        chat = _with_last(chat, found.messages[-1].content)
        # Words that do not quote the student's prompt replace it, --data.input_template included.
        text = self._render(chat, in_template="{prompt}" in chosen.user)
        message = Message("prompt", text)
        return Prompt(problem.id, (message,), template=found.template, view=view)

    def check(self, view: str, template: str, flag: str) -> None:
        """Refuse to start where none of the first rows can be shown to the teacher.

        Raises:
            ConfigError: names the flags that decide it.
        """
        first = list(islice(zip(self._prompts, self._labels, strict=True), FIRST_ROWS))
        if first and all(self.teacher_prompt(p, x, view, template) is None for p, x in first):
            raise ConfigError(
                f"--{flag}.view {view} with --{flag}.template {template} shows nothing in the "
                f"first {len(first)} rows: name the column of worked solutions with "
                "--data.solution_key and that of the answers with --data.label_key, or choose "
                f"--{flag}.view answer"
            )


@lru_cache
def privileged_template(name: str) -> PrivilegedTemplate:
    """A registered template, or one made of literal words with ``{context}`` in them.

    Raises:
        RegistryError: it is neither.

    >>> privileged_template("{context}: {prompt}").user
    '{context}: {prompt}'
    """
    if "{context}" not in name:
        return PRIVILEGED_TEMPLATES[name]
    plain = {"answer": "{text}", "solution": "{text}"}
    return PrivilegedTemplate("literal", 1, student=TEMPLATES["plain"], user=name, words=plain)


def asked(content: str, template: str) -> tuple[str, Template]:
    """The question in a user message, and the student's template that makes the message of it.

    >>> asked("Q3+7", "chain")[0], asked("What is 3+7?", "chain")[0]
    ('3+7', 'What is 3+7?')
    """
    student = privileged_template(template).student
    before, _, after = student.user.partition("{question}")
    inside = content[len(before) : len(content) - len(after)]
    if inside and content == f"{before}{inside}{after}":
        return inside, student
    return content, TEMPLATES["plain"]


def _content(chat: Any) -> str:
    return chat if isinstance(chat, str) else str(chat[_last_user(chat)]["content"])


def _with_last(chat: Any, content: str) -> Any:
    if isinstance(chat, str):
        return content
    at = _last_user(chat)
    return [*chat[:at], {**chat[at], "content": content}, *chat[at + 1 :]]


def _last_user(chat: Sequence[Any]) -> int:
    return max(i for i, message in enumerate(chat) if message["role"] == "user")
