"""Equality of two expressions: structure, exact rationals, finite fields, enclosures, rounding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from hdpo_env.verifiers.compare.modular import identical
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import ZERO, Node, Num, Op, Sym, letters, substitute, walk

Leaf = Callable[[Node, Node], "bool | None"]
_MIN_GOLD_DIGITS = 3  # a gold with fewer significant digits is exact, not rounded
_MIN_ANSWER_DIGITS = 6  # a decimal for an exact gold needs this many right digits
_STRUCTURES = "text seq rel matrix row builder unit base ratio cup cap minus mod pm det cases"
_UNEVALUATED = frozenset(_STRUCTURES.split())
_INFINITY: Node = Sym("oo")
_MINUS_INFINITY: Node = Op("neg", (_INFINITY,))
BINDERS = frozenset({"int", "lim", "sum", "prod"})


def same_value(gold: Node, answer: Node) -> bool | None:
    """Whether two expressions have the same value; None if the cheap stages cannot tell.

    A decimal is a rounding only if the gold itself is one (three digits or more), or if the gold
    has no finite decimal and the answer gives six right digits.
    """
    if gold == answer:
        return True
    exact_gold, exact_answer = rational(gold), rational(answer)
    if exact_gold is not None and exact_answer is not None:
        return exact_gold == exact_answer or _is_rounding(gold, exact_gold, answer, exact_answer)
    parts = [*walk(gold), *walk(answer)]
    if any(isinstance(n, Op) and n.name in _UNEVALUATED for n in parts):
        return False
    if any(isinstance(n, Sym) and _is_no_number(n.name) for n in parts):
        if not (has_binder(gold) or has_binder(answer)):
            return _sign_free(gold) == _sign_free(answer)
        ends = [is_infinite(node) for node in (gold, answer)]
        if any(ends) or _has_loose_infinity(gold) or _has_loose_infinity(answer):
            return None if any(ends) else False
    verdict = identical(gold, answer)
    if verdict is None:
        from hdpo_env.verifiers.compare.numeric import agree

        verdict = agree(gold, answer)
    if verdict is None and is_undefined(answer) != is_undefined(gold):
        return False
    if verdict is None and letters(gold) != letters(answer):
        return False if _depends_apart(gold, answer) else None
    if verdict is False and not letters(gold) and not letters(answer):
        return _is_rounding(gold, exact_gold, answer, exact_answer)
    return verdict


def has_binder(node: Node) -> bool:
    """Whether a node holds an integral, a limit, or a sum or product."""
    return any(isinstance(part, Op) and part.name in BINDERS for part in walk(node))


def is_infinite(node: Node) -> bool:
    """Whether a node is plus or minus infinity."""
    return node in (_INFINITY, _MINUS_INFINITY)


def _has_loose_infinity(node: Node) -> bool:
    """Whether an infinity or a set of numbers stands elsewhere than as the bound of a sign."""
    if isinstance(node, Sym):
        return _is_no_number(node.name)
    if not isinstance(node, Op):
        return False
    is_sign = node.name in BINDERS
    return any(_has_loose_infinity(a) for a in node.args if not (is_sign and is_infinite(a)))


def is_undefined(node: Node) -> bool:
    """Whether a node divides by what is provably zero."""
    return any(
        isinstance(part, Op) and part.name == "/" and same_value(ZERO, part.args[1]) is True
        for part in walk(node)
    )


def _depends_apart(gold: Node, answer: Node) -> bool:
    """Whether one side provably changes with a letter that the other side does not have."""
    from hdpo_env.verifiers.compare.numeric import agree

    for one, other in ((gold, answer), (answer, gold)):
        for name in sorted(letters(one) - letters(other)):
            moved = [substitute(one, name, Num(Fraction(k, 3))) for k in (4, 7)]
            if agree(*moved) is False:
                return True
    return False


def _is_no_number(name: str) -> bool:
    """Whether a symbol stands for infinity or for a set."""
    return name in ("oo", "emptyset") or name.startswith("bb")


def _sign_free(node: Node) -> Node:
    """The node without double negations, to compare infinities."""
    if isinstance(node, Op) and node.name == "neg":
        inner = _sign_free(node.args[0])
        if isinstance(inner, Op) and inner.name == "neg":
            return inner.args[0]
        return Op("neg", (inner,))
    return node


def written_decimal(node: Node) -> tuple[Fraction, Fraction, int] | None:
    """Value, unit in the last place and significant digits of a number written as a decimal.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> written_decimal(parse_answer("-3.14").readings[0])
    (Fraction(-157, 50), Fraction(1, 100), 3)
    """
    if isinstance(node, Num):
        if node.places is None:
            return None
        ulp = Fraction(10) ** -node.places
        return node.value, ulp, len(str(abs(node.value) / ulp))
    if isinstance(node, Op) and node.name == "neg":
        inner = written_decimal(node.args[0])
        return None if inner is None else (-inner[0], inner[1], inner[2])
    if isinstance(node, Op) and node.name == "*" and _is_power_of_ten(node.args[1]):
        inner, scale = written_decimal(node.args[0]), rational(node.args[1])
        if inner is not None and scale:
            return inner[0] * scale, inner[1] * scale, inner[2]
    return None


def _is_power_of_ten(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "^" and rational(node.args[0]) == 10


def _is_rounding(
    gold: Node, exact_gold: Fraction | None, answer: Node, exact_answer: Fraction | None
) -> bool:
    """Whether one side is the other, rounded as the class rule of `same_value` allows."""
    gold_decimal, answer_decimal = written_decimal(gold), written_decimal(answer)
    if gold_decimal is not None:
        value, ulp, digits = gold_decimal
        finer = answer_decimal is not None and answer_decimal[1] < ulp
        endless = answer_decimal is None and not _is_finite_decimal(exact_answer)
        if not (finer or endless) or (digits < _MIN_GOLD_DIGITS and not (endless and digits > 1)):
            return False
        return _within(answer, exact_answer, value - ulp / 2, value + ulp / 2)
    if answer_decimal is not None and not _is_finite_decimal(exact_gold):
        value, ulp, digits = answer_decimal
        if digits < _MIN_ANSWER_DIGITS:
            return False
        low, high = (ulp / 2, ulp) if value > 0 else (ulp, ulp / 2)
        return _within(gold, exact_gold, value - low, value + high)  # rounded or cut off
    return False


def _is_finite_decimal(value: Fraction | None) -> bool:
    if value is None:  # irrational, or unknown
        return False
    bottom = value.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    return bottom == 1


def _within(node: Node, exact: Fraction | None, low: Fraction, high: Fraction) -> bool:
    if exact is not None:
        return low <= exact <= high
    from hdpo_env.verifiers.compare.order import is_between

    return is_between(node, low, high)
