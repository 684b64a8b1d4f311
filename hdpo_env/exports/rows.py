"""What a carrier makes a row of: a problem, the student's prompt, the privileged context."""

from __future__ import annotations

from dataclasses import dataclass, field

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.exports.export import Row
from hdpo_env.types import Problem, Prompt


@dataclass(frozen=True)
class Entry:
    """What a carrier makes a row of."""

    number: int
    problem: Problem
    prompt: Prompt
    context: str = field(repr=False)
    is_plain: bool = False  # no privileged text anywhere in the row: the view is none

    @property
    def messages(self) -> list[dict[str, str]]:
        """The student's prompt as chat messages."""
        return [{"role": m.role, "content": m.content} for m in self.prompt.messages]

    @property
    def text(self) -> str:
        """The student's prompt, for carriers that hold one text.

        Raises:
            ConfigError: the student's template has a system message.
        """
        *system, asked = self.prompt.messages
        if system:
            raise ConfigError(
                f"student template {self.prompt.template!r} has a system message, and this carrier "
                "holds one text only: choose a template without"
            )
        return asked.content

    @property
    def facts(self) -> Row:
        """What a reward function needs to know, and what makes the problem whole again.

        That is solution and hints too, in columns of their own that no system reads, unless the
        export's view is none.
        """
        told = {"hints": list(self.problem.hints), "worked_solution": self.problem.solution}
        return {
            "problem_id": self.problem.id,
            "question": self.problem.question,
            "answers": list(self.problem.answers),
            "verifier": self.problem.verifier,
            "source": self.problem.source,
            "split": self.problem.split,
            "subject": self.problem.subject,
            "difficulty": self.problem.difficulty,
            **({} if self.is_plain else told),
        }


def sentinel_free(text: str, sentinel: str) -> str:
    """The text, if it does not hold the mark at which a reader would split it.

    Raises:
        DataError: it does.
    """
    if sentinel in text:
        raise DataError(f"a text holds {sentinel!r}, at which the rows are split: remove it")
    return text
