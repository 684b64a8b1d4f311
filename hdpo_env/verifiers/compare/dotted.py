r"""Sums and lists with dots: 1 + x + \ldots + x^n in either direction, with more or fewer terms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hdpo_env.verifiers.compare.logic import PASS, Ruling
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym

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
