"""Ordered and unordered collections of answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from hdpo_env.verifiers.compare.logic import all3
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, letters, walk

Same = Callable[[Node, Node], "bool | None"]
_REMARK = re.compile(r"\b(?:constants?|arbitrary|any real|some real)\b")
_MAX_PAIRED = 60  # members compared pairwise
_MAX_SIGNS = 4


@dataclass(frozen=True, slots=True)
class Listing:
    """Members of a collection, whether their order counts, and whether it is a set in braces."""

    items: tuple[Node, ...]
    ordered: bool
    braces: bool = False


def listing(node: Node) -> Listing | None:
    """The members of a list, set, tuple or assignment of a tuple; None for anything else.

    A bare list of assignments to different letters becomes the list of its values in the order
    of the letters, so that ``x=1, y=2`` matches ``y=2, x=1`` and ``(1, 2)``.
    """
    if not isinstance(node, Op) or node.name != "seq" or node.data == "cases":
        return None
    items = _members(node)
    if node.data == "{}":
        return Listing(items, False, braces=True)
    if node.data in ("", "or"):
        return Listing(items, False)
    return Listing(items, True)


def _members(node: Op) -> tuple[Node, ...]:
    items = stated(node.args)
    return _grouped(items) if node.data in ("", "or") else items


def _grouped(items: tuple[Node, ...]) -> tuple[Node, ...]:
    """``p=2, q=3 or p=3, q=2`` as two lists of assignments."""
    names = [_name(item) for item in items]
    size = len(set(names))
    if (
        None in names
        or size < 2
        or size == len(names)
        or names[:size] * (len(names) // size) != names
    ):
        return items
    return tuple(Op("seq", items[i : i + size], "") for i in range(0, len(items), size))


def stated(items: tuple[Node, ...]) -> tuple[Node, ...]:
    """The items that state something, without those that only say what a letter is."""
    found = tuple(
        item
        for i, item in enumerate(items)
        if not (is_integer_clause(item) or _is_remark(item, items[:i] + items[i + 1 :]))
    )
    return found or items


def _is_remark(item: Node, others: tuple[Node, ...]) -> bool:
    """``c in R``, "c is a constant" or "some constant c" beside something that holds the c."""
    if not isinstance(item, Op) or len(item.args) != 2:
        return False
    first, last = item.args
    if isinstance(first, Op) and first.name == "text" and item.name == "*":
        first, last = last, first
    elif item.name != "rel" or item.data not in ("in", "="):
        return False
    if not isinstance(first, Sym) or not any(first.name in letters(other) for other in others):
        return False
    if item.data == "in":
        return last == Sym("bbR")
    return isinstance(last, Op) and last.name == "text" and _REMARK.search(last.data) is not None


def carried_out(node: Node) -> Node:
    """The tuple that minus a tuple or a multiple of one is, else the node itself."""
    if not isinstance(node, Op) or node.name not in ("neg", "*", "/"):
        return node
    last = carried_out(node.args[0 if node.name == "/" else -1])
    if not (isinstance(last, Op) and last.name == "seq" and last.data == "()"):
        return node
    if node.name == "neg":
        return Op("seq", tuple(Op("neg", (item,)) for item in last.args), "()")
    if node.name == "/":
        return Op("seq", tuple(Op("/", (item, node.args[1])) for item in last.args), "()")
    if rational(node.args[0]) is None:
        return node
    return Op("seq", tuple(Op("*", (node.args[0], item)) for item in last.args), "()")


def has_signs(node: Node) -> bool:
    """Whether plus-minus occurs in a node."""
    return any(isinstance(n, Op) and n.name == "pm" for n in walk(node))


def spread(node: Node, coupled: bool) -> Listing:
    """A node with plus-minus as the unordered list of its values; a list member by member."""
    found = listing(node)
    if found is None or found.ordered:
        return Listing(tuple(expand_signs(node, coupled)), False)
    items = tuple(v for item in found.items for v in expand_signs(item, coupled))
    return Listing(items, False, found.braces)


def is_integer_clause(item: Node) -> bool:
    """``k in Z`` or ``n = integer``: says what a letter is, not what the answer is."""
    if not (isinstance(item, Op) and item.name == "rel" and isinstance(item.args[0], Sym)):
        return False
    right = item.args[-1]
    if item.data == "in":
        return isinstance(right, Sym) and right.name.startswith("bb") and right.name != "bbR"
    return isinstance(right, Op) and right.name == "text" and "integer" in right.data


def expand_signs(node: Node, coupled: bool = True) -> list[Node]:
    """The values of a node with plus-minus: all upper, all lower; or every choice of signs."""
    count = sum(1 for n in walk(node) if isinstance(n, Op) and n.name == "pm")
    if not count:
        return [node]
    if coupled or count > _MAX_SIGNS:
        return [_resolve(node, iter(()), choice) for choice in (True, False)]
    return [_resolve(node, iter(choice), True) for choice in product((True, False), repeat=count)]


def _resolve(node: Node, choices: Iterator[bool], default: bool) -> Node:
    if not isinstance(node, Op):
        return node
    if node.name != "pm":
        return Op(node.name, tuple(_resolve(a, choices, default) for a in node.args), node.data)
    upper = next(choices, default)
    args = [_resolve(a, choices, default) for a in node.args]
    is_plus = upper == (node.data == "+-")
    last = args[-1] if is_plus else Op("neg", (args[-1],))
    return last if len(args) == 1 else Op("+", (args[0], last))


def same_listing(gold: Listing, answer: Listing, same: Same) -> bool | None:
    """Whether two collections are equal: in order if a tuple is involved, else in any order."""
    a, b = gold.items, answer.items
    if _named(a) and _named(b):
        a, b = _by_name(a), _by_name(b)
        return all3(same(x, y) for x, y in zip(a, b, strict=True)) if len(a) == len(b) else False
    if _are_roots(a, b) or _are_roots(b, a):
        return same_bag(_right_sides(a), _right_sides(b), same)
    ordered = gold.ordered or answer.ordered
    if gold.braces and answer.braces:
        a, b = _distinct(a), _distinct(b)
    if len(a) != len(b):
        if ordered:
            return False
        a, b = (_distinct(a), _distinct(b)) if gold.braces or answer.braces else (a, b)
        if len(a) != len(b):
            return False
    if ordered:
        return all3(same(x, y) for x, y in zip(_values(a), _values(b), strict=True))
    return same_bag(a, b, same)


def _values(items: tuple[Node, ...]) -> tuple[Node, ...]:
    """The right sides of a list of assignments to different letters, else the items.

    Letters that follow one another, such as x, y, z or a_1, a_2, are taken in that order.
    """
    if not _named(items):
        return items
    is_run = _is_run(sorted(_name(item) or "" for item in items))
    return _right_sides(_by_name(items) if is_run else items)


def _is_run(names: list[str]) -> bool:
    """Whether sorted names differ in their last mark alone, and that by one each time."""
    if len({name[:-1] for name in names}) > 1 or not all(name[-1:].isalnum() for name in names):
        return False
    marks = [ord(name[-1]) for name in names]
    stems = names[0][:-1]
    return marks == [*range(marks[0], marks[0] + len(marks))] and stems[-1:] in ("", "_")


def _right_sides(items: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(item.args[1] for item in items if isinstance(item, Op))


def _are_roots(numbered: tuple[Node, ...], plain: tuple[Node, ...]) -> bool:
    """Whether one side numbers the values of one letter, ``x_1 = 1``, and the other does not."""
    names, letter = {_name(item) for item in numbered}, {_name(item) for item in plain}
    if not len(numbered) == len(plain) == len(names) > 1 or len(letter) != 1:
        return False
    return all(name and name.partition("_")[0] in letter and "_" in name for name in names)


def _named(items: tuple[Node, ...]) -> bool:
    """Whether every item assigns a value to a letter of its own."""
    names = [_name(item) for item in items]
    return len(items) > 1 and None not in names and len(set(names)) == len(names)


def _name(item: Node) -> str | None:
    if not isinstance(item, Op) or (item.name, item.data, len(item.args)) != ("rel", "=", 2):
        return None
    left = item.args[0]
    if isinstance(left, Sym):
        return left.name
    return left.data if isinstance(left, Op) and left.name in ("text", "call") else None


def _by_name(items: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(sorted(items, key=lambda item: _name(item) or ""))


def _distinct(items: tuple[Node, ...]) -> tuple[Node, ...]:
    seen: list[object] = []
    out = []
    for item in items:
        value = rational(item)
        key = item if value is None else value
        if key not in seen:
            seen.append(key)
            out.append(item)
    return tuple(out)


def same_bag(a: tuple[Node, ...], b: tuple[Node, ...], same: Same) -> bool | None:
    """A one-to-one pairing of equal members; sound because equality is transitive."""
    exact_a, exact_b = [rational(x) for x in a], [rational(x) for x in b]
    decimal = any(isinstance(n, Num) and n.places for x in (*a, *b) for n in walk(x))
    if None not in exact_a and None not in exact_b and not decimal:
        return sorted(exact_a) == sorted(exact_b)  # type: ignore[type-var]
    if len(a) > _MAX_PAIRED:
        return all3(same(x, y) for x, y in zip(a, b, strict=True)) or None
    rest = list(b)
    unknown = False
    for item in a:
        verdicts = [same(item, other) for other in rest]
        if True in verdicts:
            rest.pop(verdicts.index(True))
        elif None in verdicts:
            unknown = True
        else:
            return False
    return None if unknown else True
