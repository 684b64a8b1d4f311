"""One row of other people's data -> one problem, or the field that is at fault and its remedy.

Gold answers and solutions stay out of every fault: it names the field, what it is and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from hdpo_env.problems.fieldmap import FIELD_MAPS, Column, FieldMap
from hdpo_env.problems.files import Unreadable
from hdpo_env.problems.readers import Row
from hdpo_env.types import Problem
from hdpo_env.verifiers.protocol import VERIFIERS


class RowFault(Exception):  # noqa: N818 (it never leaves this room)
    """A row's fault on its way to a `BadRow`."""

    def __init__(self, field: str, fault: str, remedy: str) -> None:
        super().__init__(field, fault, remedy)


def problem_of(row: Row | Unreadable, columns: FieldMap, source: str, split: str) -> Problem:
    """The problem that a row holds, read through a field map.

    Raises:
        RowFault: the row cannot be a problem.
    """
    if isinstance(row, Unreadable):
        raise RowFault("(row)", row.fault, row.remedy)
    if not isinstance(row, Mapping):
        raise RowFault("(row)", f"it is a {type(row).__name__}", "write one JSON object a line")
    texts: dict[str, Any] = {
        "question": _text(row, columns, "question"),
        "answer": _answers(row, columns),
        "solution": _text(row, columns, "solution"),
        "hints": _hints(row, columns),
        "subject": str(_value(row, columns, "subject") or ""),
        "id": _identity(row, columns),
        "source": _word(row, columns, "source", source),
        "split": _word(row, columns, "split", split),
        "verifier": _verifier(row, columns),
    }
    _check_characters(texts)
    return Problem(
        answers=texts.pop("answer"),
        difficulty=_number(row, columns),
        **texts,
    )


def _check_characters(texts: Mapping[str, str | tuple[str, ...] | None]) -> None:
    # JSON can spell half of a surrogate pair, which no UTF-8 file, hash or tokenizer can hold.
    for name, text in texts.items():
        try:
            (text if isinstance(text, str) else "".join(text or ())).encode()
        except UnicodeEncodeError:
            raise RowFault(
                name, "it holds half a character (a lone surrogate)", "write the character whole"
            ) from None


def _value(row: Row, columns: FieldMap, name: str) -> Any:
    column: Column | None = getattr(columns, name)
    if column is None:
        return None
    try:
        return column.read(row)
    except (TypeError, ValueError, AttributeError, KeyError):
        raise RowFault(
            name, f"column {column.path!r} cannot be read", "check the field map's transform"
        ) from None


def _text(row: Row, columns: FieldMap, name: str) -> Any:
    value = _value(row, columns, name)
    if value is None and name == "solution":
        return None
    if value is None:
        raise RowFault(name, f"column {_path(columns, name)!r} is missing", _suggest(row))
    if not isinstance(value, str):
        raise RowFault(name, f"it is a {type(value).__name__}", "give a string")
    if not value.strip():
        if name == "solution":
            return None
        raise RowFault(name, "it is blank", "give a non-empty string or remove the row")
    return value


def _answers(row: Row, columns: FieldMap) -> tuple[str, ...]:
    value = _value(row, columns, "answer")
    if value is None:
        raise RowFault(
            "answer", f"column {_path(columns, 'answer')!r} holds no gold answer", _suggest(row)
        )
    several = value if isinstance(value, (list, tuple)) else [value]
    answers = tuple(_answer_text(v) for v in several)
    if not any(map(str.strip, answers)):
        raise RowFault("answer", "it is empty", "give a gold answer or remove the row")
    return tuple(a for a in answers if a.strip())


def _answer_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise RowFault("answer", f"it is a {type(value).__name__}", "give a string or a number")
    if isinstance(value, Decimal) and value.is_nan():
        value = float("nan")  # of either kind
    if isinstance(value, (float, Decimal)) and not isfinite(value):
        raise RowFault("answer", "it is NaN or infinite", "give a number, or words for it")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):  # a column of them has one number of places
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def _hints(row: Row, columns: FieldMap) -> tuple[str, ...]:
    value = _value(row, columns, "hints") or ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise RowFault("hints", "it is not a list of strings", "give a list, vague to telling")
    return tuple(value)


def _number(row: Row, columns: FieldMap) -> float | None:
    value = _value(row, columns, "difficulty")
    try:
        return None if value is None else float(value)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        raise RowFault("difficulty", f"it is a {type(value).__name__}", "give a number") from None


def _word(row: Row, columns: FieldMap, name: str, default: str) -> str:
    value = _value(row, columns, name)
    if not isinstance(value, (str, type(None))):
        raise RowFault(name, f"it is a {type(value).__name__}", "give a string, or leave it out")
    return default if value is None else value


def _verifier(row: Row, columns: FieldMap) -> str:
    if isinstance(columns.verifier, str):
        return columns.verifier
    name = _word(row, columns, "verifier", "math")
    if name not in VERIFIERS:
        raise RowFault(
            "verifier",
            f"there is no verifier {name[:60]!r}",
            f"name one of {', '.join(sorted(VERIFIERS))}, or install the package that adds it",
        )
    return name


def _identity(row: Row, columns: FieldMap) -> str:
    value = _value(row, columns, "id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a column of integers with gaps
    if not isinstance(value, (str, int, type(None))):
        raise RowFault("id", f"it is a {type(value).__name__}", "give a string or an integer")
    return "" if value is None else str(value)


def _path(columns: FieldMap, name: str) -> str:
    return getattr(columns, name).path


def _suggest(row: Row) -> str:
    fitting = [
        name
        for name in FIELD_MAPS
        if all(_reads(FIELD_MAPS[name], field, row) for field in ("question", "answer"))
    ]
    found = f"the row has {', '.join(map(str, row)) or 'no columns'}"
    if fitting:
        return f"{found}: read it with field map {fitting[0]!r} (--field-map {fitting[0]})"
    return f"{found}: name the columns in a field map (--field-map question=COL,answer=COL)"


def _reads(columns: FieldMap, name: str, row: Row) -> bool:
    try:
        return bool(_value(row, columns, name))
    except RowFault:
        return False
