"""Antiderivatives: F + C and G + C are one family if F - G does not depend on the variable."""

from __future__ import annotations

from fractions import Fraction

from hdpo_env.verifiers.compare.logic import PASS, Ruling
from hdpo_env.verifiers.compare.values import Leaf
from hdpo_env.verifiers.parse.nodes import ZERO, Node, Num, Op, Sym, letters, substitute

_CONSTANT = Sym("C")
_VARIABLES = frozenset({"x", "t", "u", "y", "z", "theta"})
_POINT = Num(Fraction(7, 11))


def same_antiderivative(leaf: Leaf, gold: Node, answer: Node) -> Ruling:
    """Whether ``F(x) + C`` and ``G(x) + C`` differ by a constant, which the C absorbs.

    PASS unless each side adds a lone C to functions of one common variable.
    """
    f, g = _integral(gold), _integral(answer)
    if f is None or g is None or letters(f) != letters(g) or len(letters(f)) != 1:
        return PASS
    (name,) = letters(f)
    if name not in _VARIABLES:
        return PASS
    difference = Op("+", (f, Op("neg", (g,))))
    offset = substitute(difference, name, _POINT)
    return leaf(ZERO, Op("+", (difference, Op("neg", (offset,)))))


def _integral(node: Node) -> Node | None:
    """What a sum adds to the one C that it holds, else None."""
    if not (isinstance(node, Op) and node.name == "+") or node.args.count(_CONSTANT) != 1:
        return None
    rest = tuple(arg for arg in node.args if arg != _CONSTANT)
    found = rest[0] if len(rest) == 1 else Op("+", rest)
    return None if _CONSTANT.name in letters(found) else found
