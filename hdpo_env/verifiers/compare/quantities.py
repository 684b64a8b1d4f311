"""Values with units, percent signs, degree signs and moduli."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from hdpo_env.verifiers.compare.logic import PASS, Ruling, any3
from hdpo_env.verifiers.compare.units import Unit, parse_unit, singular
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, walk
from hdpo_env.verifiers.parse.words import CHANGES, DOUBTS, NUMBER_WORDS

Same = Callable[[Node, Node], "bool | None"]
_PERCENT, _DEGREE = parse_unit("percent"), parse_unit("degree")
_RADIAN = parse_unit("radian")
_OTHER_NUMBER = DOUBTS | {singular(word) for word in CHANGES}
# letters that may be a unit when the other side is a plain number
_UNIT_LETTERS = frozenset(["m", "s", "g", "h", "L", "l", "N", "J", "W", "V", "A", "K"])


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in a unit."""

    value: Node
    unit: Unit


def quantity(node: Node) -> Quantity | None:
    """The value and unit of a node with one, else None."""
    if not isinstance(node, Op):
        return None
    if node.name == "unit":
        inner = quantity(node.args[0])  # $5 dollars, 90 degrees C
        unit = parse_unit(node.data)
        return Quantity(inner.value if inner else node.args[0], unit)
    if node.name in ("percent", "deg"):
        return Quantity(node.args[0], _PERCENT if node.name == "percent" else _DEGREE)
    if node.name == "neg":
        inner = quantity(node.args[0])
        return inner and Quantity(Op("neg", (inner.value,)), inner.unit)
    if node.name == "+" or (node.name == "seq" and node.data == ""):
        return _sum(node)
    if node.name == "*" and (first := quantity(node.args[0])) is not None:
        return Quantity(Op("*", (first.value, node.args[1])), first.unit)  # $5 million
    if node.name in ("*", "/"):
        inner = quantity(node.args[1]) if node.name == "*" else None
        return inner and Quantity(Op("*", (node.args[0], inner.value)), inner.unit)
    return None


def _sum(node: Op) -> Quantity | None:
    """Hours and minutes, feet and inches: a sum in one dimension, from the larger unit down."""
    parts = [quantity(arg) for arg in node.args]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.unit.dimensions for part in known}) != 1:
        return None
    sizes = [part.unit.factor for part in known]
    if node.name == "seq" and not all(a > b for a, b in pairwise(sizes)):
        return None  # 2 m and 3 m are two answers
    if not all(part.unit.dimensions for part in known) and len({p.unit.nouns for p in known}) > 1:
        return None  # "8 meters after the 2nd" is no sum
    terms = tuple(Op("*", (part.value, Num(part.unit.factor))) for part in known)
    return Quantity(Op("+", terms), Unit(Fraction(1), known[0].unit.dimensions, ("base",)))


def same_quantity(same: Same, gold: Node, answer: Node) -> Ruling:
    """Compare quantities; PASS if neither side is one."""
    a, b = quantity(gold), quantity(answer)
    if a is None and b is None:
        return PASS
    a, b = a or _metres(gold), b or _metres(answer)
    if a is not None and b is not None:
        return _both(same, a, b)
    one, other = (a, answer) if a is not None else (b, gold)
    assert one is not None
    if isinstance(other, Op) and other.name in ("rel", "text", "ratio") and one.unit.is_known:
        return PASS
    return _one_sided(same, one, other, a is not None)


def _metres(node: Node) -> Quantity | None:
    """``5 m/s^2`` in letters as a quantity, beside one that says its unit in full."""
    found = _lettered(node)
    return Quantity(found[0], parse_unit(found[1])) if found is not None and found[1] else None


def _lettered(node: Node) -> tuple[Num, str] | None:
    """A number and the spelling of the unit letters that multiply and divide it."""
    if isinstance(node, Num):
        return node, ""
    if not (isinstance(node, Op) and node.name in ("*", "/")):
        return None
    head, letter = _lettered(node.args[0]), _unit_letter(node.args[1])
    if head is None or not letter:
        return None
    return head[0], f"{head[1]} {'/' if node.name == '/' else '*'} {letter}"


def _unit_letter(node: Node) -> str:
    """``s^2`` as a spelling; empty for what is no power of a unit letter."""
    if isinstance(node, Op) and node.name == "^" and isinstance(node.args[1], Num):
        power = node.args[1].value
        letter = _unit_letter(node.args[0])
        return f"{letter} ^{power}" if letter and power.denominator == 1 else ""
    return node.name if isinstance(node, Sym) and node.name in _UNIT_LETTERS else ""


def _both(same: Same, a: Quantity, b: Quantity) -> bool | None:
    u, v = a.unit, b.unit
    if u.is_blank or v.is_blank or u.nouns == v.nouns:
        return same(a.value, b.value)
    if u.is_known and v.is_known:
        if {u.dimensions, v.dimensions} == {_DEGREE.dimensions, _RADIAN.dimensions}:
            return same(_radians(a), _radians(b))
        if u.dimensions != v.dimensions:
            return False
        if u.factor == v.factor:
            return same(a.value, b.value)
        return same(_scaled(a), _scaled(b))
    return same(a.value, b.value) if _same_nouns(u, v) else False


def _same_nouns(u: Unit, v: Unit) -> bool:
    """Whether one phrase contains the other ("years" in "years old")."""
    return set(u.nouns) <= set(v.nouns) or set(v.nouns) <= set(u.nouns)


def _scaled(q: Quantity) -> Node:
    return Op("*", (q.value, Num(q.unit.factor)))


def _radians(q: Quantity) -> Node:
    if q.unit.dimensions != _DEGREE.dimensions:
        return q.value
    return Op("/", (Op("*", (q.value, Sym("pi"))), Num(Fraction(180))))


def _one_sided(same: Same, one: Quantity, other: Node, is_gold: bool) -> bool | None:
    """A quantity against a bare value: the unit may be left out, 50% may be 50 or 0.5."""
    nouns = {*one.unit.nouns}
    if nouns & _OTHER_NUMBER or ("time" in nouns and nouns & NUMBER_WORDS.keys()):
        return False  # "5 is not it" and "5 plus one" state no 5
    values = [one.value]
    if one.unit.dimensions == _PERCENT.dimensions:
        values.append(Op("/", (one.value, Num(Fraction(100)))))
    if one.unit.dimensions == _DEGREE.dimensions and any(
        isinstance(n, Sym) and n.name == "pi" for n in walk(other)
    ):
        values = [_radians(one)]
    return any3(same(v, other) if is_gold else same(other, v) for v in values)


def lone_unit_letter(node: Node) -> Node | None:
    """``5m`` read as five metres: the number, if the node is a number times a unit letter."""
    if isinstance(node, Op) and node.name in ("*", "/"):
        head, tail = node.args
        if isinstance(tail, Op) and tail.name == "^":
            tail = tail.args[0]
        if isinstance(tail, Sym) and tail.name in _UNIT_LETTERS:
            return head if isinstance(head, Num) else lone_unit_letter(head)
    return None
