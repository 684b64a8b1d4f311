"""Gold answers, parsed once: any spelling in, comparable answers or the reason they are bad out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from hdpo_env.verifiers.compare.choices import choice
from hdpo_env.verifiers.compare.decide import decide
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.wording import contradicts
from hdpo_env.verifiers.extract.boxes import last_boxes
from hdpo_env.verifiers.parse.answer import Answer, parse_answer, plain_words
from hdpo_env.verifiers.parse.nodes import Node, Num, Op
from hdpo_env.verifiers.placeholders import divides_by_zero, placeholder

_EXACT = re.compile(r"\d|\\(?:pi|ln|log|sqrt|frac|e)\b")  # the gold also has an exact form
_SEVERAL = re.compile(r"[,;&]|\\pm|\\\\|\b(?:and|or)\b|approx.*approx")


@dataclass(frozen=True, slots=True)
class Golds:
    """The usable golds, or why there are none."""

    answers: tuple[Answer, ...]
    error: str = ""


@lru_cache(maxsize=8192)
def prepare_golds(texts: tuple[str, ...]) -> Golds:
    r"""Parse accepted golds: bare, in dollars, in a box, or a worked solution that ends in one.

    >>> prepare_golds((r"\boxed{5}",)).answers[0].text
    '5'
    >>> prepare_golds(("3", "4")).error
    'gold 1 and gold 2 contradict each other'
    """
    if not texts:
        return Golds((), "there is no gold answer, or it is not text")
    usable = [(n, text) for n, given in enumerate(texts, 1) if (text := gold_text(given)).strip()]
    if not usable:
        return Golds((), "the gold answer is blank")
    answers = tuple(_with_approximation(parse_answer(text)) for _, text in usable)
    for (position, text), answer in zip(usable, answers, strict=True):
        if why := placeholder(text) or _defect(answer):
            return Golds((), f"{called(position, len(texts))} cannot be used: {why}")
    for i, one in enumerate(answers):
        for j, other in enumerate(answers[:i]):
            if _contradict(other, one):
                pair = f"gold {usable[j][0]} and gold {usable[i][0]}"
                return Golds((), f"{pair} contradict each other")
    return Golds(answers)


def called(position: int, count: int) -> str:
    """How reasons name a gold: by its position, never by its text."""
    return "the gold answer" if count == 1 else f"gold {position}"


def gold_text(text: str) -> str:
    r"""The answer in a gold: the content of its last box, what follows ``####``, or all of it."""
    boxes = last_boxes(text)
    if boxes and boxes[-1].content is not None:
        return boxes[-1].content
    return text.rsplit("####", 1)[-1] if "####" in text else text


def _with_approximation(answer: Answer) -> Answer:
    r"""``\sqrt{5} \approx 2.236`` also accepts 2.236; what follows the sign is a rounding."""
    head, sign, tail = answer.spelled.rpartition("\\approx")
    if not sign or _SEVERAL.search(answer.spelled):
        return answer
    found = [_rounded(reading) for reading in parse_answer(tail).readings]
    rounded: tuple[Node, ...] = tuple(node for node in found if node is not None)
    if _EXACT.search(head):
        rounded = tuple(Op("rounded", (node,)) for node in rounded)
    return replace(answer, readings=(*answer.readings, *rounded))


def _rounded(node: Node) -> Node | None:
    """A number, with or without a unit, marked as a rounding."""
    if isinstance(node, Num):
        return Num(node.value, 0) if node.places is None else node
    if isinstance(node, Op) and node.name == "unit":
        inner = _rounded(node.args[0])
        return None if inner is None else Op("unit", (inner,), node.data)
    return None


def _defect(answer: Answer) -> str:
    """Why a gold cannot be compared with anything, or an empty string; it quotes nothing."""
    if not answer.canonical.strip():
        return "it holds no answer"
    if divides_by_zero(answer):
        return "it divides by zero"
    if answer.readings or (answer.has_words and plain_words(answer.spelled)):
        return ""
    chosen = choice(answer.text)
    if chosen is not None and chosen[1]:
        return ""  # "A) 5"
    if "the limit is" in answer.error or "longer than" in answer.error:
        return "it is too long"
    return "it is nested too deeply" if "nested" in answer.error else "it is not understood"


def _contradict(one: Answer, other: Answer) -> bool:
    """Whether two golds of a kind that is fully understood differ beyond doubt."""
    a, b = choice(one.text), choice(other.text)
    if a is not None and b is not None:
        return a[0] != b[0]
    if contradicts(one, other):
        return True
    exact = all(len(x.readings) == 1 and rational(x.readings[0]) is not None for x in (one, other))
    if not exact:
        return False
    return decide(one, other).same is False and decide(other, one).same is False
