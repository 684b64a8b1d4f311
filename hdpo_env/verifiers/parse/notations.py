"""Meanings of words and dots in a tree: "all integers", "n even", 10 AM, mi/h, n(n-1)...1."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

from hdpo_env.verifiers.parse.nodes import (
    ONE,
    ZERO,
    Node,
    Num,
    Op,
    Sym,
    integer,
    letters,
    substitute,
    walk,
    whole_number,
)

_SET = re.compile(
    r"(?:(?:the|set|of|all|any|every|each|an?|arbitrary)\s+)*"
    r"(?:(positive|negative|non\s?-?\s?negative)\s+)?"
    r"(integer|natural|natural number|rational|rational number|real number|real|complex number)s?"
)
_PERMUTATIONS = re.compile(
    r"(?:and )?(?:all )?(?:(?:its|their|the|of) )*permutations"
    r"(?: thereof| of (?:these|those|them|it))?"
)
_MONTHS = frozenset(
    ["january", "february", "march", "april", "may", "june", "july", "august", "september",
     "october", "november", "december"]
)  # fmt: skip
_ALL_PRIMES = re.compile(r"^(?:all|any|every) (?=(?:odd |even )?prime)")
_EXTREME = re.compile(r"(min|max)(?:imum)?(?: value)?")
_NAMES = {"i": "bbZ", "n": "bbN", "q": "bbQ", "r": "bbR", "c": "bbC"}
_MINIMUM, _MAXIMUM = Op("text", (), "min"), Op("text", (), "max")
_INFINITY = Sym("oo")
_KINDS = frozenset({"even", "odd", "prime", "composite"})
_HALVES = frozenset({"am", "pm"})
_DOTS = Sym("...")


def text(node: Op) -> Node:
    """The set of numbers that a phrase names, "min" for "minimum value", else the phrase."""
    if extreme := _EXTREME.fullmatch(node.data):
        return Op("text", (), extreme.group(1))
    if _PERMUTATIONS.fullmatch(node.data):
        return Op("text", (), "permutations")
    found = _SET.fullmatch(node.data)
    if found is None:
        return Op("text", (), _ALL_PRIMES.sub("", node.data))
    sign, name = found.groups()
    letter = "q" if name.startswith("ra") else name[0]
    if sign is None:
        return Sym(_NAMES[letter])
    if letter == "r":
        return _half_line(sign)
    suffix = {"p": "+", "neg": "-"}.get(sign if sign[:3] == "neg" else sign[0], "0+")
    return Sym(_NAMES[letter] + suffix)


def _half_line(sign: str) -> Node:
    if sign == "negative":
        return Op("seq", (Op("neg", (_INFINITY,)), ZERO), "()")
    return Op("seq", (ZERO, _INFINITY), "()" if sign == "positive" else "[)")


def quantity(node: Op) -> Node:
    """``n even`` says what n is; 10 AM is the time 10:00 AM; 4 July is a day and its month."""
    value, unit = node.args[0], node.data.lower()
    if unit in _MONTHS and whole_number(value):
        return Op("seq", (value, Op("text", (), unit)), "()")  # a date is no count of things
    if isinstance(value, Sym) and unit in _KINDS:
        return Op("rel", (value, Op("text", (), unit)), "=")
    is_hour = isinstance(value, Num) and value.places is None and 1 <= value.value <= 12
    if is_hour and unit in _HALVES:
        return Op("ratio", (value, Op("unit", (ZERO,), node.data)))
    return node


def times_unit(node: Op) -> Node:
    r"""``60 \frac{\text{miles}}{\text{hour}}`` is 60 miles/hour; "all integers" n is a set."""
    value, last = node.args
    if value in (_MINIMUM, _MAXIMUM):
        return Op("rel", (value, last), "=")  # "minimum 2"
    if _is_text(value) and isinstance(value, Op) and value.data in _MONTHS:
        return Op("seq", (last, value), "()") if whole_number(last) else node  # July 4
    if isinstance(last, Op) and last.name == "/" and all(_is_text(part) for part in last.args):
        spelling = "/".join(part.data for part in last.args if isinstance(part, Op))
        return Op("unit", (value,), spelling)
    if isinstance(value, Sym) and value.name.startswith("bb") and isinstance(last, Sym):
        return Op("rel", (last, value), "in")
    return node


def negative_extreme(node: Op) -> Node:
    """``minimum -3`` states a value: nothing is taken from a word."""
    first, *rest = node.args
    if first not in (_MINIMUM, _MAXIMUM) or len(rest) != 1 or whole_number(rest[0]) is None:
        return node
    return Op("rel", (first, rest[0]), "=")


def _is_text(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "text"


def conjugate(node: Op) -> Node:
    """A bar over a number without letters is its complex conjugate."""
    inner = node.args[0]
    symbols = {n.name for n in walk(inner) if isinstance(n, Sym)}
    if "i" not in symbols or not symbols <= {"i", "pi", "e"}:
        return node
    return substitute(inner, "i", Op("neg", (Sym("i"),)))


def gamma(node: Op) -> Node:
    """Gamma at a number, or at a letter that is an integer by custom, is a factorial."""
    if node.data != "Gamma" or len(node.args) != 1 or not letters(node) <= {"n", "k", "m"}:
        return node
    return Op("fact", (Op("+", (node.args[0], Op("neg", (ONE,)))),))


def falling(node: Op) -> Node:
    r"""A product with dots, n(n-1)...1 or 1 \cdot 2 ... n or n(n-1)...(n-k+1), by factorials."""
    factors = _factors(node)
    if factors.count(_DOTS) != 1:
        return node
    at = factors.index(_DOTS)
    head, tail = factors[:at], factors[at + 1 :]
    if len(head) < 2 or not tail:
        return node
    first, second = _linear(head[0]), _linear(head[1])
    step = _minus(second, first)
    if step == {"": Fraction(1)}:  # it grows: read it from its end
        head, tail = tail[::-1], head[::-1]
    elif step != {"": Fraction(-1)}:
        return node
    steps = [_linear(factor) for factor in (head if len(head) > 1 else tail)]
    if not all(_minus(b, a) == {"": Fraction(-1)} for a, b in pairwise(steps)):
        return node
    top, last = head[0], tail[-1]
    if last in (ONE, integer(2)):
        return Op("fact", (top,))
    return Op("/", (Op("fact", (top,)), Op("fact", (Op("+", (last, Op("neg", (ONE,)))),))))


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Op) and node.name == "*":
        return [*_factors(node.args[0]), *_factors(node.args[1])]
    return [node]


def _linear(node: Node) -> dict[str, Fraction] | None:
    """Coefficients of a sum of letters and numbers, the number under the empty name."""
    if isinstance(node, Num):
        return {"": node.value} if node.value else {}
    if isinstance(node, Sym):
        return {node.name: Fraction(1)}
    if node.name == "neg":
        return _minus({}, _linear(node.args[0]))
    if node.name == "*" and isinstance(node.args[0], Num):
        inner, factor = _linear(node.args[1]), node.args[0].value
        return None if inner is None else {k: v * factor for k, v in inner.items()}
    if node.name != "+":
        return None
    total: dict[str, Fraction] | None = {}
    for arg in node.args:
        total = _minus(total, _minus({}, _linear(arg)))
    return total


def _minus(
    a: dict[str, Fraction] | None, b: dict[str, Fraction] | None
) -> dict[str, Fraction] | None:
    if a is None or b is None:
        return None
    out = {name: a.get(name, Fraction(0)) - b.get(name, Fraction(0)) for name in {*a, *b}}
    return {name: value for name, value in out.items() if value}
