r"""Sums and lists with dots: 1 + x + \ldots + x^n in either direction, with more or fewer terms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hdpo_env.verifiers.compare.logic import PASS, Ruling
from hdpo_env.verifiers.compare.modular import identical
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import (
    ONE,
    ZERO,
    Node,
    Num,
    Op,
    Sym,
    letters,
    substitute,
    whole_number,
)

Same = Callable[[Node, Node], "bool | None"]
_DOTS = Sym("...")
_MIN_SHOWN = 3  # terms in common: two of them give the step, one the other end


def same_dotted(same: Same, gold: Node, answer: Node) -> Ruling:
    """True if both show one progression; PASS where that is not shown."""
    if not (isinstance(gold, Op) and isinstance(answer, Op)):
        return PASS
    if gold.name != answer.name or gold.name not in ("+", "seq") or gold.data != answer.data:
        return PASS
    a, b = _split(gold), _split(answer)
    if a is None or b is None:
        return PASS
    orders = [b] if gold.data == "()" else [b, (b[1][::-1], b[0][::-1])]
    found = any(_is_one(same, a, (head, tail)) for head, tail in orders)
    return True if found else PASS


Ends = tuple[tuple[Node, ...], tuple[Node, ...]]


def _split(node: Op) -> Ends | None:
    """The terms before and after the dots."""
    if node.args.count(_DOTS) != 1:
        return None
    at = node.args.index(_DOTS)
    return node.args[:at], node.args[at + 1 :]


def _is_one(same: Same, a: Ends, b: Ends) -> bool:
    """Whether the terms in common are equal and the others continue them."""
    heads, tails = (a[0], b[0]), (a[1][::-1], b[1][::-1])
    if 0 in (*map(len, heads), *map(len, tails)):
        return False
    shown = min(map(len, heads)) + min(map(len, tails))
    if shown < _MIN_SHOWN:
        return False
    for one, other in (heads, tails):
        if not all(same(x, y) is True for x, y in zip(one, other, strict=False)):
            return False
        longer = one if len(one) > len(other) else other
        if len(one) != len(other) and min(len(one), len(other)) > 1 and not _steps(same, longer):
            return False
    return True


def _steps(same: Same, terms: tuple[Node, ...]) -> bool:
    """Whether terms have a constant difference or a constant quotient."""
    gaps = [Op("+", (y, Op("neg", (x,)))) for x, y in pairwise(terms)]
    if all(same(x, y) is True for x, y in pairwise(gaps)):
        return True
    triples = zip(terms, terms[1:], terms[2:], strict=False)
    return all(same(Op("*", (x, z)), Op("*", (y, y))) is True for x, y, z in triples)


def summed(node: Node) -> Node:
    r"""``1 + 3 + \ldots + (2n-1)`` and ``1^2 + 2^2 + \ldots + n^2`` as sums with bounds.

    The terms, or their bases, must step by a constant integer up to a last one that is linear in
    one letter, with a coefficient that gives a whole number of steps for every whole letter. Every
    other node is returned as it is.
    """
    ends = _split(node) if isinstance(node, Op) and node.name == "+" else None
    if ends is None or len(ends[0]) < 2 or not ends[1]:
        return node
    names = letters(node) - {_DOTS.name}
    if len(names) != 1:
        return node
    (name,) = names
    power, bases = _bases(ends)
    head, tail = bases[: len(ends[0])], bases[len(ends[0]) :]
    step = rational(substitute(_gap(head[1], head[0]), name, ZERO))
    gaps = [_gap(y, x) for part in (head, tail) for x, y in pairwise(part)]
    if not step or not all(identical(gap, Num(step)) is True for gap in gaps):
        return node
    count = Op("/", (_gap(tail[-1], head[0]), Num(step)))
    first, second = (substitute(count, name, x) for x in (ZERO, ONE))
    slope = rational(_gap(second, first))
    start = rational(first)
    if start is None or slope is None or slope.denominator != 1 or start.denominator != 1:
        return node
    line = Op("+", (Num(start), Op("*", (Num(slope), Sym(name)))))
    if slope < 1 or identical(count, line) is not True:
        return node
    index = Sym("#1")
    base = Op("+", (head[0], Op("*", (Num(step), index))))
    return Op("sum", (index, ZERO, line, base if power is None else Op("^", (base, power))))


def _gap(y: Node, x: Node) -> Node:
    return Op("+", (y, Op("neg", (x,))))


def _bases(ends: Ends) -> tuple[Node | None, list[Node]]:
    """The exponent that all terms have in common, a one without it too, and their bases."""
    terms = [*ends[0], *ends[1]]
    powers = {t.args[1] for t in terms if isinstance(t, Op) and t.name == "^"}
    power = powers.pop() if len(powers) == 1 else None
    if power is None or whole_number(power) is None:
        return None, terms
    bases = [t.args[0] if isinstance(t, Op) and t.name == "^" else t for t in terms]
    others = [t for t in terms if not (isinstance(t, Op) and t.name == "^")]
    return (power, bases) if all(t == ONE for t in others) else (None, terms)
