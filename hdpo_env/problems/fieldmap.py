r"""How the columns of other people's data become the fields of a `Problem`.

A column is a name, a dotted path into nested objects (``reward_model.ground_truth``) or several of
them in order of preference (``answers|answer``), with an optional transform of the value found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.problems.transforms import (
    after_hashes,
    bare_question,
    boxed_or_whole,
    derivation,
    failure_share,
    first_text,
    has_final_answer,
    last_boxed,
    last_user_message,
    level_number,
    ratio,
    socratic_hints,
    socratic_steps,
    whole,
    without_calculator,
)
from hdpo_env.registry import Registry

_MISSING = object()


@dataclass(frozen=True)
class Column:
    """Where one field's value is, and what to do with it."""

    path: str
    through: Callable[[Any], Any] | None = None

    def read(self, row: Mapping[str, Any]) -> Any:
        """The value in a row; None if the column is absent or null, or the transform finds none."""
        for path in self.path.split("|"):
            if (value := _descend(row, path)) not in (_MISSING, None):
                return self.through(value) if self.through else value
        return None


def _descend(row: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(row, Mapping) or key not in row:
            return _MISSING
        row = row[key]
    return row


@dataclass(frozen=True)
class FieldMap:
    """Which column feeds which field of a `Problem`; None leaves the field at its default.

    >>> FieldMap(question="q", answer="a").answer.read({"q": "1+1?", "a": "2"})
    '2'
    """

    question: Column | str = "question"
    answer: Column | str = "answer"
    solution: Column | str | None = None
    id: Column | str | None = None
    subject: Column | str | None = None
    difficulty: Column | str | None = None
    hints: Column | str | None = None
    keep: Callable[[Mapping[str, Any]], bool] | None = None  # rows it refuses are not problems
    verifier: str = "math"

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, str) and f.name != "verifier":
                object.__setattr__(self, f.name, Column(value))

    @classmethod
    def parse(cls, text: str) -> FieldMap:
        """A ready map's name, or ``field=column`` pairs joined by commas.

        Raises:
            RegistryError: no ready map has this name.
            ConfigError: a pair names a field that problems do not have.

        >>> FieldMap.parse("question=prompt,answer=gold").question.path
        'prompt'
        """
        if "=" not in text:
            return FIELD_MAPS[text]
        pairs = dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)
        if unknown := sorted(set(pairs) - {f.name for f in fields(cls)} | set(pairs) & {"keep"}):
            raise ConfigError(f"field map {text!r} names unknown fields {unknown}")
        return cls(**pairs)  # pyright: ignore[reportArgumentType]


FIELD_MAPS: Registry[FieldMap] = Registry("field_map")

_AIME = FieldMap(
    question="problem|Problem|question",
    answer=Column("answer|Answer|expected_answer|solution", boxed_or_whole),
    solution=Column("solution|Solution|reference_solution", derivation),
    id="id|ID|problem_idx|unique_id",
)

for _name, _map in {
    "plain": FieldMap(
        answer="answers|answer",
        solution="solution",
        id="id",
        subject="subject",
        difficulty="difficulty",
        hints="hints",
    ),
    "gsm8k": FieldMap(
        answer=Column("answer", after_hashes), solution=Column("answer", without_calculator)
    ),
    "gsm8k-socratic": FieldMap(
        answer=Column("answer", after_hashes),
        solution=Column("answer", socratic_steps),
        hints=Column("answer", socratic_hints),
    ),
    "math": FieldMap(
        question="problem",
        answer=Column("solution", last_boxed),
        solution="solution",
        subject="type",
        difficulty=Column("level", level_number),
    ),
    "math500": FieldMap(
        question="problem",
        answer="answer",
        solution="solution",
        id="unique_id",
        subject="subject",
        difficulty=Column("level", level_number),
    ),
    "aime24": _AIME,
    "aime25": _AIME,
    "amc23": FieldMap(question="problem|question", answer=Column("answer", whole), id="id"),
    "openmathinstruct2": FieldMap(
        question="problem",
        answer="expected_answer",
        solution="generated_solution",
        subject="problem_source",
    ),
    "deepmath": FieldMap(
        question=Column("question|prompt", last_user_message),
        answer="final_answer|solution",
        solution="r1_solution_1|r1_solution_2|r1_solution_3",
        subject="topic",
        difficulty="difficulty",
    ),
    "numinamath15": FieldMap(
        question="problem",
        answer="answer",
        solution="solution",
        subject="problem_type",
        keep=has_final_answer,
    ),
    "dapo": FieldMap(
        question=Column("prompt", bare_question),
        answer="reward_model.ground_truth|solution",
        id="extra_info.index",
    ),
    # difficulty: the share of failures of the 8B model whose solve rate the data set gives
    "bigmath": FieldMap(
        question="problem",
        answer="answer",
        subject=Column("domain", first_text),
        difficulty=Column("llama8b_solve_rate", failure_share),
    ),
    "deepscaler": FieldMap(
        question="problem", answer="answer", solution=Column("solution", derivation)
    ),
    "polaris": FieldMap(
        question="problem", answer="answer", difficulty=Column("difficulty", ratio)
    ),
}.items():
    FIELD_MAPS.add(_name, _map)
