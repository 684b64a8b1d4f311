r"""The ``\boxed{...}`` statements at the end of a text, under a budget of characters scanned."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_BLANKS = re.compile(r"[ \t\n]*")
_BARE = re.compile(r"\s*([^\s{}$\\.,;]+)")
_MAX_BOXES = 24
_MAX_CONTENT = 20_000
_BUDGET = 100_000  # characters scanned for closing braces, all boxes together


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its span in the text and its content, None if it never closes."""

    start: int
    end: int
    content: str | None


def last_boxes(text: str) -> list[Box]:
    r"""The last outermost boxes in order; linear in the length of the text.

    >>> [b.content for b in last_boxes(r"\boxed{1} and \fbox{\boxed{2}}")]
    ['1', '\\boxed{2}']
    """
    found: list[Box] = []
    position, budget = len(text), _BUDGET
    while len(found) < _MAX_BOXES and budget > 0:
        position = max(text.rfind("\\boxed", 0, position), text.rfind("\\fbox", 0, position))
        if position < 0:
            break
        box = _box_at(text, position, min(budget, _MAX_CONTENT))
        budget -= (box.end if box.content is not None else position + _MAX_CONTENT) - position
        while found and found[-1].end <= box.end and box.content is not None:
            found.pop()  # it lies inside this one
        found.append(box)
    return found[::-1]


def _box_at(text: str, start: int, limit: int) -> Box:
    after = start + (6 if text.startswith("\\boxed", start) else 5)
    opening = _BLANKS.match(text, after).end()  # type: ignore[union-attr]  # it matches nothing too
    if text[opening : opening + 1] != "{":
        bare = _BARE.match(text, after)
        return Box(start, bare.end(), bare.group(1)) if bare else Box(start, after, None)
    depth = 0
    for brace in _BRACES.finditer(text, opening, min(len(text), opening + limit)):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return Box(start, brace.end(), text[opening + 1 : brace.start()])
    return Box(start, len(text), None)
