"""Letters that only name a parameter: k pi and n pi, cx and ax, (t, 2t) and (s, 2s)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from hdpo_env.verifiers.compare.equations import assigned, tidy
from hdpo_env.verifiers.compare.lists import is_integer_clause, stated
from hdpo_env.verifiers.parse.nodes import Node, Op, Sym, letters, substitute, walk

_INTEGERS = frozenset(["k", "n", "m", "l", "j", "t", "p", "q", "r", "s"])
_RUNNING = frozenset(["t", "s", "k", "n", "m", "u", "v", "lambda", "mu", "tau"])
_CONSTANTS = frozenset(["C", "c", "K", "const"])
_ALSO_CONSTANTS = frozenset(["A", "B", "D"])  # beside one that is surely a constant
_NUMBERED = re.compile(r"[Cck]_\d")
_MAX_RENAMED = 3
_POSITIVE = "bbZ+"
_NATURAL = frozenset({"bbN", "bbN+", "bbN0", "bbN0+", "bbZ+", "bbZ0+"})  # with or without zero


def renamings(gold: Node, answer: Node) -> Iterator[Node]:
    """The answer with its own letters called as in the gold, in every way that may be meant.

    A parameter is a constant of integration, a letter declared to be an integer or that multiplies
    a period, the running letter of a tuple, or a free letter of a function that both sides define.
    Only letters that one side alone has are renamed, for those in common come from the question;
    numbered constants may also change places.
    """
    if not letters(gold):
        return
    ours, theirs = _own(gold), _own(answer)
    if ours == theirs:
        yield from _exchanged(answer, ours)
        return
    ours, theirs = ours - theirs, theirs - ours
    if len(ours) != len(theirs) or len(ours) > _MAX_RENAMED:
        return
    if _are_parameters(gold, answer, ours, theirs):
        for order in permutations(sorted(ours)):
            yield _renamed(answer, dict(zip(sorted(theirs), order, strict=True)))


def _own(node: Node) -> frozenset[str]:
    """The letters of what a node states, without the names that it gives to it."""
    node = tidy(node)
    if isinstance(node, Op) and node.name == "seq" and node.data in ("", "or"):
        return frozenset[str]().union(*(_own(item) for item in stated(node.args)))
    named = assigned(node)
    if named is None:
        return letters(node)
    name, value = named
    return letters(value) - (letters(name) if isinstance(name, Op) else frozenset())


def _are_parameters(gold: Node, answer: Node, ours: frozenset[str], theirs: frozenset[str]) -> bool:
    if Sym in (type(_value(gold)), type(_value(answer))):
        return _defines(gold) and _defines(answer)  # a lone C may be a choice
    if any(all(map(_is_constant, side)) for side in (ours, theirs)) and all(
        _is_constant(name) or name in _ALSO_CONSTANTS for name in ours | theirs
    ):
        return True
    if _defines(gold) and _defines(answer):
        return True
    if len(ours) > 1:
        return False
    (new,), (old,) = ours, theirs
    if _is_tuple(gold) and _is_tuple(answer) and {old, new} <= _RUNNING:
        return True
    if _is_tuple(gold) and any(_is_real(n) for side in (gold, answer) for n in walk(side)):
        return True
    declared = any(is_integer_clause(n) for side in (gold, answer) for n in walk(side))
    periodic = _multiplies_period(gold, new) and _multiplies_period(answer, old)
    bounded = _is_bounded(gold, new) and _is_bounded(answer, old)
    return {old, new} <= _INTEGERS and (declared or periodic or bounded)


def _is_bounded(node: Node, name: str) -> bool:
    """Whether one of several statements is a bound on a letter: ``n = 2^k, k >= 0``."""
    if not (isinstance(node, Op) and node.name == "seq"):
        return False
    bounds = [i for i in node.args if isinstance(i, Op) and i.name == "rel" and i.data != "="]
    return any(letters(bound) == {name} for bound in bounds) and len(bounds) < len(node.args)


def _value(node: Node) -> Node:
    """What a node states, without its name."""
    node = tidy(node)
    named = assigned(node)
    return node if named is None else named[1]


def _is_constant(name: str) -> bool:
    return name in _CONSTANTS or _NUMBERED.fullmatch(name) is not None


def _defines(node: Node) -> bool:
    """Whether a node gives a function of a variable, or a list of nothing but such functions."""
    node = tidy(node)
    if isinstance(node, Op) and node.name == "seq" and node.data in ("", "or"):
        return all(_defines(item) for item in stated(node.args))
    named = assigned(node)
    return named is not None and isinstance(named[0], Op) and named[0].name == "call"


def _is_tuple(node: Node) -> bool:
    """Whether a node is a tuple, a list of tuples, or a point plus a multiple of a direction."""
    node = _value(node)
    if not isinstance(node, Op):
        return False
    if node.name == "seq" and node.data in ("", "or"):
        items = stated(node.args)
        return all(map(_is_tuple, items)) or _is_curve(items)
    if node.name == "+" and any(isinstance(arg, Op) and _is_tuple(arg) for arg in node.args):
        return True  # a line, p + t d
    return node.name == "matrix" or (node.name == "seq" and node.data == "()")


def _is_curve(items: tuple[Node, ...]) -> bool:
    """``x = 1 + 2t, y = 3 - t``: letters given by one other letter each."""
    named = [assigned(item) for item in items]
    names = {pair[0] for pair in named if pair is not None and isinstance(pair[0], Sym)}
    return len(items) == len(names) > 1


def _is_real(node: Node) -> bool:
    """``t in R``, which makes t a parameter of a tuple."""
    return isinstance(node, Op) and node.data == "in" and node.args[-1] == Sym("bbR")


def declared_apart(gold: Node, answer: Node) -> bool:
    """Whether two lists declare their letters in sets that differ, as in t in R and t in Z."""
    ours, theirs = _declared(gold), _declared(answer)
    return bool(ours and theirs) and not ours & theirs


def _declared(node: Node) -> set[str]:
    """The kinds of sets that the items of a list declare; empty if an item bounds its letter."""
    if not (isinstance(node, Op) and node.name == "seq" and node.data in ("", "or")):
        return set()
    said = [n for n in node.args if isinstance(n, Op) and n.name == "rel" and n.data != "="]
    names = [n.args[-1].name for n in said if isinstance(n.args[-1], Sym) and n.data == "in"]
    if len(names) < len(said) or not all(name.startswith("bb") for name in names):
        return set()
    return {_POSITIVE if name in _NATURAL else name for name in names}


def _multiplies_period(node: Node, name: str) -> bool:
    """Whether a letter multiplies pi or degrees."""
    return any(
        isinstance(n, Op) and n.name in ("*", "/", "deg") and name in letters(n) and _is_angle(n)
        for n in walk(node)
    )


def _is_angle(node: Node) -> bool:
    return any(n == Sym("pi") or (isinstance(n, Op) and n.name == "deg") for n in walk(node))


def _exchanged(answer: Node, names: frozenset[str]) -> Iterator[Node]:
    numbered = sorted(name for name in names if _NUMBERED.fullmatch(name))
    if 1 < len(numbered) <= _MAX_RENAMED:
        for order in list(permutations(numbered))[1:]:
            yield _renamed(answer, dict(zip(numbered, order, strict=True)))


def _renamed(node: Node, names: dict[str, str]) -> Node:
    """All letters renamed at once, so that two may change places."""
    for old in names:
        node = substitute(node, old, Sym(f"{old}*"))
    for old, new in names.items():
        node = substitute(node, f"{old}*", Sym(new))
    return node
