"""Second readings: C(5, 2) as a number of choices or as the point C, AC_16 as a numeral."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym
from hdpo_env.verifiers.parse.words import NUMBER_WORDS

_LONGEST = 300  # of an answer with a second reading; its tree is then no deeper than the stack
_CALL = re.compile(r"[A-Z]\S{0,8}\s*\(.*,", re.DOTALL)
_BASED = re.compile(
    r"\(?\s*(?:\\(?:text|mathrm|mathbf)\w*\s*\{)?\s*([0-9A-Z]{1,60})\s*\}?\s*\)?\s*"
    r"_\s*\{?\s*(?:\\text\w*\s*\{)?\s*(\d{1,2}|[a-z]+)\s*\}{0,2}"
)
Rule = Callable[[Op], "Node | None"]


def numeral(spelled: str) -> Node | None:
    r"""A numeral in a base whose digits the grammar does not read as one number.

    >>> numeral(r"\text{AC}_{16}").data, numeral("(101)_2").data, numeral("A_1")
    ('AC', '101', None)
    """
    found = _BASED.fullmatch(spelled) if "_" in spelled else None
    if found is None:
        return None
    digits, name = found.groups()
    base = int(name) if name.isdigit() else NUMBER_WORDS.get(name, 0)
    try:
        int(digits, base if 2 <= base <= 36 else 2)
    except ValueError:
        return None
    has_letters = not digits.isdigit()
    is_new = (base > 10 and len(digits) > 1) if has_letters else spelled.startswith("(")
    if not (is_new and 2 <= base <= 36):
        return None
    return Op("base", (Num(Fraction(base)),), digits)


def alternatives(node: Node, spelled: str) -> Iterator[Node]:
    """Readings of a capital letter before a bracket with a comma in it, other than a product."""
    if len(spelled) > _LONGEST or not _CALL.search(spelled):
        return
    for rule in (_choices, _point):
        other = _replaced(node, rule)
        if other != node:
            yield other


def _replaced(node: Node, rule: Rule) -> Node:
    if not isinstance(node, Op):
        return node
    found = rule(node) if node.name == "*" else None
    if found is not None:
        return found
    return Op(node.name, tuple(_replaced(arg, rule) for arg in node.args), node.data)


def _named_tuple(node: Op) -> tuple[Node | None, str, Op] | None:
    """(factor before, letter, tuple) of ``2 C(5, 2)``."""
    left, right = node.args
    factor = None
    if isinstance(left, Op) and left.name == "*":
        factor, left = left.args
    is_tuple = isinstance(right, Op) and right.name == "seq" and right.data == "()"
    if not (is_tuple and isinstance(left, Sym) and left.name[:1].isupper()):
        return None
    assert isinstance(right, Op)
    return factor, left.name, right


def _choices(node: Op) -> Node | None:
    """C(n, k) as combinations, P(n, k) as permutations."""
    found = _named_tuple(node)
    if found is None or found[1] not in ("C", "P") or len(found[2].args) != 2:
        return None
    factor, kind, pair = found
    n, k = pair.args
    value = Op("binom", (n, k))
    if kind == "P":
        rest = Op("fact", (Op("+", (n, Op("neg", (k,)))),))
        value = Op("/", (Op("fact", (n,)), rest))
    return value if factor is None else Op("*", (_replaced(factor, _choices), value))


def _point(node: Op) -> Node | None:
    """A point with its name, such as P(2, -1)."""
    found = _named_tuple(node)
    if found is None or found[0] is not None or len(found[1].split("_")[0].rstrip("'")) > 1:
        return None
    return found[2]
