"""Final answers that are announced: ``####``, "the answer is", ``<answer>``; and their ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

TAIL = 4_000  # characters at the end in which a statement is looked for
_STATEMENTS = 8  # statements looked at, from the last
_TAGGED = re.compile(r"<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(r"</?(?:b|strong|i|em|p|br|span|div)\s*/?>", re.IGNORECASE)
_HASH = re.compile(r"####[ \t]*(.+)")
_MARKER = re.compile(
    r"(?:final\s+answer|(?:correct\s+)?(?:answer|option|choice)|solution(?:\s+set)?(?=\s+is))\b"
    r"(?:,\s*(?:then|thus|therefore|hence),)?[*_\s]*"
    r"(?:(?:is(?!n['’]t)|are(?!n['’]t)|=+>?|-+>|:|→|⇒|would be|equals|\n)[*_\s:]*)+"
    r"(?:(?:thus|then|therefore|hence|simply|just|clearly|exactly|indeed)\b[,*_\s:]*)?"
    r"|^[*_ \t]*(?:A:|答[：:])[*_\s]*",
    re.IGNORECASE | re.MULTILINE,
)
SENTENCE_END = re.compile(
    r"(?<!\d)(?<!\bi\.e)(?<!\be\.g)(?<!\b[ap]\.m)[.!?](?=\s|$)|(?<=\d)[.!?](?=\s+[A-Z\"']|\s*$|\n)|\n\s*\n|\n(?=\s*\S)|。"
)
_DELIMITED = re.compile(
    r"\$\$(.+?)\$\$|\$(.+?)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]"
    r"|\\begin\{(?:align|aligned|equation|gather|multline)\*?\}(.+?)\\end\{\w+\*?\}",
    re.DOTALL,
)
_MONEY = re.compile(
    r"\$\d[\d,.]*[\s\w%/]*[-+*/=−×·(,.;:]\s*\$|\$\d[\d,.]*(?:\s+[A-Za-z]{2,})+[^$\\]*\$"
)
_LABEL = re.compile(r"\\(?:text|mathrm|operatorname)\{[^{}]*\}|\\[A-Za-z]+")


def marked(text: str) -> str | None:
    """The last explicit statement of an answer, or None.

    >>> marked("... Final Answer: The final answer is $28$. I hope it is correct.")
    '28'
    """
    tail = _HTML.sub("", text[-TAIL:])
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
    if (formula := _DELIMITED.match(text)) and not _MONEY.match(text):
        rest = text[formula.end() :]
        end = SENTENCE_END.search(rest)
        sentence = rest[: end.start()] if end else rest
        if len(sentence.strip(" .*_")) <= 30 and "$" not in sentence:
            tail = sentence.strip(" *_")
            inner = next(g for g in formula.groups() if g is not None)
            return inner.strip() + (f" \\text{{ {tail}}}" if tail.strip(" .,") else "")
    end = SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).strip(" *_\t<=")


def formulas(sentence: str) -> list[re.Match[str]]:
    """What stands between math delimiters; dollars before amounts of money are none.

    >>> [m.group() for m in formulas("so $x = 3$")], formulas("$40 + $24 = $64")
    (['$x = 3$'], [])
    """
    return [] if _MONEY.search(sentence) else list(_DELIMITED.finditer(sentence))


def inside(formula: re.Match[str]) -> str:
    """A formula without its delimiters."""
    return next(g for g in formula.groups() if g is not None).strip()


def words(text: str) -> Iterator[str]:
    r"""Words of two letters or more that are no TeX.

    >>> list(words(r"\frac{x}{2} or \text{ miles} per hour"))
    ['or', 'per', 'hour']
    """
    return (m.group() for m in re.finditer(r"[A-Za-z]{2,}", _LABEL.sub(" ", text)))


def is_prose(line: str) -> bool:
    """Whether a line says more than an answer would: over three words, or one beside a formula."""
    return len(list(words(line))) > (1 if formulas(line) else 3)


def last_sentence(text: str) -> str:
    """The last sentence of the last line that says something."""
    lines = [line for line in text.split("\n") if line.strip(" *_`.")]
    if not lines:
        return ""
    joined = lines[-1]
    if joined.strip() in ("\\]", "$$", "\\)") and len(lines) > 1:
        joined = " ".join(lines[-3:])
    elif re.fullmatch(r"\\end\{\w+\*?\}[.\s]*", joined.strip()):
        return text[max(0, text.rfind("\\begin{")) :]
    ends = [m.end() for m in SENTENCE_END.finditer(joined.rstrip(" .!?*"))]
    return joined[ends[-1] :] if ends else joined
