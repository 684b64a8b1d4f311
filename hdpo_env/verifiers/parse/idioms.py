r"""Idioms rewritten before the lexer: ``_5C_2``, ``0.333...``, "for all x", colours, row gaps."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product

_HINT = re.compile(
    r"color|\\\\\s*\[|[CP]\s*\}?\s*_|\.\d+\s?(?:\\[lc]?dots|\.\.\.)|\bfor\b|forall|mathbb|\bto\b|\b[Aa]ll\b|Be\s*\^|&"
)
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_ALIGNED = re.compile(r"&\s*(?=[=<>]|\\(?:leq?|geq?|lt|gt|neq?|approx|equiv|in)\b)|(?<=[=<>])\s*&")
_COLOUR = re.compile(r"\\(?:text)?color\s*(?:\[\w+\])?\s*\{[^{}]*\}")
_B_TIMES_E = re.compile(r"(?<![A-Za-z\\])Be(?=\s*\^)")  # and not the word
_CHOICES = re.compile(
    r"(?<![\w})\]])(?:\{\s*\})?\{?[_^]\s*\{?(\w{1,6})\}{0,2}\s*"
    r"(?:\\(?:mathrm|text|mathbf)\s*\{)?([CP])\}?\s*_\s*\{?(\w{1,6})\}?"
)
# At most 40 digits, and cycles are sought outside: a pattern with both would take cubic time.
_ENDLESS = re.compile(r"(?<![\d.])(\d{0,20}\.)(\d{2,40})\s?(?:\\[lc]?dots|\.\.\.)")
_CUT_OFF = re.compile(r"(\d\.\d{2,})\s?(?:\\[lc]?dots|\.\.\.)")
_MIN_SHOWN = 3  # digits that a cycle must fill before "..." repeats it
_MAX_CYCLE = 6
_BLANKS = re.compile(r"\s{2,}")
# Only from the start of a run of blanks: else every blank of it would be a start.
_SPACING = r"(?<![\s,;~(])(?:[\s,;~(]|\\[,;:! ]|\\q?quad\b)*"
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
    spelled = _BLANKS.sub(" ", spelled)  # the patterns below are not linear in a run of blanks
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
    whole, digits = found.groups()
    if (whole + digits).startswith("2.71828"):
        return found.group()  # e is no repeating decimal
    for start, length in product(range(len(digits)), range(1, _MAX_CYCLE + 1)):
        head, cycle, shown = digits[:start], digits[start : start + length], digits[start:]
        times, rest = divmod(len(shown), length)
        if times >= 2 and times * length >= _MIN_SHOWN and shown == cycle * times + cycle[:rest]:
            return rf"{whole}{head}\overline{{{cycle}}}"
    return found.group()


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_ROW_GAP, r"\\\\ "),
    (_ALIGNED, " "),
    (_COLOUR, " "),
    (_B_TIMES_E, "B e"),
    (_CHOICES, _chosen),
    (_ENDLESS, _repeated),
    (_CUT_OFF, r"\1"),
    (_HALF_LINE, r"(0,\\infty)"),
    (_POSITIVE, r"\\mathbb{Z+}"),
)
