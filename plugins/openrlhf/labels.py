"""What a data set's label column holds: the gold answer, or JSON that also carries a solution."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Label(NamedTuple):
    """Accepted forms of the gold answer, and the worked solution where the label carries one."""

    answers: tuple[str, ...]
    solution: str | None = None


def read_label(label: Any) -> Label:
    r"""Read one entry of the label column; a reward must look at ``answers`` only.

    A label is the answer itself (text, number, or a list of accepted forms), or an object
    ``{"answer": ..., "solution": ...}``, as a dict or as JSON text. Text that merely looks like
    JSON, such as the set ``{1, 2}``, is an answer. An empty label has no answers.

    >>> read_label("72").answers, read_label('{"answer": ["1/2", "0.5"], "solution": "..."}')
    (('72',), Label(answers=('1/2', '0.5'), solution='...'))
    >>> read_label("{1, 2}").answers
    ('{1, 2}',)
    """
    fields = _object(label)
    if fields is None:
        return Label(_forms(label))
    solution = fields.get("solution")
    return Label(_forms(fields["answer"]), str(solution) if solution else None)


def asked_key(prompt: str, label: Any) -> tuple[str, str]:
    """What tells questions apart: data sets ask one twice, with another label."""
    return prompt, str(label)


def _object(label: Any) -> dict[str, Any] | None:
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError:
            return None
    return label if isinstance(label, dict) and "answer" in label else None


def _forms(answer: Any) -> tuple[str, ...]:
    listed = answer if isinstance(answer, (list, tuple)) else [answer]
    return tuple(str(form) for form in listed if form is not None and str(form).strip())
