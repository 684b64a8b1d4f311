"""The tree of an answer: numbers, symbols and operations, nothing else.

An `Op` is named by what it means: arithmetic (``+ * / ^ neg``), functions (``sin``, ``sqrt``...),
structures (``seq`` with its brackets in ``data``, ``matrix``, ``rel`` with its relation in
``data``), quantities (``unit``, ``percent``, ``deg``, ``base``) and ``text``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


class ParseError(Exception):
    """The text is not an answer this grammar knows; the message says where it stopped."""


@dataclass(frozen=True, slots=True)
class Num:
    """An exact rational. ``places`` counts decimals if it was written as a decimal.

    The last digit written stands for 10^-places; negative for 6.02e23, whose last is 10^21.
    """

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A letter, a named constant (``pi``, ``e``, ``i``, ``oo``) or an opaque name."""

    name: str


@dataclass(frozen=True, slots=True)
class Op:
    """An operation on nodes; see the module."""

    name: str
    args: tuple[Node, ...] = ()
    data: str = ""


Node = Num | Sym | Op

CONSTANTS = frozenset({"pi", "e", "i", "oo"})


def walk(node: Node) -> Iterator[Node]:
    """The node and everything under it."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        if isinstance(top, Op):
            stack.extend(top.args)


def letters(node: Node) -> frozenset[str]:
    """Names of the symbols but constants, sets of numbers (``bbZ``) and bound letters (``#1``)."""
    names = {n.name for n in walk(node) if isinstance(n, Sym)} - CONSTANTS
    return frozenset(name for name in names if not name.startswith(("bb", "#")))


def substitute(node: Node, name: str, value: Node) -> Node:
    """The node with every occurrence of a letter replaced."""
    if isinstance(node, Sym):
        return value if node.name == name else node
    if isinstance(node, Op):
        return Op(node.name, tuple(substitute(a, name, value) for a in node.args), node.data)
    return node


def whole_number(node: Node) -> int | None:
    """The integer that a node writes in digits, with or without a minus sign; else None."""
    if isinstance(node, Op) and node.name == "neg" and isinstance(node.args[0], Num):
        number = whole_number(node.args[0])
        return None if number is None else -number
    is_whole = isinstance(node, Num) and node.value.denominator == 1 and node.places is None
    return node.value.numerator if isinstance(node, Num) and is_whole else None


def integer(value: int) -> Num:
    """An integer node."""
    return Num(Fraction(value))


ONE, ZERO, TWO = integer(1), integer(0), integer(2)
