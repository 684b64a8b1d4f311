r"""Idioms rewritten before the lexer: ``_5C_2``, ``0.333...``, "for all x", colours, row gaps."""

from __future__ import annotations

import re
from collections.abc import Callable

_HINT = re.compile(
    r"color|\\\\\s*\[|[CP]\s*\}?\s*_|\.\d+\s?(?:\\[lc]?dots|\.\.\.)|\bfor\b|forall|mathbb|\bto\b|\b[Aa]ll\b|Be\s*\^"
)
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_COLOUR = re.compile(r"\\(?:text)?color\s*(?:\[\w+\])?\s*\{[^{}]*\}")
_B_TIMES_E = re.compile(r"(?<![A-Za-z\\])Be(?=\s*\^)")  # and not the word
_CHOICES = re.compile(
    r"(?<![\w})\]])(?:\{\s*\})?\{?[_^]\s*\{?(\w{1,6})\}{0,2}\s*"
    r"(?:\\(?:mathrm|text|mathbf)\s*\{)?([CP])\}?\s*_\s*\{?(\w{1,6})\}?"
)
_ENDLESS = re.compile(r"(\d*\.\d*?)(\d{1,6}?)(\2+)(\d*)\s?(?:\\[lc]?dots|\.\.\.)")
_CUT_OFF = re.compile(r"(\d\.\d{2,})\s?(?:\\[lc]?dots|\.\.\.)")
_MIN_SHOWN = 3  # digits that a cycle must fill before "..." repeats it
_SPACING = r"(?:[\s,;~(]|\\[,;:! ]|\\q?quad\b)*"
_EVERY = re.compile(
    _SPACING + r"(?:\\forall|(?:\\(?:text|mathrm)\s*\{)?[\s,]*for\s+(?:all|any|every|each)\b)"
    r"(?:\s+(?:real|rational|complex|positive|natural|whole|integers?|numbers?|values?|of))*"
    r"[\s}$]*\\?\s*([a-zA-Z])\s*\}?"
    r"(?:\s*\\in\s*\\mathbb\s*\{?[A-Z]\+?\}?(?:\s*[_^]\s*\{?[^{}]{1,6}\}?)?)?[\s).}]*$"
)
_MEMBER = re.compile(_SPACING + r"([a-z])\s*\\in\s*\\mathbb\s*\{?[A-Z]\+?\}?[\s)]*$")
_HALF_LINE = re.compile(
    r"\\mathbb\s*\{?R\}?\s*(?:\^\s*\{?\s*\+\s*\}?|_\s*\{?\s*\+\s*\}?|_\s*\{\s*>\s*0\s*\})"
)
_POSITIVE = re.compile(
    r"\\mathbb\s*\{?Z\}?\s*(?:\^\s*\{?\s*\+\s*\}?|_\s*\{?\s*\+\s*\}?|_\s*\{\s*>\s*0\s*\})"
)
_ALL_BUT = re.compile(
    r"(?:\\text\s*\{)?\s*all\s+real(?:\s+numbers|s)\s+(?:except|other than|but)(?:\s+for)?\s*\}?\s*"
    r"(?:[a-z]\s*(?:=|\\neq?\b))?\s*([^{}]{1,40}|\\d?frac\{-?\d+\}\{\d+\})\}?",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\s*(?:\\text\s*\{)?\s*(?:for\s+)?all\s*(?:(?:positive\s+)?integers|real\s+numbers|reals?)?\s*\}?\s*"
    r"(?=[a-z]\s*(?:\\g|\\l|>|<))",
    re.IGNORECASE,
)
_SPOKEN_RATIO = re.compile(r"(\d+)\s*(?:\\text\s*\{)?\s*to\s*\}?\s*(\d+)")


def plain(spelled: str) -> str:
    r"""The answer with such idioms spelled out; most answers have none and cost one search.

    >>> plain("_{10}C_3"), plain("0.1666..."), plain(r"f(x) = x \text{ for all } x")
    ('\\binom{10}{3}', '0.1\\overline{6}', 'f(x) = x')
    """
    if not _HINT.search(spelled):
        return spelled
    for pattern, spelling in _RULES:
        spelled = pattern.sub(spelling, spelled)
    for tail in (_EVERY, _MEMBER):
        if (found := tail.search(spelled)) and _is_argument(found.group(1), spelled, found.start()):
            spelled = spelled[: found.start()]
    if but := _ALL_BUT.fullmatch(spelled):
        return rf"\mathbb{{R}}\setminus\{{{but.group(1)}\}}"
    if every := _ALL.match(spelled):
        spelled = spelled[every.end() :]
    ratio = _SPOKEN_RATIO.fullmatch(spelled)
    return f"{ratio.group(1)}:{ratio.group(2)}" if ratio else spelled


def _is_argument(letter: str, spelled: str, end: int) -> bool:
    """Whether a letter is the argument of a function defined before: then "for all x" is empty."""
    return re.search(rf"[A-Za-z]\s*\(\s*{letter}\s*\)\s*=", spelled[:end]) is not None


def _chosen(found: re.Match[str]) -> str:
    """Combinations and permutations; P is the number of ordered choices."""
    n, kind, k = found.groups()
    return rf"\binom{{{n}}}{{{k}}}" if kind == "C" else rf"\frac{{({n})!}}{{({n}-{k})!}}"


def _repeated(found: re.Match[str]) -> str:
    """A decimal that shows its cycle and says that it goes on."""
    head, cycle, more, rest = found.groups()
    shown = len(cycle + more)
    is_e = cycle == "1828"  # 2.718281828... is no repeating decimal
    if shown < max(_MIN_SHOWN, 2 * len(cycle)) or not cycle.startswith(rest) or is_e:
        return found.group()
    return rf"{head}\overline{{{cycle}}}"


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_ROW_GAP, r"\\\\ "),
    (_COLOUR, " "),
    (_B_TIMES_E, "B e"),
    (_CHOICES, _chosen),
    (_ENDLESS, _repeated),
    (_CUT_OFF, r"\1"),
    (_HALF_LINE, r"(0,\\infty)"),
    (_POSITIVE, r"\\mathbb{Z+}"),
)
