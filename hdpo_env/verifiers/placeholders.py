r"""What stands in data sets where a gold answer should: placeholders, pictures, divisions by zero.

Judged as answers these would make every completion WRONG, a false cliff; as BAD_GOLD they are
abstentions that an audit finds. Words that do answer a question stay golds: ``none``, ``none of
the above``, ``undefined``, ``no solution``. A bare ``None``, ``nan`` or ``null`` is how programs
write a missing value; a data set that means the word writes ``none`` or ``\text{None}``.
"""

from __future__ import annotations

import re
import unicodedata

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.answer import Answer, plain_words
from hdpo_env.verifiers.parse.nodes import Node, Op, walk

_EMPTY_VALUES = ("None", "NaN", "nan", "NAN", "NaT", "null", "Null", "NULL", "<NA>", "#N/A")
_MISSING = frozenset({*_EMPTY_VALUES, "N/A", "n/a", "N.A", "n.a", "TBD", "TBA", "TODO"})
_PHRASE = re.compile(
    r"(?:please )?(?:see|refer to) (?:above|below|(?:full )?(?:solutions?|explanations?|"
    r"proofs?|answers?|figures?|graphs?|diagrams?|images?|pictures?|tables?|attachments?|notes?)"
    r"(?: (?:above|below|key))?)"
    r"|(?:many |the )?answers? (?:may |will |can )?var(?:y|ies)"
    r"|(?:no )?answers? (?:is )?(?:not )?(?:available|provided|given|found|unavailable|omitted)"
    r"|not ?(?:available|provided|given|found)|to be (?:determined|announced|added)|placeholder"
    r"|proof|(?:solution|proof) (?:omitted|required|needed|only|problem|question)|tb[ad]|todo"
)
_PICTURE = re.compile(
    r"\[asy\].*?\[/asy\]|\\begin\s*\{(asy|tikzpicture|figure|picture|tabularx?|table|longtable)\*?\}"
    r".*?\\end\s*\{\1\*?\}|\\includegraphics\s*(?:\[[^]]*\])?\s*\{[^}]*\}|!\[[^]]*\]\([^)]*\)"
    r"|<ima?ge?\b[^>]*>|https?://\S+",
    re.DOTALL | re.IGNORECASE,
)
_SIGNS = "□☐◻▢$^`~|+"  # beside punctuation


def placeholder(text: str) -> str:
    r"""What stands in a gold instead of an answer, without quoting it; "" if it may be one.

    >>> placeholder("See the solution."), placeholder("[asy]draw((0,0));[/asy]")
    ('it is a placeholder', 'it is a picture or a table')
    >>> placeholder("none"), placeholder(r"\{\}"), placeholder("n^2/a")
    ('', '', '')
    """
    bare = text.strip()
    if not bare:
        return "it is blank"
    if bare.strip(" .\"'") in _MISSING:
        return "it is a placeholder"
    if "\\" not in bare and all(_is_sign(sign) for sign in bare):
        return "it is punctuation only"
    without = _PICTURE.sub("", bare)
    if without != bare and not any(map(str.isalnum, without)):
        return "it is a picture or a table"
    if len(bare) < 80 and _PHRASE.fullmatch(plain_words(bare)):
        return "it is a placeholder"
    return ""


def _is_sign(sign: str) -> bool:
    return sign.isspace() or sign in _SIGNS or unicodedata.category(sign)[0] == "P"


def divides_by_zero(answer: Answer) -> bool:
    """Whether every reading holds a quotient by zero, so that it has no value.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> divides_by_zero(parse_answer("1/0")), divides_by_zero(parse_answer("0/1"))
    (True, False)
    """
    return bool(answer.readings) and all(map(_holds_one, answer.readings))


def _holds_one(reading: Node) -> bool:
    quotients = (node for node in walk(reading) if isinstance(node, Op) and node.name == "/")
    return any(rational(quotient.args[1]) == 0 for quotient in quotients)
