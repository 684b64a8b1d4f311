"""Final answers stated in words: ``####``, "the answer is", a trailing equation, a lone line."""

from __future__ import annotations

import json
import re

_TAIL = 4_000  # characters at the end in which a statement is looked for
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE)
_BOLD_LINE = re.compile(r"[*]{2}([^*\n]+)[*]{2}\.?")
_HASH = re.compile(r"####[ \t]*(.+)")
_MARKER = re.compile(
    r"(?:final\s+answer|(?:correct\s+)?(?:answer|option|choice)|solution(?:\s+set)?(?=\s+is))\b"
    r"[*_\s]*(?:(?:is|are|=|:|would be|equals|\n)[*_\s:]*)+"
    r"(?:(?:thus|then|therefore|hence|simply|just|clearly|exactly|indeed)\b[,*_\s:]*)?"
    r"|^[*_ \t]*A:[*_\s]*",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(
    r"(?<!\d)[.!?](?=\s|$)|(?<=\d)[.!?](?=\s+[A-Z\"']|\s*$|\n)|\n\s*\n|\n(?=\s*\S)"
)
_DELIMITED = re.compile(r"\$\$(.+?)\$\$|\$(.+?)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_CONCLUSION = re.compile(
    r"\b(?:so|thus|therefore|hence|total|altogether|finally|conclude|gives?|get|result|equals?|"
    r"final|obtain|makes)\b|=|\\therefore",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:so|thus|therefore|hence|finally)\b[,:\s]*", re.IGNORECASE)
_STATED = re.compile(
    r"\b(?:is|are|was|were|has|have|had|costs?|earns?|pays?|needs?|takes?)\b", re.I
)
_TENTATIVE = re.compile(
    r"\b(?:let|suppose|assume|if|consider|try|next|first|step|case|maybe|perhaps|probably|might|may|"
    r"guess|could|would|should|want|given|or|not|about|least|most|than|between|i|we|you)\b|\?",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(?<![\w*])[*]{2}([^*\n]{1,80})[*]{2}(?![\w*:])")
_HEADING = re.compile(
    r"(?:step|case|part|question|problem|note|example|section|method|way)\b|\d+[.)]:?$|.*:$", re.I
)
_QED = re.compile(
    r"[\s$]*(?:\\blacksquare|\\square|\\Box|\\qed(?:symbol)?|[∎■□]|\bQ\.?E\.?D\b)[\s$.]*\Z"
)
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|unable|sorry|don't know|do not know|not sure|no idea|unclear|"
    r"give up|impossible to (?:say|tell|determine)|not enough information)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?\$?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?")
_SHORT = 80
_STATEMENTS = 8  # statements looked at, from the last
_SENTENCE = 1_000  # characters of a last sentence that are read


def marked(text: str) -> str | None:
    """The last explicit statement of an answer, or None.

    >>> marked("... Final Answer: The final answer is $28$. I hope it is correct.")
    '28'
    """
    tail = text[-_TAIL:]
    if tagged := _TAGGED.findall(tail):
        return marked(tagged[-1]) or tagged[-1] or None
    at, answer = -1, None
    for match in _HASH.finditer(tail):
        at, answer = match.start(), match.group(1).strip()
    for match in list(_MARKER.finditer(tail, max(0, at)))[-_STATEMENTS:]:
        content = statement(tail[match.end() :])
        if content and not _MARKER.match(content):
            answer = content
    return answer


def statement(text: str) -> str:
    """The answer at the start of a text: one formula, or up to the end of its sentence."""
    text = text.lstrip(" \t*_:\n")
    if formula := _DELIMITED.match(text):
        rest = text[formula.end() :]
        end = _SENTENCE_END.search(rest)
        sentence = rest[: end.start()] if end else rest
        if len(sentence.strip(" .*_")) <= 30 and "$" not in sentence:
            tail = sentence.strip(" *_")
            inner = next(g for g in formula.groups() if g is not None)
            return inner.strip() + (f" \\text{{ {tail}}}" if tail.strip(" .,") else "")
    end = _SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip(" *_\t")


def concluded(text: str) -> str | None:
    """An unmarked answer: a lone short line, or what the last sentence concludes; else None.

    >>> concluded("There were **14** guests, as 14 times 13 is 182.")
    '14'
    """
    stripped = text.strip()
    if end := _QED.search(stripped, max(0, len(stripped) - _SHORT)):
        stripped = stripped[: end.start()].rstrip()
    if not stripped or _REFUSAL.search(stripped[-_TAIL:]):
        return None
    last_line = stripped.removesuffix("```").rstrip().rsplit("\n", 1)[-1].strip()
    if (stored := _stored(last_line)) is not None:
        return stored
    sentence = _last_sentence(stripped[-_TAIL:])[-_SENTENCE:]
    if (emphasised := _emphasised(sentence)) is not None:
        return emphasised
    opening = _OPENING.match(stripped)
    bare = stripped[opening.end() :] if opening else stripped
    if len(bare) <= _SHORT and "\n" not in bare and not _is_prose(bare):
        return bare
    if (bold := _BOLD_LINE.fullmatch(last_line)) and not _is_prose(bold.group(1)):
        return bold.group(1).strip()
    return _said(sentence)


def _emphasised(sentence: str) -> str | None:
    """The one thing in bold that a sentence says: a quantity, or what something "is"."""
    spans = list(_EMPHASIS.finditer(sentence))
    found = {span.group(1).strip() for span in spans}
    if len(found) != 1 or _TENTATIVE.search(sentence):
        return None
    content = found.pop()
    if _is_prose(content) or _HEADING.match(content):
        return None
    is_quantity = re.search(r"\d|\$|\\[a-zA-Z(]", content) is not None
    is_named = re.search(r"(?:\b(?:is|are|was|be)|=|:)\s*$", sentence[: spans[-1].start()])
    return content if is_quantity or is_named else None


def _said(sentence: str) -> str | None:
    """What a sentence concludes, or the only quantity of one that states something."""
    formulas = list(_DELIMITED.finditer(sentence))
    is_conclusion = _CONCLUSION.search(sentence) is not None
    states = _STATED.search(sentence) is not None and not _TENTATIVE.search(sentence)
    if formulas:
        inner = next(g for g in formulas[-1].groups() if g is not None).strip()
        is_only = states and len(formulas) == 1
        return inner.rsplit("=", 1)[-1].strip() or None if is_conclusion or is_only else None
    if is_conclusion and "=" in sentence:
        return sentence.rsplit("=", 1)[-1].strip(" .*_") or None
    numbers = _NUMBER.findall(sentence)
    is_only = states and len(set(numbers)) == 1
    return numbers[-1].strip(",") if numbers and (is_conclusion or is_only) else None


def _stored(line: str) -> str | None:
    """The answer in a line that is one JSON object with an "answer", else None.

    >>> _stored('{"steps": "6 times 7", "answer": 42}')
    '42'
    """
    if not (line.startswith("{") and line.endswith("}") and '"answer"' in line):
        return None
    try:
        found = json.loads(line, parse_int=str, parse_float=str)["answer"]
    except (ValueError, KeyError, RecursionError):
        return None
    return found.strip() or None if isinstance(found, str) else None


def _is_prose(line: str) -> bool:
    spoken = re.findall(r"[A-Za-z]{2,}", re.sub(r"\\[A-Za-z]+", "", line))
    return len(spoken) > (1 if _DELIMITED.search(line) else 3)


def _last_sentence(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip(" *_`.")]
    if not lines:
        return ""
    joined = lines[-1]
    if joined.strip() in ("\\]", "$$", "\\)") and len(lines) > 1:
        joined = " ".join(lines[-3:])
    ends = [m.end() for m in _SENTENCE_END.finditer(joined.rstrip(" .!?*"))]
    return joined[ends[-1] :] if ends else joined
