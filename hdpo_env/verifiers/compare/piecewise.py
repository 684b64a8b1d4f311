r"""Functions by cases on rational intervals: ``x`` if x >= 0, else ``-x``, is the modulus of x.

The ends of all conditions, and the zeros inside moduli, cut the line into points and intervals; two
functions are one if on each of these both give one expression, or neither gives any.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hdpo_env.verifiers.compare.logic import PASS, Ruling
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.regions import INFINITY, LINE, MINUS_INFINITY, Piece, Region, region
from hdpo_env.verifiers.compare.values import Leaf
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, letters, substitute, walk

_Cases = list[tuple[Region | None, Node]]  # None: wherever the others say nothing
_ORDER = frozenset({"<", "<=", ">", ">=", "=", "!="})
_REST = frozenset({"otherwise", "else"})
_MOST_CUTS = 20


def same_piecewise(leaf: Leaf, gold: Node, answer: Node) -> Ruling:
    """True if two functions, at least one of them by cases, are shown to be one; else PASS."""
    if not (_is_by_cases(gold) or _is_by_cases(answer)):
        return PASS
    found = [_cases(node) for node in (gold, answer)]
    names = {name for side in found if side for name in side[0]}
    if None in found or len(names) != 1:
        return PASS
    (name,) = names
    a, b = (side[1] for side in found if side)
    cuts = _cuts([*a, *b], name)
    if cuts is None:
        return PASS
    return True if all(_same_at(leaf, a, b, name, cell) for cell in _cells(cuts)) else PASS


def _is_by_cases(node: Node) -> bool:
    """Rows of an expression and its condition, in an environment or one after the other."""
    if not isinstance(node, Op) or node.name != "seq":
        return False
    if node.data == "cases":
        return all(isinstance(row, Op) and len(row.args) == 2 for row in node.args)
    is_row = node.data == "" and len(node.args) >= 4 and len(node.args) % 2 == 0
    return (
        is_row
        and all(map(_is_condition, node.args[1::2]))
        and not any(isinstance(value, Op) and value.name == "rel" for value in node.args[::2])
    )


def _is_condition(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "rel" and _ORDER.issuperset(node.data.split(","))


def _cases(node: Node) -> tuple[set[str], _Cases] | None:
    """The letter of the conditions, and the cases."""
    if not _is_by_cases(node):
        return (set(), [(LINE, node)]) if not isinstance(node, Op) or node.name != "seq" else None
    assert isinstance(node, Op)
    rows = (
        [row.args for row in node.args if isinstance(row, Op)]
        if node.data == "cases"
        else [(node.args[i], node.args[i + 1]) for i in range(0, len(node.args), 2)]
    )
    names: set[str] = set()
    out: _Cases = []
    for at, (value, condition) in enumerate(rows):
        is_text = isinstance(condition, Op) and condition.name == "text"
        if is_text and isinstance(condition, Op) and condition.data in _REST:
            if at + 1 < len(rows):
                return None
            out.append((None, value))
            continue
        where = region(condition) if _is_condition(condition) else None
        if where is None or where[0] is None:
            return None
        names.add(where[0])
        out.append((where[1], value))
    return names, out


def _cuts(cases: _Cases, name: str) -> list[Fraction] | None:
    """All rational ends and zeros of moduli, in order; None if one of them is no rational."""
    ends = [e for where, _ in cases for piece in where or () for e in (piece.low, piece.high)]
    finite = [rational(end) for end in ends if end not in (INFINITY, MINUS_INFINITY)]
    moduli = [n.args[0] for _, f in cases for n in walk(f) if isinstance(n, Op) and n.name == "abs"]
    zeros = [_zero(inner, name) for inner in moduli]
    exact = [value for value in (*finite, *zeros) if value is not None]
    if len(exact) < len(finite) + len(zeros) or len({*exact}) > _MOST_CUTS:
        return None
    return sorted({*exact})


def _zero(node: Node, name: str) -> Fraction | None:
    """The zero of a linear function with rational coefficients."""
    if letters(node) != {name}:
        return None
    at = [rational(substitute(node, name, Num(Fraction(x)))) for x in (0, 1, 2, 5)]
    values = [value for value in at if value is not None]
    if len(values) < 4 or values[0] == values[1]:
        return None
    slope = values[1] - values[0]
    is_linear = values[2] == values[0] + 2 * slope and values[3] == values[0] + 5 * slope
    plain = all(not isinstance(n, Op) or n.name in ("+", "*", "/", "neg") for n in walk(node))
    return -values[0] / slope if is_linear and plain else None


def _cells(cuts: list[Fraction]) -> list[tuple[Fraction, bool]]:
    """A point of every interval between cuts, and every cut; the flag says which it is."""
    if not cuts:
        return [(Fraction(0), False)]
    middles = [(a + b) / 2 for a, b in pairwise(cuts)]
    between = [(x, False) for x in (cuts[0] - 1, *middles, cuts[-1] + 1)]
    return [*between, *((x, True) for x in cuts)]


def _same_at(leaf: Leaf, a: _Cases, b: _Cases, name: str, cell: tuple[Fraction, bool]) -> bool:
    x, is_point = cell
    f, g = (_given(cases, x) for cases in (a, b))
    if len(f) != len(g) or len(f) > 1:
        return False  # two cases at one point may disagree
    if not f:
        return True
    one, other = (_without_moduli(node, name, x) for node in (*f, *g))
    if is_point:
        one, other = (substitute(node, name, Num(x)) for node in (one, other))
    return leaf(one, other) is True


def _given(cases: _Cases, x: Fraction) -> list[Node]:
    """What the cases say at a number."""
    told = [value for where, value in cases if where is not None and _holds(where, x)]
    return told or [value for where, value in cases if where is None]


def _holds(where: Region, x: Fraction) -> bool:
    return any(_is_above(piece, x) and _is_below(piece, x) for piece in where)


def _is_above(piece: Piece, x: Fraction) -> bool:
    low = rational(piece.low)
    return (
        piece.low == MINUS_INFINITY if low is None else low < x or (low == x and not piece.open_low)
    )


def _is_below(piece: Piece, x: Fraction) -> bool:
    high = rational(piece.high)
    return (
        piece.high == INFINITY if high is None else x < high or (high == x and not piece.open_high)
    )


def _without_moduli(node: Node, name: str, x: Fraction) -> Node:
    """The expression with every modulus resolved as its sign at a number tells."""
    if not isinstance(node, Op):
        return node
    args = tuple(_without_moduli(arg, name, x) for arg in node.args)
    if node.name != "abs":
        return Op(node.name, args, node.data)
    value = rational(substitute(node.args[0], name, Num(x)))
    return args[0] if value is not None and value >= 0 else Op("neg", args)
