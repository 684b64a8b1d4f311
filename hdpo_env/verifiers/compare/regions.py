"""Subsets of the real line: intervals, unions, inequalities, set-builders, excluded points."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from hdpo_env.verifiers.compare.logic import all3
from hdpo_env.verifiers.compare.order import approximate
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.values import Leaf
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, integer, letters, substitute, walk

INFINITY: Node = Sym("oo")
MINUS_INFINITY: Node = Op("neg", (INFINITY,))
_FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_LINEAR = frozenset({"+", "*", "/", "neg", "percent"})
_MOST_POINTS = 200  # integers that a bounded set is listed for
# texts that mean the whole line
EVERYTHING = frozenset(
    {"all real numbers", "all reals", "all real", "real numbers", "any real number"}
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One interval; a point is [a, a]."""

    low: Node
    open_low: bool
    high: Node
    open_high: bool


Region = tuple[Piece, ...]
LINE: Region = (Piece(MINUS_INFINITY, True, INFINITY, True),)


def point(value: Node) -> Piece:
    """The interval [value, value]."""
    return Piece(value, False, value, False)


def region(node: Node) -> tuple[str | None, Region] | None:
    """The set a node describes and its variable's name if it has one; None for other nodes."""
    if isinstance(node, Sym):
        if node.name in ("bbR", "emptyset"):
            return None, LINE if node.name == "bbR" else ()
        return None
    if not isinstance(node, Op):
        return None
    if node.name == "text" and node.data in EVERYTHING:
        return None, LINE
    rule = _RULES.get(node.name)
    return rule(node) if rule else None


def is_surely_region(node: Node) -> bool:
    """Whether a node cannot be a point, a list or a tuple."""
    if isinstance(node, Sym):
        return node.name == "bbR"
    if not isinstance(node, Op):
        return False
    if node.name == "seq":
        if node.data in ("", "or"):
            return any(is_surely_region(a) for a in node.args)
        return node.data in ("(]", "[)") or (
            node.data in ("()", "[]") and any(_is_infinite(a) for a in node.args)
        )
    if node.name == "rel":
        inner = node.data == "in" and is_surely_region(node.args[-1])
        return inner or not {"=", "in", "~", "to", "equiv"} & set(node.data.split(","))
    if node.name == "text":
        return node.data in EVERYTHING
    return node.name in ("cup", "cap", "minus", "builder")


def _is_infinite(node: Node) -> bool:
    return node in (INFINITY, MINUS_INFINITY)


def _sequence(node: Op) -> tuple[str | None, Region] | None:
    if node.data == "{}":
        return None, tuple(point(item) for item in node.args)
    if node.data in ("", "or"):
        return _list(node)
    if len(node.args) != 2:
        return None
    low, high = node.args
    return None, (Piece(low, node.data[0] == "(", high, node.data[1] == ")"),)


def _list(node: Op) -> tuple[str | None, Region] | None:
    """Conditions joined by "or" (union), or by "and" or a comma (both, unless that is empty)."""
    parts: list[tuple[str | None, Region]] = []
    excluded = False
    for item in node.args:
        found = region(item)
        if found is None and excluded:  # x != 1, 2
            found = None, _complement(item)
        if found is None:
            return None
        excluded = isinstance(item, Op) and item.data == "!="
        parts.append(found)
    names = {name for name, _ in parts if name is not None}
    if len(names) > 1:
        return None
    name = names.pop() if names else None
    if node.data != "or":
        both = parts[0][1]
        for _, other in parts[1:]:
            both = _intersection(both, other) if both is not None else None
        if both:
            return name, both
    return name, tuple(piece for _, pieces in parts for piece in pieces)


def _relation(node: Op) -> tuple[str | None, Region] | None:
    names = node.data.split(",")
    if names == ["in"]:
        inner = region(node.args[1])
        lhs = node.args[0]
        return None if inner is None else (lhs.name if isinstance(lhs, Sym) else None, inner[1])
    if names == ["="] and isinstance(node.args[0], Sym) and not letters(node.args[1]):
        return node.args[0].name, (point(node.args[1]),)
    if names == ["!="] and isinstance(node.args[0], Sym):
        return node.args[0].name, _complement(node.args[1])
    if len(names) == 1 and names[0] in _FLIP:
        return _half_line(node.args[0], names[0], node.args[1])
    if len(names) == 2 and isinstance(node.args[1], Sym):
        return _between(node.args, names)
    return None


def _complement(value: Node) -> Region:
    return _outside(point(value))


def _outside(piece: Piece) -> Region:
    below = Piece(MINUS_INFINITY, True, piece.low, not piece.open_low)
    return below, Piece(piece.high, not piece.open_high, INFINITY, True)


def _between(parts: tuple[Node, ...], names: list[str]) -> tuple[str | None, Region] | None:
    low, middle, high = parts
    if names[0] in (">", ">=") and names[1] in (">", ">="):
        low, high, names = high, low, [_FLIP[names[1]], _FLIP[names[0]]]
    if names[0] not in ("<", "<=") or names[1] not in ("<", "<="):
        return None
    assert isinstance(middle, Sym)
    return middle.name, (Piece(low, names[0] == "<", high, names[1] == "<"),)


def _half_line(left: Node, relation: str, right: Node) -> tuple[str | None, Region] | None:
    if not (isinstance(left, Sym) and left.name not in letters(right)):
        if isinstance(right, Sym) and right.name not in letters(left):
            left, right, relation = right, left, _FLIP[relation]
        else:
            return _absolute(left, relation, right) or _linear(left, relation, right)
    assert isinstance(left, Sym)
    if left.name in ("e", "i", "pi", "oo"):
        return None
    if relation in (">", ">="):
        return left.name, (Piece(right, relation == ">", INFINITY, True),)
    return left.name, (Piece(MINUS_INFINITY, True, right, relation == "<"),)


def _absolute(left: Node, relation: str, right: Node) -> tuple[str | None, Region] | None:
    """``|u| < c`` for u linear in one letter is -c < u < c, and ``|u| > c`` is the rest."""
    if isinstance(right, Op) and right.name == "abs":
        left, right, relation = right, left, _FLIP[relation]
    if not (isinstance(left, Op) and left.name == "abs" and relation in _FLIP):
        return None
    if letters(right):
        return None
    below = _half_line(left.args[0], relation, right)
    above = _half_line(left.args[0], _FLIP[relation], Op("neg", (right,)))
    if below is None or above is None:
        return None
    if relation in (">", ">="):
        return below[0], (*above[1], *below[1])
    both = _intersection(below[1], above[1])
    return None if both is None else (below[0], both)


def _linear(left: Node, relation: str, right: Node) -> tuple[str | None, Region] | None:
    """A linear inequality in one letter with rational coefficients, solved."""
    names = letters(left) | letters(right)
    parts = [*walk(left), *walk(right)]
    if len(names) != 1 or any(isinstance(p, Op) and p.name not in _LINEAR for p in parts):
        return None
    (name,) = names
    difference = Op("+", (left, Op("neg", (right,))))
    at = [rational(substitute(difference, name, Num(Fraction(x)))) for x in (0, 1, 2)]
    if any(v is None for v in at):
        return None
    zero, one, two = at
    assert zero is not None
    assert one is not None
    assert two is not None
    slope = one - zero
    if slope == 0 or two - one != slope:
        return None
    return _half_line(Sym(name), relation if slope > 0 else _FLIP[relation], Num(-zero / slope))


def _union(node: Op) -> tuple[str | None, Region] | None:
    parts = [region(arg) for arg in node.args]
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    return None, tuple(piece for _, pieces in found for piece in pieces)


def _cut(node: Op) -> tuple[str | None, Region] | None:
    left, right = region(node.args[0]), region(node.args[1])
    if left is None or right is None:
        return None
    pieces: Region | None = left[1]
    for piece in right[1]:
        pieces = None if pieces is None else _intersection(pieces, _outside(piece))
    return None if pieces is None else (None, pieces)


def _common(node: Op) -> tuple[str | None, Region] | None:
    left, right = region(node.args[0]), region(node.args[1])
    if left is None or right is None:
        return None
    both = _intersection(left[1], right[1])
    return None if both is None else (None, both)


def _builder(node: Op) -> tuple[str | None, Region] | None:
    inner = region(node.args[1])
    element, among = node.args[0], Sym("bbR")
    if isinstance(element, Op) and element.name == "rel" and element.data == "in":
        element, among = element.args[0], element.args[1]
    if inner is None or not isinstance(element, Sym) or inner[0] not in (None, element.name):
        return None
    if among == Sym("bbZ"):
        whole = [_whole(piece) for piece in inner[1]]
        return None if None in whole else (None, tuple(p for ps in whole for p in ps or ()))
    within = region(among)
    both = None if within is None else _intersection(inner[1], within[1])
    return None if both is None else (None, both)


def _whole(piece: Piece) -> Region | None:
    """The integers of a bounded interval with rational ends, if they are not too many."""
    low, high = rational(piece.low), rational(piece.high)
    if low is None or high is None or high - low > _MOST_POINTS:
        return None
    first = floor(low) + 1 if piece.open_low else ceil(low)
    last = ceil(high) - 1 if piece.open_high else floor(high)
    return tuple(point(integer(n)) for n in range(first, last + 1))


_RULES = {
    "seq": _sequence, "rel": _relation, "cup": _union, "minus": _cut, "cap": _common,
    "builder": _builder,
}  # fmt: skip


def _intersection(a: Region, b: Region) -> Region | None:
    """The common part of two regions with comparable ends, else None."""
    out = []
    for p in a:
        for q in b:
            ends = [approximate(x) for x in (p.low, q.low, p.high, q.high)]
            if any(e is None for e in ends):
                return None
            p_low, q_low, p_high, q_high = ends
            low, open_low = (p.low, p.open_low) if p_low > q_low else (q.low, q.open_low)  # type: ignore[operator]
            if p_low == q_low:
                open_low = p.open_low or q.open_low
            high, open_high = (p.high, p.open_high) if p_high < q_high else (q.high, q.open_high)  # type: ignore[operator]
            if p_high == q_high:
                open_high = p.open_high or q.open_high
            size = max(p_low, q_low), min(p_high, q_high)  # type: ignore[type-var]
            if size[0] < size[1] or (size[0] == size[1] and not (open_low or open_high)):
                out.append(Piece(low, open_low, high, open_high))
    return tuple(out)


def _tidy(pieces: Region) -> list[Piece] | None:
    """Sorted, without empty pieces, touching ones joined; None if ends are not comparable."""
    keyed = []
    for piece in pieces:
        low, high = approximate(piece.low), approximate(piece.high)
        if low is None or high is None:
            return None
        if low < high or (low == high and not (piece.open_low or piece.open_high)):
            keyed.append((low, piece.open_low, high, piece))
    keyed.sort(key=lambda k: (k[0], k[1]))
    out: list[tuple[float | Fraction, Piece]] = []
    for low, _, high, piece in keyed:
        if out:
            end, last = out[-1]
            touches = low == end and not (piece.open_low and last.open_high)
            if low < end or touches:
                if high > end:
                    out[-1] = (high, Piece(last.low, last.open_low, piece.high, piece.open_high))
                elif high == end:
                    is_open = last.open_high and piece.open_high
                    out[-1] = (end, Piece(last.low, last.open_low, last.high, is_open))
                continue
        out.append((high, piece))
    return [piece for _, piece in out]


def same_region(gold: Region, answer: Region, leaf: Leaf) -> bool | None:
    """Whether two regions are the same set; ends are compared by ``leaf``."""
    a, b = _tidy(gold), _tidy(answer)
    if a is None or b is None:
        a, b = list(gold), list(answer)
    if len(a) != len(b):
        return False
    flags = all(
        (p.open_low, p.open_high) == (q.open_low, q.open_high) for p, q in zip(a, b, strict=True)
    )
    if not flags:
        return False
    ends = [(p.low, q.low) for p, q in zip(a, b, strict=True)]
    ends += [(p.high, q.high) for p, q in zip(a, b, strict=True)]
    return all3(leaf(x, y) for x, y in ends)
