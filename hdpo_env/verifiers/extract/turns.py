"""The part of a response that tells its answer: without other turns, checks and courtesies."""

from __future__ import annotations

import re

from hdpo_env.verifiers.extract.phrases import last_sentence

_END = re.compile(r"<(?:/s>|\|(?:im_end|eot_id|endoftext|end_of_text|end)\|>|end_of_turn>)")
_NEXT = re.compile(
    r"\n[ \t*#>]{0,8}(?:\[INST\]|(?:Q|Question|Problem|Exercise|Human|User)\s*\d*\s*:)",
    re.IGNORECASE,
)
_CHECK = re.compile(
    r"\n[ \t>*_#(]*(?:let me |let's |(?:\w+ing )?to )?(?:double[- ]?|sanity[- ])?"
    r"(?:check|verify|verification)\b",
    re.IGNORECASE,
)
_SECOND_THOUGHT = re.compile(
    r"\b(?:wait|actually|mistake|wrong|incorrect|instead|however|but|error|answer|therefore|thus|so|"
    r"doesn't|does not|not)\b|✗|≠",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\b(?:i hope|hope (?:this|that|it)|let me know|feel free|would you like|do you want|apologies|"
    r"please note|note that|did this help|good luck|happy to|sources?:|confidence:|thank|"
    r"rate my|everything is consistent|any (?:more|other|further) questions|confident)|^\s*where\b",
    re.IGNORECASE,
)
_QED = re.compile(
    r"[\s$]*(?:\\blacksquare|\\square|\\Box|\\qed(?:symbol)?|[∎■□✓✅]|\bQ\.?E\.?D\b)[\s$.]*\Z"
)
_ASIDE = re.compile(
    r"(?<=[.!?\n])\s*[*_]*\((?:[^()]|\([^()]*\))*\)[*_.]*\s*\Z|\n\s*-{3,}[^\n]*\Z|[^\w\s$.)}\]*%°\\?!'\"]+\Z"
)
_SHORT = 80
_LAST = 6  # sentences taken off the end, at most
_ASIDES = 400  # characters in which an aside is looked for


def first_turn(text: str) -> str:
    r"""A response up to where the model begins to play the next question or the user.

    >>> first_turn("It is 5.\n\nQ: What is 2 + 2?\nA: 4")
    'It is 5.'
    """
    text = text[: end.start()] if (end := _END.search(text)) else text
    following = _NEXT.search(text)
    if following and text[: following.start()].strip():
        return text[: following.start()].rstrip()
    return text


def without_check(text: str) -> str:
    r"""A response up to its check, if the check changes nothing.

    >>> without_check("x = 15.\nCheck: 5 * 15 = 75")
    'x = 15.'
    """
    check = _CHECK.search(text)
    if check is None or not text[: check.start()].strip():
        return text
    return text if _SECOND_THOUGHT.search(text, check.end()) else text[: check.start()]


def told(text: str) -> str:
    """A response without what follows its answer out of courtesy.

    >>> told("So it is 5. I hope this helps!")
    'So it is 5.'
    """
    text = without_check(text).strip()
    for _ in range(_LAST):
        before = text
        if end := _QED.search(text, max(0, len(text) - _SHORT)):
            text = text[: end.start()].rstrip()
        if aside := _ASIDE.search(text, max(0, len(text) - _ASIDES)):
            text = text[: aside.start()].rstrip()
        sentence = last_sentence(text[-_ASIDES:])
        line = text[text.rfind("\n", -_ASIDES) + 1 :]
        if (courtesy := _COURTESY.search(line)) and courtesy.start() < _SHORT // 10:
            text = text[: len(text) - len(line)].rstrip()
        elif sentence.strip() and _COURTESY.search(sentence):
            text = text[: text.rfind(sentence)].rstrip()
        if text == before or not text:
            return text or before
    return text
