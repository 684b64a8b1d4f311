r"""One key for all spellings of a question, and no two questions for one key.

Case, spacing, the punctuation of sentences and the ways to set a formula do not count. Signs that
carry mathematics do: the point of 1.5, the comma of (1, 2), the ! of 5!, the ' of f'(x), # and @.
"""

from __future__ import annotations

import re
import unicodedata

from hdpo_env.types import content_hash

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑", "-"),
        **dict.fromkeys("×·⋅∙", "*"),
        **dict.fromkeys("÷⁄∕", "/"),
        **dict.fromkeys("’‘ʼ′", "'"),
        **dict.fromkeys('"“”„«»`?¿？$', None),
        "²": "^2",
        "³": "^3",
        "√": "sqrt",
    }
)
_ARGUMENT = r"\s*(\{[^{}]*\}|\\[a-z]+|[^\s{}\\])"
_FRACTION = re.compile(rf"\\[dtc]?frac{_ARGUMENT}{_ARGUMENT}")
_GROUP = re.compile(r"([\^_]|\\[a-z]+(?:\[[^\]]*\])?)\s*\{([^{}]*)\}")
_TOKEN = re.compile(r"\d+|[^\W\d_]|\\[a-z]+|")

_TEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\\\", ";"),
        (r"\\[()\[\]]", " "),
        (r"\\(?:left|right|(?:big|bigg)[lrm]?|displaystyle|limits)(?![a-z])", ""),
        (r"\\(?:[,;:!]|q?quad(?![a-z]))|~", ""),
        (r"\\\s", " "),
        (r"\{,\}", ","),
        (r"\^\s*(?:\\circ(?![a-z])|\{\s*\\circ\s*\})|\\degree(?![a-z])", "°"),
        (r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it)|mbox|operatorname\*?)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\(?:cdot|times|ast)(?![a-z])", "*"),
        (r"\\div(?![a-z])", "/"),
        (r"\\(?:le|leq|leqslant)(?![a-z])|<=", "≤"),
        (r"\\(?:ge|geq|geqslant)(?![a-z])|>=", "≥"),
        (r"\\neq?(?![a-z])", "≠"),
    )
]
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SHOUTS = re.compile(r"(?<![\d)\]}!])(?<!\b[^\W\d_])!+")
_POINTS = re.compile(r"\.(?!\d)")
_PRIMES = re.compile(r"(?<!\b[^\W\d_])(?<!')'+|'+(?=[^\W\d_])")
_COMMAS = re.compile(r"\s*([,;:])\s*")
_BLANKS = re.compile(r"(\d)\s+(?=[\d.])|\s+")


def question_key(question: str) -> str:
    r"""A hash of a question, equal for its spellings: case, spacing, sentence marks, TeX.

    >>> question_key(r"What is $\frac{1}{2} + 1$?") == question_key("what is  1/2+1")
    True
    >>> question_key("Compute 1.5*2") == question_key("Compute 15*2")
    False
    """
    text = _plain(" ".join(question.casefold().translate(_SIGNS).split()))
    text = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    for pattern in (_SHOUTS, _POINTS, _PRIMES):
        text = pattern.sub("", text)
    text = _BLANKS.sub(_blank, _COMMAS.sub(_comma, text)).strip()
    return content_hash(text or question.strip())


def _plain(text: str) -> str:
    """A formula as people type it who do not know TeX."""
    text = text.replace("<=", "≤").replace(">=", "≥")
    if "\\" not in text and "{" not in text:
        return text
    for pattern, replacement in _TEX:
        text = pattern.sub(replacement, text)
    before = ""
    while before != text:  # from the innermost braces out
        before = text
        text = _GROUP.sub(_grouped, _FRACTION.sub(_divided, text))
    return re.sub(r"\\([a-z]+)", _named, text).replace("\\", "")


def _divided(found: re.Match[str]) -> str:
    top, bottom = (_whole(part.removeprefix("{").removesuffix("}")) for part in found.groups())
    return f" {top}/{bottom} "  # 3\frac{1}{2} is no 31/2


def _grouped(found: re.Match[str]) -> str:
    if found[1].endswith("frac"):
        return found[0]  # its second argument is still to come
    return found[1] + ("" if found[1] in "^_" else " ") + _whole(found[2])


def _whole(part: str) -> str:
    part = part.strip()
    return part if _TOKEN.fullmatch(part) else f"({part})"


def _named(found: re.Match[str]) -> str:
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {found[1]}")
    except KeyError:
        return found[1]


def _comma(found: re.Match[str]) -> str:
    """A separator between numbers, letters and brackets stays; one between words goes."""
    text, start, end = found.string, found.start(), found.end()
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    stays = _is_formula(before[-1:], before[:-1]) and _is_formula(after[:1], after[1:])
    return found[1] if stays else " "


def _is_formula(char: str, neighbour: str) -> bool:
    return bool(char) and not (char.isalpha() and neighbour.isalpha())


def _blank(found: re.Match[str]) -> str:
    return f"{found[1]} " if found[1] else ""
