r"""How the columns of other people's data become the fields of a `Problem`.

A column is a name, a dotted path into nested objects (``reward_model.ground_truth``) or several of
them in order of preference (``answers|answer``), with an optional transform of the value found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import isnan
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.registry import Registry


@dataclass(frozen=True)
class Column:
    """Where one field's value is, and what to do with it."""

    path: str
    through: Callable[[Any], Any] | None = None

    def read(self, row: Mapping[str, Any]) -> Any:
        """The value in a row; None if the column is absent or null, or the transform finds none.

        NaN is null: tables of numbers have no other.
        """
        for path in self.path.split("|"):
            value = _descend(row, path)
            if value is not None and not (isinstance(value, float) and isnan(value)):
                return self.through(value) if self.through else value
        return None


def _descend(row: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(row, Mapping) or key not in row:
            return None
        row = row[key]
    return row


@dataclass(frozen=True)
class FieldMap:
    """Which column feeds which field of a `Problem`; None leaves the field at its default.

    ``verifier`` is the name of one for all rows, or a `Column` that names each row's own (``math``
    where it is null). Rows without ``source`` and ``split`` have those of the load.

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
    verifier: Column | str = "math"
    source: Column | str | None = None
    split: Column | str | None = None

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
            ConfigError: a part is no pair, names a field that problems do not have, or one twice.

        >>> FieldMap.parse("question=prompt, answer=gold").question.path
        'prompt'
        """
        if "=" not in text:
            return FIELD_MAPS[text]
        choices = [f.name for f in fields(cls) if f.name != "keep"]
        pairs: dict[str, str] = {}
        for part in text.split(","):
            name, _, column = (piece.strip() for piece in part.partition("="))
            if not name or not column:
                raise ConfigError(f"field map {text!r}: {part.strip()!r} is no field=column pair")
            if name not in choices:
                raise ConfigError(
                    f"field map {text!r} names unknown field {name!r}; "
                    f"choose from: {', '.join(choices)}"
                )
            if name in pairs:
                raise ConfigError(f"field map {text!r} names {name!r} twice: a|b is a, else b")
            pairs[name] = column
        return cls(**pairs)  # pyright: ignore[reportArgumentType]


FIELD_MAPS: Registry[FieldMap] = Registry("field_map")
