r"""Vectors by their unit vectors: ``2\mathbf{i} - \mathbf{j}`` is the tuple (2, -1)."""

from __future__ import annotations

from hdpo_env.verifiers.compare.modular import identical
from hdpo_env.verifiers.parse.nodes import ONE, ZERO, Node, Op, Sym, letters, substitute

_UNITS = ("vec:i", "vec:j", "vec:k")


def in_tuple(node: Node, other: Node) -> Node:
    """A combination of unit vectors as a tuple as long as another; every other node as it is."""
    is_tuple = isinstance(other, Op) and other.name == "seq" and other.data == "()"
    if not (isinstance(node, Op) and is_tuple and isinstance(other, Op)):
        return node
    units, size = letters(node).intersection(_UNITS), len(other.args)
    if not units or not units.issubset(_UNITS[:size]) or not 2 <= size <= 3:
        return node
    parts = tuple(_along(node, unit) for unit in _UNITS[:size])
    terms = tuple(Op("*", (part, Sym(unit))) for part, unit in zip(parts, _UNITS, strict=False))
    return Op("seq", parts, "()") if identical(node, Op("+", terms)) is True else node


def _along(node: Node, unit: str) -> Node:
    """The component along one unit vector."""
    for name in _UNITS:
        node = substitute(node, name, ONE if name == unit else ZERO)
    return node
