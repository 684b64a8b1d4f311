"""Three-valued logic: True, False, and None for "not known"; and PASS for "not my business"."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final


class Pass(Enum):
    """The answer of a rule that does not apply."""

    PASS = "pass"


PASS: Final = Pass.PASS
Ruling = bool | Pass | None


def all3(values: Iterable[bool | None]) -> bool | None:
    """False if any is False, else None if any is None, else True.

    >>> all3([True, None]), all3([None, False]), all3([])
    (None, False, True)
    """
    unknown = False
    for value in values:
        if value is False:
            return False
        unknown = unknown or value is None
    return None if unknown else True


def any3(values: Iterable[bool | None]) -> bool | None:
    """True if any is True, else None if any is None, else False.

    >>> any3([False, None]), any3([None, True]), any3([])
    (None, True, False)
    """
    unknown = False
    for value in values:
        if value is True:
            return True
        unknown = unknown or value is None
    return None if unknown else False
