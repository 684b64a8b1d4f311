"""Multiple choice: letters, "(B) 7", and lists of letters."""

from __future__ import annotations

import re

_LETTER = re.compile(
    r"(?:(?:option|choice|answer|ans)\s*(?:is\s*)?:?\s*)?"
    r"(?:\(\s*([A-Ja-j])\s*\)|\[([A-Ja-j])\]|([A-J])\s*[).:]|([A-Ja-j])(?=\s*$))\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
# "A: 3, B: 4" is a list of names, and "A. B. C. D." or "A) 3 B) 4" is no choice
_LABELLED = re.compile(r"(?<![A-Za-z])\(?[A-J]\s*(?:[:).,/]|$)")
_MARKUP = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox|boldsymbol)\b|\\[ ,;:!]|[{}$*~]")
_SEVERAL = re.compile(r"[A-Ja-j](?:\s*(?:,|;|and|&)?\s*[A-Ja-j])*", re.IGNORECASE)


def choice(text: str) -> tuple[str, str] | None:
    r"""The letter of a choice and what is written behind it, or None.

    >>> choice(r"\textbf{(B)}\ 7"), choice("C."), choice("x + 1")
    (('B', '7'), ('C', ''), None)
    """
    if len(text) > 400:
        return None
    match = _LETTER.fullmatch(" ".join(_MARKUP.sub(" ", text).split()))
    if match is None or _LABELLED.search(match.group(5)):
        return None
    letter = next(g for g in match.groups()[:4] if g)
    return letter.upper(), match.group(5).strip()


def rest_of_choice(text: str) -> str | None:
    r"""What follows the letter of a choice, markup kept.

    >>> rest_of_choice(r"(B) $\frac{1}{2}$")
    '$\\frac{1}{2}$'
    """
    match = re.fullmatch(
        r"\s*(?:\\(?:text(?:bf|it|rm)?|mathrm|mathbf)\s*\{)?\s*\(?([A-J])\s*[).:]\s*\}?[\s:\\]*(.+)",
        text,
        re.DOTALL,
    )
    return match.group(2) if match else None


def letters_of(text: str) -> frozenset[str] | None:
    """The letters of an answer to a question with several right choices: "A, C and D", "ACD"."""
    plain = " ".join(_MARKUP.sub(" ", text).replace("(", " ").replace(")", " ").split())
    if len(plain) > 60 or not _SEVERAL.fullmatch(plain):
        return None
    found = re.findall(r"[A-J]", re.sub(r"\band\b", " ", plain, flags=re.IGNORECASE))
    return frozenset(found) if len(found) > 1 and len(set(found)) == len(found) else None


def is_separated(text: str) -> bool:
    """Whether several letters are listed rather than written as one name such as AB."""
    return bool(re.search(r"[,;&]|\band\b", text))
