r"""Families of numbers with an integer parameter: 2k+1 and 2m-1, 7k+3 and x = 3 (mod 7).

A family o + P k, k in Z, is a coset of the multiples of P. Lists of families are unions; they are
equal if, over a common multiple of all periods, each coset of one is a coset of the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TypeGuard

from hdpo_env.verifiers.compare.lists import expand_signs
from hdpo_env.verifiers.compare.order import approximate
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.values import Leaf
from hdpo_env.verifiers.parse.nodes import (
    ONE,
    TWO,
    ZERO,
    Node,
    Num,
    Op,
    Sym,
    letters,
    substitute,
    walk,
)

_LETTERS = frozenset("klmnpqrst")
_SOME = frozenset({"some integer", "any integer", "an integer", "integer"})
_ODD = re.compile(r"(?:(?:all|any|every|the|set|of|an?) )*(odd|even)(?: integers?)?")
_MOST = 24  # cosets of a side over the common period
_MAX_RATIO = 60
_CLOSE = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class _Family:
    """Offset + period times an integer, and what it was called."""

    offset: Node
    period: Node
    name: Node | None = None


def same_family(leaf: Leaf, gold: Node, answer: Node) -> bool:
    """Whether both are unions of such families, and the same; False if that is not shown.

    At least one side must say that its parameter is an integer, or be a residue class; the other
    may leave that out if its letter multiplies pi or degrees.
    """
    if not (_may_be(gold) and _may_be(answer)):
        return False
    a, b = _families(leaf, gold), _families(leaf, answer)
    if a is None or b is None or not (a[1] or b[1]):
        return False
    names = {f.name for f in (*a[0], *b[0])} - {None}
    base = a[0][0].period
    if len(names) > 1 or rational(base) == 0:
        return False
    ratios = [_ratio(leaf, f.period, base) for f in (*a[0], *b[0])]
    known = [abs(r) for r in ratios if r]
    if len(known) < len(ratios):
        return False
    common = Fraction(lcm(*(r.numerator for r in known)), gcd(*(r.denominator for r in known)))
    whole = Op("*", (Num(common), base))
    sides = [
        _cosets(side, [common / r for r in rs])
        for side, rs in ((a[0], known[: len(a[0])]), (b[0], known[len(a[0]) :]))
    ]
    if any(not side or len(side) > _MOST for side in sides):
        return False
    return all(
        any(_is_multiple(leaf, x, y, whole) for y in other)
        for one, other in (sides, sides[::-1])
        for x in one
    )


def _may_be(node: Node) -> bool:
    """A quick look: a residue class, an integer clause, or a multiple of pi or degrees."""
    return isinstance(node, Op) and any(
        (isinstance(n, Sym) and n.name in ("bbZ", "pi"))
        or (isinstance(n, Op) and (n.name in ("mod", "deg", "text") or n.data in _SOME))
        for n in walk(node)
    )


def _families(leaf: Leaf, node: Node) -> tuple[list[_Family], bool] | None:
    """The families that a node lists, and whether it says that they are."""
    parts = _residues(_parts(node))
    if len({p.args[1] for p in parts if _is_class(p)}) > 1 and not _is_choice(node):
        return None  # x = 1 (mod 2), x = 2 (mod 3): both at once?
    said = [p for p in parts if _is_clause(p)]
    stated = [value for p in parts if not _is_clause(p) for value in expand_signs(p, False)]
    parameters = {arg for clause in said if isinstance(clause, Op) for arg in clause.args}
    parameters = {p for p in parameters if isinstance(p, Sym) and p.name != "bbZ"}
    found = [_family(leaf, value, parameters) for value in stated]
    families = [family for family in found if family is not None]
    if not families or len(families) < len(found) or len(parameters) > 1:
        return None
    is_said = bool(parameters) or all(_is_class(v) or _parity(v) is not None for v in stated)
    return families, is_said


def _parts(node: Node) -> tuple[Node, ...]:
    """The items of a list or of a set-builder, without its brackets."""
    if isinstance(node, Op) and node.name == "rel" and node.data == "in" and len(node.args) == 2:
        inner = node.args[1]
        return _parts(inner) if isinstance(inner, Op) else (node,)
    if isinstance(node, Op) and node.name == "rel" and node.data == "=":
        inner = node.args[-1]
        return _parts(inner) if isinstance(inner, Op) and inner.name == "builder" else (node,)
    if isinstance(node, Op) and node.name == "builder":
        element, condition = node.args
        told = [part for part in _parts(condition) if not _is_clause(part)]
        return (*_parts(condition), *(() if told else (element,)))
    if isinstance(node, Op) and node.name == "seq" and node.data in ("", "or", "{}"):
        return tuple(part for arg in node.args for part in _parts(arg))
    return (node,)


def _is_class(node: Node) -> TypeGuard[Op]:
    return isinstance(node, Op) and node.name == "mod"


def _is_choice(node: Node) -> bool:
    return isinstance(node, Op) and node.data == "or"


def _residues(parts: tuple[Node, ...]) -> tuple[Node, ...]:
    """``x = 1, 5 (mod 6)``: the modulus behind a list is that of all its numbers."""
    *first, last = parts
    if not first or not _is_class(last) or any(map(_is_class, first)):
        return parts
    values = [p.args[1] if isinstance(p, Op) and p.data == "equiv" else p for p in first]
    if any(letters(value) for value in values):
        return parts
    return (*(Op("mod", (value, last.args[1])) for value in values), last)


def _parity(node: Node) -> Node | None:
    """The remainder by two of "all odd integers" or "even"."""
    found = _ODD.fullmatch(node.data) if isinstance(node, Op) and node.name == "text" else None
    return None if found is None else ONE if found.group(1) == "odd" else ZERO


def _is_clause(node: Node) -> bool:
    """``k in Z``, all of it, or "some integer k"."""
    if isinstance(node, Op) and node.name == "unit":
        return node.data in _SOME and isinstance(node.args[0], Sym)
    if not isinstance(node, Op) or len(node.args) != 2:
        return False
    first, last = node.args
    if node.name == "*" and isinstance(first, Op) and first.name == "text":
        return first.data in _SOME and isinstance(last, Sym)
    return node.name == "rel" and node.data == "in" and last == Sym("bbZ")


def _family(leaf: Leaf, node: Node, parameters: set[Sym]) -> _Family | None:
    if isinstance(node, Op) and node.name == "mod":
        return None if letters(node) else _Family(node.args[0], node.args[1])
    name = None
    if isinstance(node, Op) and node.name == "rel" and node.data == "=" and len(node.args) == 2:
        name, node = node.args
        if not isinstance(name, Sym):
            return None
    if (rest := _parity(node)) is not None:
        return _Family(rest, TWO, name)
    names = letters(node)
    if len(names) != 1:
        return None
    (letter,) = names
    is_periodic = letter in _LETTERS and any(
        n == Sym("pi") or (isinstance(n, Op) and n.name == "deg") for n in walk(node)
    )
    if name == Sym(letter) or (parameters != {Sym(letter)} if parameters else not is_periodic):
        return None
    offset = substitute(node, letter, ZERO)
    period = Op("+", (substitute(node, letter, ONE), Op("neg", (offset,))))
    line = Op("+", (offset, Op("*", (Sym(letter), period))))
    return _Family(offset, period, name) if leaf(node, line) is True else None


def _ratio(leaf: Leaf, period: Node, base: Node) -> Fraction | None:
    """The rational that a period is of another, if it is a simple one."""
    value = _number(Op("/", (period, base)))
    if value is None or not value:
        return None
    simple = value.limit_denominator(_MAX_RATIO)
    is_simple = abs(simple) <= _MAX_RATIO and abs(simple - value) < _CLOSE
    return simple if is_simple and leaf(period, Op("*", (Num(simple), base))) is True else None


def _number(node: Node) -> Fraction | None:
    value = approximate(node)
    return value if isinstance(value, Fraction) else None


def _cosets(families: list[_Family], counts: list[Fraction]) -> list[Node]:
    """Offsets of all cosets over the common period."""
    if sum(counts) > _MOST:
        return []
    steps = [
        (f, Num(Fraction(j))) for f, n in zip(families, counts, strict=True) for j in range(int(n))
    ]
    return [Op("+", (f.offset, Op("*", (j, f.period)))) for f, j in steps]


def _is_multiple(leaf: Leaf, x: Node, y: Node, whole: Node) -> bool:
    """Whether two offsets differ by a whole number of periods."""
    gap = Op("+", (x, Op("neg", (y,))))
    value = _number(Op("/", (gap, whole)))
    if value is None or abs(value - round(value)) > _CLOSE:
        return False
    return leaf(gap, Op("*", (Num(Fraction(round(value))), whole))) is True
