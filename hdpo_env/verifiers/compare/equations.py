"""Relations: chains, assignments, labels, equations and inequalities."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from hdpo_env.verifiers.compare.lists import is_integer_clause, stated
from hdpo_env.verifiers.compare.logic import PASS, Ruling, all3, any3
from hdpo_env.verifiers.compare.modular import identical, same_zeros
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.values import is_undefined
from hdpo_env.verifiers.parse.nodes import ZERO, Node, Num, Op, Sym, letters, substitute, walk

Same = Callable[[Node, Node], "bool | None"]
_NAMED_BY_LETTER = frozenset({"abs", "norm", "sin", "cos", "tan", "det"})
_SEGMENT = re.compile("[A-Z]{2}")
_FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "to": "to"}


def tidy(node: Node) -> Node:
    """A chain of equalities as one assignment or one value; ``(x, y) = (1, 2)`` as a list.

    ``x = 2+3 = 5`` becomes ``x = 5``; ``x = 1/3 ~ 0.33`` becomes ``x = 1/3``, for what follows an
    approximation sign is a comment on the exact value.
    """
    if isinstance(node, Op) and node.name == "seq" and node.data in ("", "or"):
        items = stated(node.args)
        if len(items) == 1:
            return tidy(items[0])
        return node if len(items) == len(node.args) else Op("seq", items, node.data)
    if isinstance(node, Op) and node.name == "builder":
        return _image(node)
    if not (isinstance(node, Op) and node.name == "rel"):
        return node
    names, parts = node.data.split(","), list(node.args)
    if "~" in names:
        cut = names.index("~")
        if cut > 0 or not is_name(parts[0]):
            names, parts = names[:cut], parts[: cut + 1]
        else:
            names[0] = "="
    if not names:
        return parts[0]
    if set(names) == {"="} and len(parts) > 2 and all(isinstance(part, Sym) for part in parts):
        return Op("rel", tuple(sorted(parts, key=str)), node.data)  # a = b = c
    if set(names) == {"="} and len(parts) > 2:
        parts = [parts[0], parts[-1]] if is_name(parts[0]) else [parts[-1]]
        names = ["="]
    if len(parts) == 1:
        return parts[0]
    if names == ["="]:
        return _equation(parts[0], parts[1])
    if names == ["in"] and _is_set(parts[1]):
        return parts[1]
    if set(names) <= {">", ">="}:
        names, parts = [_FLIP[n] for n in reversed(names)], parts[::-1]
    return Op("rel", tuple(parts), ",".join(names))


def _image(node: Op) -> Node:
    """The expression in ``{2k pi : k in Z}`` and in ``{x : x = 2k pi, k in Z}``."""
    element, condition = node.args
    is_list = isinstance(condition, Op) and condition.name == "seq" and condition.data == ""
    parts = condition.args if is_list and isinstance(condition, Op) else (condition,)
    told = [part for part in parts if not is_integer_clause(part)]
    if len(told) == len(parts):
        return node
    if not told:
        return node if isinstance(element, Sym) else tidy(element)
    named = assigned(told[0]) if len(told) == 1 else None
    return named[1] if named is not None and named[0] == element else node


def _is_set(node: Node) -> bool:
    """Points in braces, an interval, or a set of numbers by its sign, such as Z."""
    if isinstance(node, Sym):
        return node.name.startswith("bb")
    return (
        isinstance(node, Op) and node.name == "seq" and (node.data == "{}" or len(node.args) == 2)
    )


def spelled_out(node: Node) -> Node:
    """``x = y = 0`` as the list x = 0, y = 0; every other node as it is."""
    if not (isinstance(node, Op) and node.name == "rel" and set(node.data.split(",")) == {"="}):
        return node
    *names, value = node.args
    distinct = {name.name for name in names if isinstance(name, Sym)}
    if len(names) < 2 or len(distinct) < len(names):
        return node
    return Op("seq", tuple(Op("rel", (name, value), "=") for name in names), "")


def _equation(left: Node, right: Node) -> Node:
    if not is_name(left) and is_name(right) and not _has_text(right):
        left, right = right, left
    if not letters(left) and not letters(right) and not _has_text(left) and not is_name(left):
        a, b = rational(left), rational(right)
        if a is None or b is None or a == b:
            return right  # 2 + 3 = 5: the value is what it ends in
    both = [n for n in (left, right) if isinstance(n, Op) and n.name == "seq" and n.data == "()"]
    if len(both) == 2 and len(both[0].args) == len(both[1].args) and _all_letters(both[0]):
        return right  # (x, y) = (1, 2)
    return Op("rel", (left, right), "=")


def _all_letters(node: Op) -> bool:
    return all(isinstance(x, Sym) for x in node.args)


def _has_text(node: Node) -> bool:
    return any(isinstance(n, Op) and n.name == "text" for n in walk(node))


def is_name(node: Node) -> bool:
    """A letter, a label in words, or an applied function such as f(x)."""
    if isinstance(node, Sym):
        return node.name not in ("e", "i", "pi", "oo")
    if not isinstance(node, Op):
        return False
    if node.name in _NAMED_BY_LETTER:  # |z| and sin A are what a question asks for
        return isinstance(node.args[0], Sym)
    return node.name in ("text", "call")


def assigned(node: Node) -> tuple[Node, Node] | None:
    """(name, value) of an assignment; the value must not mention the name."""
    if not (isinstance(node, Op) and node.name == "rel" and node.data == "="):
        return None
    left, right = node.args
    if not is_name(left):
        return None
    if isinstance(left, Sym) and left.name in letters(right):
        return None
    return left, right


def same_relation(same: Same, leaf: Same, gold: Node, answer: Node) -> Ruling:
    """Compare where at least one side is a relation; PASS if none is."""
    is_rel = [isinstance(n, Op) and n.name == "rel" for n in (gold, answer)]
    if not any(is_rel):
        return PASS
    if _is_collection(gold) or _is_collection(answer):
        return _against_list(same, gold, answer)
    a, b = assigned(gold), assigned(answer)
    if a is not None and b is not None:
        return _two_assignments(same, leaf, a, b)
    if all(is_rel):
        assert isinstance(gold, Op)
        assert isinstance(answer, Op)
        return _two_relations(same, leaf, gold, answer)
    if a is not None:
        return any3((same(a[1], answer), _against_ordinate(gold, answer)))
    if b is not None:
        return same(gold, b[1])
    return _against_ordinate(gold, answer)


def _against_ordinate(gold: Node, answer: Node) -> bool:
    """Whether a bare expression is the y of an equation in x and y."""
    if not (isinstance(gold, Op) and gold.name == "rel" and gold.data == "="):
        return False
    f = _difference(gold)
    if letters(f) != letters(answer) | {"y"} or "y" in letters(answer):
        return False
    return same_zeros(f, Op("+", (Sym("y"), Op("neg", (answer,))))) is True


def _is_collection(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "seq"


def _against_list(same: Same, gold: Node, answer: Node) -> Ruling:
    """``S = {1, 2}`` against ``{1, 2}``; a list of relations is left to the list rules."""
    a, b = assigned(gold), assigned(answer)
    if a is not None:
        return same(a[1], answer)
    if b is not None:
        return same(gold, b[1])
    return PASS


def _two_assignments(
    same: Same, leaf: Same, a: tuple[Node, Node], b: tuple[Node, Node]
) -> bool | None:
    (name_a, value_a), (name_b, value_b) = a, b
    wordy = any(isinstance(n, Op) and n.name == "text" for n in (name_a, name_b))
    if _at_a_number(name_a) != _at_a_number(name_b) and not wordy:
        return False  # f(0) = 0 is not f(x) = 0
    for one, other in ((name_a, name_b), (name_b, name_a)):
        if isinstance(one, Sym) and isinstance(other, Op) and one in other.args:
            if other.name == "abs" and _segment(one):
                continue  # |AB| is the length AB
            return False  # x = 0 is not f(x) = 0
    segments = [_segment(name) for name in (name_a, name_b)]
    if None not in segments and segments[0] != segments[1]:
        return False  # |AB| is not AC
    if name_a == name_b or wordy or isinstance(name_a, Op) != isinstance(name_b, Op):
        return same(value_a, value_b)
    if isinstance(name_a, Op) and isinstance(name_b, Op):
        return _two_functions(same, name_a, value_a, name_b, value_b)
    if isinstance(name_a, Sym) and isinstance(name_b, Sym) and (index := _index(name_a, name_b)):
        n, k = index
        return n not in letters(value_b) and same(value_a, substitute(value_b, k, Sym(n)))
    if letters(value_a) or letters(value_b):  # y = 2x and x = y/2 are one line
        return _same_equations(leaf, Op("rel", a, "="), Op("rel", b, "="))
    return False


def _segment(name: Node) -> frozenset[str] | None:
    """The two ends of a segment or a length, AB or |AB|."""
    if isinstance(name, Op) and name.name == "abs":
        name = name.args[0]
    is_one = isinstance(name, Sym) and _SEGMENT.fullmatch(name.name)
    return frozenset(name.name) if is_one and isinstance(name, Sym) else None


def _at_a_number(name: Node) -> bool:
    """Whether a name is a function's value at a number."""
    return isinstance(name, Op) and name.name == "call" and not letters(name)


def _index(a: Sym, b: Sym) -> tuple[str, str] | None:
    """The two index letters of one sequence, a_n and a_k."""
    (stem_a, _, n), (stem_b, _, k) = a.name.partition("_"), b.name.partition("_")
    is_one = stem_a == stem_b and len(n) == len(k) == 1 and (n + k).isalpha()
    return (n, k) if is_one else None


def _two_functions(same: Same, f: Op, body_f: Node, g: Op, body_g: Node) -> bool | None:
    """f(x) = x^2 and f(z) = z^2 are one function."""
    if f.data.lower() != g.data.lower() or f.name != g.name or len(f.args) != len(g.args):
        return False
    for x, z in zip(f.args, g.args, strict=True):
        if isinstance(x, Sym) and isinstance(z, Sym) and x.name not in letters(body_g):
            body_g = substitute(body_g, z.name, x)
        elif x != z:
            return False
    return same(body_f, body_g)


def _two_relations(same: Same, leaf: Same, gold: Op, answer: Op) -> bool | None:
    if gold.data == answer.data and len(gold.args) == len(answer.args):
        parts = all3(same(x, y) for x, y in zip(gold.args, answer.args, strict=True))
        if parts is True:
            return True
    else:
        parts = False
    if gold.data == "=" and answer.data == "=":
        return _same_equations(leaf, gold, answer)
    if gold.data == "!=" and answer.data == "!=":
        return any3((same(gold.args[0], answer.args[1]), parts))
    if gold.data in ("<", "<=") and gold.data == answer.data:
        return any3((parts, _same_inequalities(leaf, gold, answer)))
    return parts


def _difference(node: Op) -> Node:
    left, right = node.args
    return left if right == ZERO else Op("+", (left, Op("neg", (right,))))


def _same_equations(leaf: Same, gold: Op, answer: Op) -> bool | None:
    """Whether two equations are one: proportional, or with the same solution for some letter."""
    f, g = _difference(gold), _difference(answer)
    if letters(f) != letters(g) or not letters(f):
        return False
    if is_undefined(f) != is_undefined(g):
        return False
    verdict = same_zeros(f, g)
    if verdict is not None:
        return verdict
    return _proportional(leaf, f, g)


def _proportional(leaf: Same, f: Node, g: Node) -> bool | None:
    """Whether f is a constant times g: f g(x0) = g f(x0) at one point x0."""
    x, y = f, g
    for i, name in enumerate(sorted(letters(f))):
        value = Num(Fraction(7 + 3 * i, 11))
        x, y = substitute(x, name, value), substitute(y, name, value)
    if leaf(x, ZERO) is not False or leaf(y, ZERO) is not False:
        return None
    return leaf(Op("*", (f, y)), Op("*", (g, x)))


def _same_inequalities(leaf: Same, gold: Op, answer: Op) -> bool | None:
    f, g = _difference(gold), _difference(answer)
    if letters(f) != letters(g):
        return False
    ratio = _constant_ratio(f, g)
    if ratio is None:
        return None
    return False if ratio <= 0 else identical(f, Op("*", (Num(ratio), g)))


def _constant_ratio(f: Node, g: Node) -> Fraction | None:
    """F / g at one rational point, None if undefined there."""
    for shift in (0, 5):
        x, y = f, g
        for i, name in enumerate(sorted(letters(f) | letters(g))):
            value = Num(Fraction(7 + 3 * i + shift, 3))
            x, y = substitute(x, name, value), substitute(y, name, value)
        top, bottom = rational(x), rational(y)
        if top is not None and bottom:
            return top / bottom
    return None
