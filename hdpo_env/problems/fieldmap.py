r"""How the columns of other people's data become the fields of a `Problem`.

A column is a name, a dotted path into nested objects (``reward_model.ground_truth``) or several of
them in order of preference (``answers|answer``), with an optional transform of the value found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.registry import Registry

_MISSING = object()


def last_boxed(text: str) -> str | None:
    r"""The content of the last ``\boxed{...}`` with balanced braces, or None.

    >>> last_boxed(r"so \boxed{1}, that is \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    _, mark, tail = text.rpartition(r"\boxed{")
    depth = 1
    # An escaped character is content: \{ as well as the second backslash of a line break.
    for token in re.finditer(r"\\.|[{}]", tail, re.DOTALL) if mark else ():
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return tail[: token.start()]
    return None


def after_hashes(text: str) -> str | None:
    r"""The final answer of GSM8K: what follows ``####``, without thousands separators.

    >>> after_hashes("12*6=<<12*6=72>>72 eggs\n#### 1,072")
    '1072'
    """
    _, mark, tail = text.rpartition("####")
    return re.sub(r"(?<=\d),(?=\d{3})", "", tail.strip()) if mark else None


def without_calculator(text: str) -> str:
    r"""A GSM8K solution without its ``<<...>>`` marks and without the ``####`` line.

    >>> without_calculator("12*6=<<12*6=72>>72 eggs\n#### 72")
    '12*6=72 eggs'
    """
    return re.sub(r"<<[^>]*>>", "", text).rpartition("####")[0].strip()


def whole(value: Any) -> str:
    """A number as people write it: ``27.0`` is ``27``.

    >>> whole("27.0"), whole(0.5), whole("x")
    ('27', '0.5', 'x')
    """
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip())


def level_number(value: Any) -> float | None:
    """The number in ``"Level 3"``, in ``3`` or in ``"3.5"``.

    >>> level_number("Level 3"), level_number("Level ?")
    (3.0, None)
    """
    found = re.search(r"\d+(\.\d+)?", str(value))
    return float(found[0]) if found else None


def last_user_message(value: Any) -> Any:
    """The text of a chat's last user turn; a plain string stays itself."""
    if isinstance(value, str):
        return value
    turns = [m["content"] for m in value or () if m.get("role") == "user"]
    return turns[-1] if turns else None


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
_MATH = Column("solution", last_boxed)

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
    "math": FieldMap(
        question="problem",
        answer=_MATH,
        solution="solution",
        subject="type",
        difficulty=Column("level", level_number),
    ),
    "openmathinstruct2": FieldMap(
        question="problem",
        answer="expected_answer",
        solution="generated_solution",
        subject="problem_source",
    ),
    "dapo": FieldMap(
        question=Column("prompt", last_user_message),
        answer="reward_model.ground_truth|solution",
        id="extra_info.index",
    ),
}.items():
    FIELD_MAPS.add(_name, _map)
