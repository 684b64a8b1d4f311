"""Words inside answers: spoken numbers, fillers, labels and units."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hdpo_env.verifiers.parse import numerals, words
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, ParseError

if TYPE_CHECKING:
    from hdpo_env.verifiers.parse.parser import Parser

_FILLER = frozenset(
    [
        "approximately",
        "about",
        "approx",
        "roughly",
        "around",
        "exactly",
        "only",
        "the",
        "a",
        "an",
        "answer",
        "value",
        "final",
        "total",
        "result",
        "equals",
        "is",
        "are",
    ]
)


def phrase(p: Parser) -> Node:
    """Words where an operand should be: a spoken number, a filler, or a label."""
    spoken = []
    while p.token.kind == "word" and p.token.value.lower() not in words.EQUALS:
        spoken.append(p.take().value.lower())
        if p.is_op("-") and p.peek().kind == "word":
            p.take()
    if not spoken:
        raise ParseError("a sentence without a subject")
    count = next((i for i, w in enumerate(spoken) if w not in words.NUMBER_WORDS), len(spoken))
    value = numerals.spoken_number(spoken[:count]) if count else None
    if (part := numerals.spoken_fraction(spoken)) is not None:
        return Num(part)
    if value is not None:
        number_node = Num(Fraction(value))
        rest = " ".join(spoken[count:])
        return Op("unit", (number_node,), rest) if rest else number_node
    if all(word in _FILLER for word in spoken) and p.token.kind in (
        "num",
        "lb",
        "cmd",
        "op",
    ):
        return p.power() if not p.is_op("-") else p.signed()
    return Op("text", (), " ".join(spoken))


def _names_unit(p: Parser, kind: str) -> bool:
    """Whether what follows an operator belongs to a unit: a word, or a lone letter (km/h)."""
    is_last = p.peek(2).kind in ("end", ",", "and", "or", "op", "close", "rel")
    return kind == "word" or (kind == "sym" and is_last)


def quantity(p: Parser, node: Node) -> Node:
    """A value followed by words: scale words multiply, the rest is its unit."""
    spelling: list[str] = []
    while True:
        kind, value, _ = p.token
        after = p.peek().kind
        if kind == "word" and value.lower() in words.SCALES and not spelling:
            p.take()
            node = Op("*", (node, Num(Fraction(words.SCALES[value.lower()]))))
        elif (kind == "word" and value.lower() not in words.EQUALS) or (
            kind == "sym" and spelling and spelling[-1] in ("*", "/")
        ):
            spelling.append(p.take().value)
        elif kind == "op" and value == "^" and spelling:
            p.take()
            spelling.append("^" + _plain(p.exponent_value()))
        elif kind == "op" and value in "*/-" and spelling and _names_unit(p, after):
            spelling.append(p.take().value)
        else:
            break
    return Op("unit", (node,), " ".join(spelling)) if spelling else node


def _plain(exponent: Node) -> str:
    if isinstance(exponent, Num):
        return str(exponent.value)
    if isinstance(exponent, Op) and exponent.name == "neg" and isinstance(exponent.args[0], Num):
        return f"-{exponent.args[0].value}"
    raise ParseError("a unit with an odd exponent")
