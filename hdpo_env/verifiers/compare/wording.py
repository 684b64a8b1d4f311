"""Answers in words: synonyms, filler, and what is said of a letter."""

from __future__ import annotations

import re

from hdpo_env.verifiers.parse.answer import Answer, plain_words

# texts that mean the same answer
SYNONYMS = (
    frozenset({"no solution", "no solutions", "no real solution", "no real solutions", "none",
               "empty set", "emptyset", "\\emptyset", "there are no solutions", "no roots",
               "no real roots", "\\varnothing", "no such", "{}"}),
    frozenset({"does not exist", "dne", "undefined", "not defined", "doesn't exist", "no limit"}),
    frozenset({"infinitely many", "infinitely many solutions", "infinite", "infinite solutions",
               "infinite number of solutions"}),
    frozenset({"diverges", "divergent"}),
    frozenset({"converges", "convergent"}),
    frozenset({"possible"}),
    frozenset({"impossible", "not possible"}),
    frozenset({"yes", "true"}),
    frozenset({"no", "false"}),
)  # fmt: skip
_UNQUALIFIED = r"(?!.*\b(?:or|yes|no|true|false|maybe)\b)"
_REASONED = re.compile(
    r"(?:\\text\{)?\s*(yes|no|true|false)\s*[,.;:]" + _UNQUALIFIED, re.IGNORECASE | re.DOTALL
)
_MEMBERS = {word: i for i, group in enumerate(SYNONYMS) for word in group}
# what a sentence puts around its statement
_SUBJECT = re.compile(
    r"(?:it is|there (?:is|are|exists?)|(?:equation|system|series|sequence|integral|inequality|"
    r"problem|function)(?: of equations)?(?: (?:has|have|is|are))?) (?=\w)"
)
_PREDICATE = re.compile(
    r"(?<=\w) (?:(?:can |will )?(?:always )?(?:win|wins)|has winning strategy|is winner)$"
)
_EXISTS = re.compile(r"(no .*?) (?:exists?|to (?:equation|system|problem))")
_KINDS = frozenset({"even", "odd", "prime", "composite"})
_PLURALS = {f"{kind}s": kind for kind in _KINDS}
PROPERTIES = _KINDS | {"positive", "negative", "rational", "irrational"}
_SHAPES = frozenset({"isosceles", "right", "acute", "obtuse", "scalene", "equilateral"})
_FILLER = frozenset({"is", "are", "be", "must", "should"})
_NUMBERS = frozenset(
    ["all", "any", "every", "each", "integer", "integers", "number", "numbers", "value", "values",
     "of", "set", "sets"]
)  # fmt: skip
_PLAIN = re.compile(r"[a-z ]{1,80}")


def same_words(gold: Answer, answer: Answer) -> bool:
    """Whether two answers in words are one text, up to filler and standard synonyms."""
    a, b = _words(gold), _words(answer)
    if not a or not b:
        return False
    unread = not gold.readings and not answer.readings
    if a == b and (gold.has_words or answer.has_words or unread):
        return True
    if a in ("yes", "no", "true", "false") and (said := _REASONED.match(answer.text)):
        b = said.group(1).lower()  # "No, because ..."
    if a in _MEMBERS and _MEMBERS[a] == _MEMBERS.get(b):
        return True
    if not (gold.has_words or answer.has_words):
        return False
    if (reasoned := _REASONED.match(gold.text)) and _MEMBERS.get(b) is not None:
        a = reasoned.group(1).lower()
        return _MEMBERS[a] == _MEMBERS[b]
    a, b = _statement(a), _statement(b)
    if a in _MEMBERS:
        return _MEMBERS[a] == _MEMBERS.get(b)
    return _same_content(a, b)


def _statement(words: str) -> str:
    """What a sentence states: "the series diverges" without its subject."""
    words = _SUBJECT.sub("", words, count=1) if _SUBJECT.match(words) else words
    found = _EXISTS.fullmatch(words)
    return _PREDICATE.sub("", found.group(1) if found else words)


def _same_content(a: str, b: str) -> bool:
    """Whether two short phrases say the same of one letter: "n is even", "all even n"."""
    if not (_PLAIN.fullmatch(a) and _PLAIN.fullmatch(b)):
        return False
    (said_a, letters_a), (said_b, letters_b) = _content(a), _content(b)
    named = letters_a == letters_b or not (letters_a and letters_b)
    return bool(said_a) and named and (said_a == said_b or _in_any_order(said_a, said_b))


def _in_any_order(a: list[str], b: list[str]) -> bool:
    """Whether two phrases list the same properties, of which each holds by itself."""
    if sorted(a) != sorted(b):
        return False
    if PROPERTIES.issuperset(a):
        return True
    return a[-1] == b[-1] and a[-1] in ("triangle", "triangles") and _SHAPES.issuperset(a[:-1])


def _content(words: str) -> tuple[list[str], set[str]]:
    """The words that carry meaning, in order, and the letters."""
    said = [_PLURALS.get(word, word) for word in words.split() if word not in _FILLER]
    if _KINDS & {*said}:
        said = [word for word in said if word not in _NUMBERS]
    return [word for word in said if len(word) > 1], {word for word in said if len(word) == 1}


def _words(answer: Answer) -> str:
    return plain_words(answer.spelled).rstrip(".")


def contradicts(one: Answer, other: Answer) -> bool:
    """Whether two text answers stand for opposite or different standard answers (yes, no...)."""
    a, b = _MEMBERS.get(_words(one)), _MEMBERS.get(_words(other))
    return a is not None and b is not None and a != b
