r"""The rule that picks the final answer of a completion.

1. What comes after the last ``</think>`` counts; nothing before it does. An unclosed ``<think>``
   is no answer for "boxed_only"; "lenient" reads its boxes and explicit statements.
2. The last ``\boxed{}`` (or ``\fbox{}``) is the answer. Boxes before it are dropped, unless they
   stand in one statement with it: "\boxed{1} and \boxed{2}" is the list 1, 2; other boxes close
   by are a second statement of the answer and must agree with it, or the answer is AMBIGUOUS. A
   word of correction in between ("wait", "actually") makes the last box win.
3. "lenient" only: an explicit statement behind the last box ("the final answer is 9", ``####``)
   must agree with the box. Without a box, that statement is the answer; else what the end of the
   response concludes (`extract.conclusion`), once other turns, checks that change nothing and
   courtesies are taken off (`extract.turns`): the "answer" of a JSON object, the choice or the one
   thing in bold of the last sentence, a short lone line, what that sentence says something is or
   equals, its only quantity. A refusal states no answer, and neither does a sentence that
   supposes, plans, asks or hedges.
4. A completion cut by its token limit has only what a closed box says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hdpo_env.types import Outcome
from hdpo_env.verifiers.extract.boxes import Box, last_boxes
from hdpo_env.verifiers.extract.conclusion import concluded, said_in
from hdpo_env.verifiers.extract.phrases import is_prose, marked
from hdpo_env.verifiers.extract.turns import first_turn

Policy = Literal["lenient", "boxed_only"]
_CORRECTION = re.compile(
    r"\b(?:wait|actually|correction|correct(?:ed)?|mistake|instead|sorry|oops|no,|should be|"
    r"recheck|re-check|however|but|error|let me|rather|revis\w*|wrong)\b",
    re.IGNORECASE,
)
_JOIN = re.compile(
    r"[\s$,;.&\\()\[\]:*]*(?:(?:and|or|with|quad|qquad|text|[a-zA-Z]_?\{?\d?\}?\s*=|\(?[a-d]\)|\{|\}|"
    r"respectively)[\s$,;.&\\()\[\]:*]*)*",
)
_VERB = re.compile(r"\b(?:is|are|was|were|costs?|has|have|needs?|takes?|gets?)\b")
_LETTER = re.compile(r"\(?([A-J])\)?\s*\([^()]*\)")  # "B (10 g)"
_NEAR = 100  # characters between two boxes of one passage


@dataclass(frozen=True, slots=True)
class Final:
    """What was found: answers that must agree, or an outcome if there is nothing to judge."""

    answers: tuple[str, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    is_list: bool = False  # one answer put together from several boxes


def final_answer(text: str, policy: Policy, finish_reason: str | None) -> Final:
    r"""Apply the rule of this module to one completion.

    >>> final_answer(r"\boxed{7}. Wait, actually \boxed{5}", "boxed_only", None).answers
    ('5',)
    >>> final_answer(r"$x=\boxed{1}$ or $x=\boxed{2}$", "boxed_only", None).answers
    ('1 or 2',)
    """
    was_cut = finish_reason == "length"
    visible = _visible(text, policy)
    if visible is None:
        return _nothing(was_cut, "the reasoning was never closed")
    boxes = last_boxes(visible)
    if boxes and boxes[-1].content is None:
        return _nothing(was_cut or finish_reason is None, "the last box is not closed")
    if boxes:
        return _boxed(visible, boxes, policy)
    if was_cut:
        return _nothing(True, "")
    if policy == "lenient":
        answer = _unboxed(visible)
        if answer:
            return Final((answer,))
    return _nothing(False, "")


def _unboxed(text: str) -> str | None:
    """What a text without a box announces, or else concludes; open reasoning concludes nothing."""
    turn = first_turn(text.strip())
    if announced := marked(turn):
        announced = announced.split(", i.e.")[0]
        if letter := _LETTER.fullmatch(announced):
            return letter.group(1)
        told = said_in(announced) if _VERB.search(announced) and is_prose(announced) else None
        return told or announced
    return None if "<think>" in turn else concluded(turn)


def _nothing(was_cut: bool, why: str) -> Final:
    if was_cut:
        return Final((), Outcome.TRUNCATED, why or "cut by a token limit before it answered")
    return Final((), Outcome.NO_ANSWER, why or "no final answer is stated")


def _visible(text: str, policy: Policy) -> str | None:
    closed = text.rfind("</think>")
    if closed >= 0:
        return text[closed + len("</think>") :]
    if policy == "boxed_only" and "<think>" in text:
        return None
    return text


def _boxed(text: str, boxes: list[Box], policy: Policy) -> Final:
    passage, joined = [boxes[-1]], ""
    is_list = True
    for box in reversed(boxes[:-1]):
        gap = text[box.end : passage[0].start]
        if len(gap) > _NEAR or _CORRECTION.search(gap) or box.content is None:
            break
        is_list = is_list and _JOIN.fullmatch(gap) is not None
        joined += gap
        passage.insert(0, box)
    contents = list(dict.fromkeys((box.content or "").strip() for box in passage))
    if not any(contents):
        return Final((), Outcome.NO_ANSWER, "the box is empty")
    if len(contents) > 1 and is_list:
        link = " or " if re.search(r"\bor\b", joined) else ", "
        return Final((link.join(contents),), is_list=True)
    if policy == "lenient":
        later = marked(text[passage[-1].end :])
        if later is not None:
            contents.append(later)
    return Final(tuple(contents))
