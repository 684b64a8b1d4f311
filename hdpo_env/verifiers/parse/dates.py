r"""Dates with the month in letters: ``July 4th, 1776`` and ``4 \text{ July } 1776``."""

from __future__ import annotations

import re

_LONGEST = 60
_HINT = re.compile(r"[JFMASOND](?:an|eb|ar|pr|ay|un|ul|ug|ep|ct|ov|ec)")
_MARKUP = re.compile(r"\\(?:text\w*|mathrm|mbox)\s*\{|[{}~,]|\\[ ,;]")
_NAMES = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = "(?P<month>" + "|".join(name.capitalize() for name in _NAMES) + r"|[A-Z][a-z]{2,3}\.?)"
_DAY = r"(?P<day>\d{1,2}) ?(?:st|nd|rd|th)?"
_YEAR = r"(?: (?P<year>\d{3,4}))?"
_DATES = (
    re.compile(rf"{_MONTH} {_DAY}{_YEAR}"),
    re.compile(rf"(?:the )?{_DAY} (?:of )?{_MONTH}{_YEAR}"),
)


def dated(spelled: str) -> str:
    r"""A date as the tuple of its day, month and year; any other text as it is.

    >>> dated("July 4th, 1776"), dated(r"4 \text{ July}"), dated("May 32")
    ('(4,\\text{july},1776)', '(4,\\text{july})', 'May 32')
    """
    if len(spelled) > _LONGEST or not _HINT.search(spelled):
        return spelled
    words = " ".join(_MARKUP.sub(" ", spelled).split())
    for pattern in _DATES:
        if found := pattern.fullmatch(words):
            day, year = int(found["day"]), found["year"]
            month = found["month"].lower().rstrip(".")
            months = [name for name in _NAMES if name.startswith(month)]
            if len(months) != 1 or not 1 <= day <= 31:
                return spelled
            return rf"({day},\text{{{months[0]}}}" + (f",{int(year)})" if year else ")")
    return spelled
