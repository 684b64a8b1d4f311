"""Final answers that nobody announced: what the last sentence of a response concludes."""

from __future__ import annotations

import json
import re

from hdpo_env.verifiers.extract.phrases import (
    TAIL,
    formulas,
    inside,
    is_prose,
    last_sentence,
    words,
)
from hdpo_env.verifiers.extract.turns import told

_BOLD_LINE = re.compile(r"[*]{2}([^*\n]+)[*]{2}\.?")
_CONCLUSION = re.compile(
    r"\b(?:so|thus|therefore|hence|total|altogether|finally|conclude|gives?|gets?|result|equals?|"
    r"final|obtain|makes)\b|=|\\therefore|∴",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:(?:so|thus|therefore|hence|finally)\b[,:\s]*|∴\s*)+", re.IGNORECASE)
_TENTATIVE = re.compile(
    r"\b(?:let|suppose|assume|if|consider|try|next|first|step|case|maybe|perhaps|probably|might|may|"
    r"guess|could|would|should|want|given|or|not|about|at least|at most|more than|less than|"
    r"between|i(?!\.e)|we|you|\w+n['’]t)\b|\?",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(?<![\w*])[*]{2}([^*\n]{1,80})[*]{2}(?![\w*:])")
_HEADING = re.compile(
    r"(?:step|case|part|question|problem|note|example|section|method|way)\b|\d+[.)]:?$|.*:$", re.I
)
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|unable|sorry|don't know|do not know|not sure|no idea|unclear|"
    r"give up|impossible to (?:say|tell|determine)|not enough information)\b",
    re.IGNORECASE,
)
_CARDINAL = r"\d(?!\d*(?:st|nd|rd|th)\b)"
_NUMBER = re.compile(
    r"\d{1,2}:\d{2}(?:\s*[AaPp]\.?[Mm]\b\.?)?"
    r"|[-+−]?\$?(?!\d+(?:st|nd|rd|th)\b)\d[\d,]*(?:\.\d+)?(?:/\d+)?(?:\s?%)?"
)
_CHOICE = re.compile(
    r"\b(?i:option|choice|letter)\s+(?:is\s+)?[*(]*([A-J])\b(?!['’])"
    r"|\b(?:must be|select|pick|choose|leaves only)\s+[*(]*([A-J])(?=[*).!]*$|\s*\()"
    r"|(?:^|[\s(*])\(?([A-J])\)?[*]*\s+(?:is\s+(?:the\s+)?(?:right|correct|my)\b|stands\b)"
    r"|(?:corresponds to|equals)\s+[*(]+([A-J])\b"
    r"|(?:故选|应选|选择?|答案[是为：:]*)\s*[*(（]*([A-J])"
)
_YES_NO = re.compile(r"(?:so|thus|therefore|hence)?[,\s]*(yes|no)\b,", re.IGNORECASE)
_COPULA = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|be|becomes?|reduces to|comes to|i\.e\.|namely)(?=[\s*$(])"
    r"|[=→⇒]|(?<![\d\s]):(?=\s))"
    r"[\s,]*(?:(?:thus|then|therefore|hence|always|simply|just|exactly|an?|the|only)\s+)*"
)
_LINKS = {"and", "or"}
_UNTIL = re.compile(
    r"\s(?:for|in|of|to|at|from|on|by|with|back|left|total|altogether|now|each|away|remaining|when|"
    r"which|that|because|since|as|have|has|are|is|were|was)\b|[,;(]\s"
)
_ASIDE = re.compile(r"\s\((?:[^()]{0,80}\s){2}[^()]{0,80}\)$")
_SHORT = 80
_READ = 4 * TAIL  # characters at the end in which checks and courtesies are looked for
_SENTENCE = 1_000  # characters of a last sentence that are read


def concluded(text: str) -> str | None:
    """An unannounced answer: a lone short line, or what the last sentence concludes; else None.

    >>> concluded("There were **14** guests, as 14 times 13 is 182.")
    '14'
    """
    if not text.strip() or _REFUSAL.search(text[-TAIL:]):
        return None
    stripped = told(text[-_READ:])
    last_line = stripped.removesuffix("```").rstrip().rsplit("\n", 1)[-1].strip()
    if (stored := _stored(last_line)) is not None:
        return stored
    sentence = last_sentence(stripped[-TAIL:])[-_SENTENCE:]
    if (said := _chosen(sentence) or _emphasised(sentence)) is not None:
        return said
    opening = _OPENING.match(stripped)
    bare = stripped[opening.end() :] if opening else stripped
    if len(bare) <= _SHORT and "\n" not in bare and not is_prose(bare):
        return bare
    if (bold := _BOLD_LINE.fullmatch(last_line)) and not is_prose(bold.group(1)):
        return bold.group(1).strip()
    return said_in(sentence)


def said_in(sentence: str) -> str | None:
    """What a sentence says something is or equals, or its only quantity.

    >>> said_in("So the roots are 2 and 3."), said_in("He pays $40, which is 40 + 24 = $64 in all.")
    ('2 and 3', '$64')
    >>> said_in("The triangle is obtuse."), said_in("Let us assume that it is 7.")
    ('obtuse', None)
    """
    sentence = _ASIDE.sub("", sentence.strip(" .*_!"))
    is_conclusion = _CONCLUSION.search(sentence) is not None
    if _TENTATIVE.search(sentence) and not is_conclusion:
        return None
    if answer := _YES_NO.match(sentence):
        return answer.group(1)
    return _equal_to(sentence) or _only_quantity(sentence, is_conclusion)


def _equal_to(sentence: str) -> str | None:
    """What stands behind the last "is" or "=" that is followed by an answer; lists stay whole."""
    spans = [(m.start(), m.end()) for m in formulas(sentence)]
    has_quantity = re.search(_CARDINAL, sentence) is not None
    found = None
    for copula in _COPULA.finditer(sentence):
        if any(start < copula.start() < end for start, end in spans):
            continue
        rest = sentence[copula.end() :].strip(" .*_,")
        spoken = {word.lower() for word in words(rest)}
        if "=" not in copula.group() and spoken & _LINKS and spoken <= _LINKS:
            return rest
        if has_quantity and not re.search(r"[\d$\\]|^[A-Z][a-z]+$", rest):
            continue  # "is needed" beside an amount; but "will be Friday"
        found = _leading(rest) or found
    return found


def _leading(rest: str) -> str | None:
    """The quantity at the start of a text with its unit, or the whole of a short text without any.

    >>> _leading("$64 for the glasses"), _leading("$9$, attained at $a=1$"), _leading("very obtuse")
    ('$64', '9', 'very obtuse')
    """
    found = formulas(rest)
    if found and found[0].start() == 0:
        return _right_side(inside(found[0]))
    if number := _NUMBER.match(rest):
        short = _UNTIL.split(rest, maxsplit=1)[0].strip(" ,")
        return short if len(list(words(short))) <= 2 else number.group().strip(",")
    numbers = set(_NUMBER.findall(rest))
    if list(words(rest)) and numbers:
        return numbers.pop().strip(",") if len(numbers) == 1 else None
    return rest if rest and len(list(words(rest))) <= 3 else None


def _only_quantity(sentence: str, is_conclusion: bool) -> str | None:
    found = formulas(sentence)
    if found:
        return _right_side(inside(found[-1])) if is_conclusion or len(found) == 1 else None
    numbers = _NUMBER.findall(sentence)
    if not numbers or not (is_conclusion or len(set(numbers)) == 1):
        return None
    return numbers[-1].strip(",")


def _right_side(formula: str) -> str | None:
    """Behind the last equals sign; the last row of an alignment loses its marks."""
    return formula.rsplit("=", 1)[-1].rstrip(" .,&\\\n").lstrip(" &\n") or None


def _chosen(sentence: str) -> str | None:
    """The one letter that a sentence chooses."""
    letters = {next(filter(None, m.groups())) for m in _CHOICE.finditer(sentence)}
    return letters.pop() if len(letters) == 1 else None


def _emphasised(sentence: str) -> str | None:
    """The one thing in bold that a sentence says: a quantity, or what something "is"."""
    spans = list(_EMPHASIS.finditer(sentence))
    found = {span.group(1).strip() for span in spans}
    if len(found) != 1 or _TENTATIVE.search(sentence):
        return None
    content = found.pop()
    if _HEADING.match(content):
        return None
    if is_prose(content):
        return said_in(content)
    is_quantity = re.search(r"\d|\$|\\[a-zA-Z(]", content) is not None
    is_named = re.search(r"(?:\b(?:is|are|was|be)(?: \w+)?|=|:)\s*$", sentence[: spans[-1].start()])
    return content if is_quantity or is_named else None


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
