"""Notations that only a convention gives a meaning: 45° 30', f'(x), dy/dx, C_n^k, x ≡ 2, dots."""

from __future__ import annotations

import re
from collections.abc import Callable

from hdpo_env.verifiers.parse import notations
from hdpo_env.verifiers.parse.nodes import ONE, Node, Num, Op, Sym, integer, walk, whole_number

_HINT = re.compile(
    r"'|\\prime|dots|\.\.\.|C_|\\frac\{?d|d\w/d|\\equiv|overline|\\bar|Gamma|\^\s*\{-1\}\s*(?:\\left)?\("
    r"|\b(?:integers?|naturals?|rationals?|reals?|numbers?|even|odd|prime|composite|permutations"
    r"|jan|feb|march|april|may|june|july|aug|sept|octo|nov|dec)(?:\b|uary|ust|ember|ber)"
    r"|\b[ap]m\b|m(?:in|ax)|frac\s*\{\s*\\(?:text|mathrm)|\^\s*\{?\s*\\(?:text|mathrm)",
    re.IGNORECASE,
)
_COMBINATIONS = re.compile(r"C_(\d{1,4})")
_LONGEST = 1000  # terms that dots may stand for
_DOTS = Sym("...")
_RANKS = frozenset({"st", "nd", "rd", "th"})
_FUNCTIONS = (Sym("f"), Sym("g"), Sym("h"), Sym("P"), Sym("Q"))
_MINUS_ONE = Op("neg", (ONE,))


def conventional(node: Node, spelled: str) -> Node:
    r"""The tree with such notations replaced by what they mean; nothing else changes.

    ``spelled`` is the text of the answer: most have no such notation and are not walked.
    """
    return _rewritten(node) if isinstance(node, Op) and _HINT.search(spelled) else node


def _rewritten(node: Node) -> Node:
    if not isinstance(node, Op):
        return node
    args = tuple(_rewritten(arg) for arg in node.args)
    node = node if args == node.args else Op(node.name, args, node.data)
    rule = _RULES.get(node.name)
    return node if rule is None else rule(node)


def _product(node: Op) -> Node:
    """Degrees, minutes and seconds: an angle times a primed number is one angle."""
    whole = notations.times_unit(node)
    if whole is not node:
        return whole
    left, right = node.args
    minutes = _primed(right)
    if minutes is None or not (isinstance(left, Op) and left.name == "deg"):
        return notations.falling(node) if right != _DOTS else node
    return Op("deg", (Op("+", (*left.args, minutes)),))


def _primed(node: Node) -> Node | None:
    """Minutes or seconds as a part of a degree."""
    if not (isinstance(node, Op) and node.name == "prime"):
        return None
    inner, part = node.args[0], 60
    if isinstance(inner, Op) and inner.name == "prime":
        inner, part = inner.args[0], 3600
    return Op("/", (inner, integer(part))) if isinstance(inner, Num) else None


def _power(node: Op) -> Node:
    """``C_n^k`` with numbers is the number of combinations; C_n cubed is no answer's notation.

    A number with a raised "st" or "th" is the same rank as with a plain one.
    """
    base, exponent = node.args
    if isinstance(exponent, Op) and exponent.name == "text" and exponent.data in _RANKS:
        return Op("unit", (base,), exponent.data) if isinstance(base, Num) else node
    found = _COMBINATIONS.fullmatch(base.name) if isinstance(base, Sym) else None
    if not found or not isinstance(exponent, Num) or exponent.value.denominator != 1:
        return node
    if not 0 <= exponent.value <= int(found.group(1)):
        return node
    return Op("binom", (integer(int(found.group(1))), exponent))


def _relation(node: Op) -> Node:
    """A derivative or an inverse on the left side is the name of what stands on the right."""
    first, second = node.args[:2]
    if node.data == "equiv" and (isinstance(first, Op) or first in _FUNCTIONS):
        node = Op("rel", node.args, "=")  # f = 0 everywhere
    if node.data.split(",")[0] not in ("=", "~"):
        return node
    if isinstance(second, Sym) and second.name.startswith("bb") and isinstance(first, Sym):
        return Op("rel", (first, second), "in")  # n is an integer
    name = _derivative(first) or _inverse(first)
    return node if name is None else Op("rel", (name, *node.args[1:]), node.data)


def _derivative(node: Node) -> Node | None:
    if not isinstance(node, Op) or node.name not in ("*", "/"):
        return None
    first, second = node.args
    if node.name == "*" and isinstance(first, Sym) and first.name.endswith("'"):
        return Op("call", (second,), first.name)
    over, under = _differential(first), _differential(second)
    is_quotient = node.name == "/" and over is not None and under is not None
    return Sym(f"d{over}/d{under}") if is_quotient else None


def _inverse(node: Node) -> Node | None:
    """``f^{-1}(x)`` before an equals sign."""
    if not isinstance(node, Op) or node.name != "*" or not isinstance(node.args[0], Op):
        return None
    power, x = node.args
    is_inverse = isinstance(power, Op) and power.name == "^" and power.args[1] == _MINUS_ONE
    if is_inverse and isinstance(power, Op) and isinstance(power.args[0], Sym):
        return Op("call", (x,), power.args[0].name + "^-1")
    return None


def _differential(node: Node) -> str | None:
    """The letter x of dx."""
    if isinstance(node, Op) and node.name == "*" and node.args[0] == Sym("d"):
        return node.args[1].name if isinstance(node.args[1], Sym) else None
    return None


def _residue(node: Op) -> Node:
    """``x ≡ 2 (mod 5)`` is the residue 2 modulo 5, whatever the letter."""
    inner = node.args[0]
    if isinstance(inner, Op) and inner.name == "rel" and inner.data in ("equiv", "="):
        left, right = inner.args
        if isinstance(left, Sym) and not any(isinstance(n, Sym) for n in walk(right)):
            return Op("mod", (right, node.args[1]))
    return node


def _sum(node: Op) -> Node:
    stated = notations.negative_extreme(node)
    return _filled(node) if stated is node else stated


def _filled(node: Op) -> Node:
    """A progression of whole numbers with dots before its last term, written out."""
    if node.args.count(_DOTS) != 1 or node.args[-2:-1] != (_DOTS,):
        return node
    shown = [whole_number(arg) for arg in (*node.args[:-2], node.args[-1])]
    numbers = [number for number in shown if number is not None]
    if len(numbers) == len(shown) == 2 and numbers[0] in (0, 1):
        numbers = [numbers[0], numbers[0] + 1, numbers[1]]  # 1, ..., 5
    if len(numbers) < len(shown) or len(numbers) < 3:
        return node
    *first, last = numbers
    step = first[1] - first[0]
    if step == 0 or first != list(range(first[0], first[-1] + step, step)):
        return node
    terms = range(first[0], last + (1 if step > 0 else -1), step)
    if len(terms) > _LONGEST or len(terms) < len(numbers) or terms[-1] != last:
        return node
    return Op(node.name, tuple(integer(term) for term in terms), node.data)


_RULES: dict[str, Callable[[Op], Node]] = {
    "*": _product,
    "^": _power,
    "rel": _relation,
    "mod": _residue,
    "seq": _filled,
    "+": _sum,
    "call": notations.gamma,
    "text": notations.text,
    "unit": notations.quantity,
    "overline": notations.conjugate,
    "bar": notations.conjugate,
}
