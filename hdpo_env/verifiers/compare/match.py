"""Equivalence of answers by their shape; `values` decides the expressions at the leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from hdpo_env.verifiers.compare import equations, quantities
from hdpo_env.verifiers.compare.basis import in_tuple
from hdpo_env.verifiers.compare.clock import same_time
from hdpo_env.verifiers.compare.dotted import same_dotted, summed
from hdpo_env.verifiers.compare.integrals import same_antiderivative
from hdpo_env.verifiers.compare.lists import (
    carried_out,
    has_signs,
    listing,
    same_bag,
    same_listing,
    spread,
)
from hdpo_env.verifiers.compare.logic import PASS, Ruling, all3, any3
from hdpo_env.verifiers.compare.matrices import entries, evaluate
from hdpo_env.verifiers.compare.piecewise import same_piecewise
from hdpo_env.verifiers.compare.quadratics import solved
from hdpo_env.verifiers.compare.regions import is_surely_region, region, same_region
from hdpo_env.verifiers.compare.values import Leaf, same_value, written_decimal
from hdpo_env.verifiers.compare.wording import PROPERTIES
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, letters, substitute, whole_number


@dataclass(frozen=True, slots=True)
class Matcher:
    """Decides whether an answer matches a gold, with ``leaf`` for pairs of expressions."""

    leaf: Leaf = same_value

    def same(self, gold: Node, answer: Node) -> bool | None:
        """True, False, or None if neither could be shown."""
        if gold == answer:
            return True
        chains = gold, answer
        gold, answer = equations.tidy(gold), equations.tidy(answer)
        if _is_list(gold) != _is_list(answer):
            short = 1 if _is_list(gold) else 0
            out = equations.spelled_out(chains[short])
            if out is not chains[short]:
                gold, answer = (gold, out) if short else (out, answer)
        if gold == answer:
            return True
        for rule in _RULES:
            verdict = rule(self, gold, answer)
            if verdict is not PASS:
                return verdict
        return self.leaf(gold, answer)


def _is_list(node: Node) -> bool:
    return isinstance(node, Op) and node.name == "seq"


def _scaled_tuples(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """``-(1, 2)`` and ``2(1, 2)`` are carried out, unit vectors written as a tuple."""
    a, b = carried_out(in_tuple(gold, answer)), carried_out(in_tuple(answer, gold))
    return PASS if a is gold and b is answer else m.same(a, b)


def _comments(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """The rounding beside an exact gold accepts decimals alone."""
    if not (isinstance(gold, Op) and gold.name == "rounded"):
        return PASS
    value = answer.args[0] if isinstance(answer, Op) and answer.name == "unit" else answer
    return m.same(gold.args[0], answer) if written_decimal(value) is not None else False


def _regions(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Sets of reals, where at least one side cannot be anything else."""
    sure = is_surely_region(gold) or is_surely_region(answer)
    if not sure:
        return PASS
    a, b = region(gold) or solved(gold), region(answer)
    if a is None or b is None:
        return PASS
    if a[0] is not None and b[0] is not None and a[0] != b[0]:
        return False  # the conditions are on different letters
    verdict = same_region(a[1], b[1], m.same)
    if verdict is False and _both_unions(gold, answer):
        return PASS  # ends with letters have no order: compare part by part
    return verdict


def _both_unions(gold: Node, answer: Node) -> bool:
    return all(isinstance(n, Op) and n.name == "cup" and letters(n) for n in (gold, answer))


def _dots(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Sums and lists with dots."""
    verdict = same_dotted(m.same, gold, answer)
    if verdict is not PASS:
        return verdict
    a, b = summed(gold), summed(answer)
    return PASS if a is gold and b is answer else m.leaf(a, b)


def _pieces(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Functions by cases, against one another or against a modulus."""
    return same_piecewise(m.leaf, gold, answer)


def _labels(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """``x = 5`` against ``5``, ``y = 5`` or another equation."""
    return equations.same_relation(m.same, m.leaf, gold, answer)


def _units(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Values with units, percent signs, degrees, money or a modulus."""
    return quantities.same_quantity(m.same, gold, answer)


def _integrals(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Two antiderivatives with a constant each."""
    return same_antiderivative(m.leaf, gold, answer)


def _moduli(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """``9 mod 11`` against 9, or against another residue of the same modulus."""
    a, b = (n.args if isinstance(n, Op) and n.name == "mod" else None for n in (gold, answer))
    if a is None and b is None:
        return PASS
    if a is not None and b is not None:
        x, y, n = (whole_number(node) for node in (a[0], b[0], a[1]))
        if x is not None and y is not None and n is not None and whole_number(b[1]) == n > 0:
            return (x - y) % n == 0  # two names of one residue class
        if m.same(a[1], b[1]) is not True:
            return False
    return m.same(a[0] if a else gold, b[0] if b else answer)


def _plus_minus(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """What holds plus-minus is the list of its values: signs together, or each on its own."""
    if not (has_signs(gold) or has_signs(answer)):
        return PASS
    return any3(
        same_listing(spread(gold, coupled), spread(answer, coupled), m.same)
        for coupled in (True, False)
    )


def _sequences(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Lists, sets, tuples, vectors; a tuple with plus-minus against the list of its variants."""
    a, b = listing(gold), listing(answer)
    if a is None and b is None:
        return PASS
    if a is None or b is None:
        return _single(m, gold, answer)
    if isinstance(gold, Op) and isinstance(answer, Op) and _ends(gold) and _ends(answer):
        if gold.data != answer.data and {gold.data, answer.data} & {"(]", "[)"}:
            return False
        if {gold.data, answer.data} == {"()", "[]"} and len(gold.args) == 2:
            return False  # an open interval is not a closed one
    if _joins_properties(gold, answer):
        return False
    for lone, other in ((a, answer), (b, gold)):
        if lone.braces and len(lone.items) == 1 and not (a.braces and b.braces):
            if _is_empty(lone.items[0]):
                return False
            return m.same(lone.items[0], other)
    if (a.ordered and b.braces) or (b.ordered and a.braces):
        return False  # a tuple is not a set
    return same_listing(a, b, m.same)


def _joins_properties(gold: Node, answer: Node) -> bool:
    """``even or prime`` against ``even and prime``: two properties, one of them or both."""
    if not (isinstance(gold, Op) and isinstance(answer, Op)):
        return False
    parts = (*gold.args, *answer.args)
    is_text = all(isinstance(part, Op) and part.data in PROPERTIES for part in parts)
    return is_text and {gold.data, answer.data} == {"", "or"}


def _is_empty(node: Node) -> bool:
    return node == Sym("emptyset")


def _ends(node: Op) -> bool:
    return node.name == "seq" and node.data[:1] in ("(", "[")


def _single(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """A list against something else: a set of one is its member; a vector may be a matrix."""
    many, one = (gold, answer) if listing(gold) is not None else (answer, gold)
    items = listing(many)
    assert items is not None
    if len(items.items) == 1 and items.braces:
        if _is_empty(items.items[0]):
            return False  # the set of the empty set is not empty
        return m.same(items.items[0], one) if many is gold else m.same(one, items.items[0])
    return PASS if evaluate(one) is not None else False


def _matrices(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Matrices entry by entry; a single row or column also matches a tuple."""
    a, b = evaluate(gold), evaluate(answer)
    if a is None and b is None:
        return PASS
    if a is None or b is None:
        row = entries(a if a is not None else b)
        other = listing(answer if a is not None else gold)
        if row is None or other is None or not other.ordered or len(other.items) != len(row):
            return False
        pairs = zip(row, other.items, strict=True)
        return all3(m.same(x, y) if a is not None else m.same(y, x) for x, y in pairs)
    if (len(a), len(a[0])) != (len(b), len(b[0])):
        return False
    cells = ((x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))
    return all3(m.same(x, y) for x, y in cells)


def _bases(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Numbers in base n: equal values, or the gold's digits with its base left out."""
    a, b = _based(gold), _based(answer)
    if a is None and b is None:
        return PASS
    if a is not None and b is not None:
        return a[1] == b[1]
    if a is not None:
        return _digits(answer) == a[0]
    assert b is not None
    return isinstance(gold, Num) and gold.value == b[1]


def _digits(node: Node) -> str | None:
    """The digits that a node shows: 2516, AC, or 2A as a product."""
    if isinstance(node, Num):
        return str(node.value) if node.places is None else None
    if isinstance(node, Sym):
        return node.name
    if isinstance(node, Op) and node.name == "*":
        parts = [_digits(arg) for arg in node.args]
        return "".join(p for p in parts if p) if all(parts) else None
    return None


def _based(node: Node) -> tuple[str, int] | None:
    if not (isinstance(node, Op) and node.name == "base"):
        return None
    base = node.args[0]
    assert isinstance(base, Num)
    try:
        return node.data, int(node.data, base.value.numerator)
    except ValueError:
        return node.data, -1


def _ratios(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """A : b as a proportion, also against the fraction a / b."""
    a, b = _ratio(gold), _ratio(answer)
    if a is None and b is None:
        return PASS
    if a is None or b is None:
        parts, other = (a, answer) if a is not None else (b, gold)
        assert parts is not None
        if len(parts) != 2 or (isinstance(other, Op) and other.name in ("seq", "rel", "text")):
            return False
        return m.leaf(Op("/", parts), other)
    if len(a) != len(b):
        return False
    if (verdict := same_time(a, b)) is not None:
        return verdict  # 3:45 is not 1:15, nor 10:00 11:00
    return all3(
        m.leaf(Op("*", (a[0], y)), Op("*", (b[0], x))) for x, y in zip(a[1:], b[1:], strict=True)
    )


def _ratio(node: Node) -> tuple[Node, ...] | None:
    return node.args if isinstance(node, Op) and node.name == "ratio" else None


def _builders(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Two set-builders part by part; other structures with equal shape argument by argument."""
    if not (isinstance(gold, Op) and isinstance(answer, Op)):
        return PASS
    if gold.name == answer.name == "builder":
        answer = _with_element_of(gold, answer)
    shaped = ("builder", "cup", "cap", "minus", "row")
    is_piecewise = gold.data == answer.data == "cases" and len(gold.args) > 1
    if gold.name != answer.name or not (gold.name in shaped or is_piecewise):
        return PASS
    if len(gold.args) != len(answer.args):
        return False
    straight = all3(m.same(x, y) for x, y in zip(gold.args, answer.args, strict=True))
    if is_piecewise and straight is not True:  # its cases may stand in any order
        ends = [_without_rest(node) for node in (gold, answer)]
        return any3(same_bag(a, b, m.same) for a, b in product(*ends))
    if gold.name in ("cup", "cap") and straight is not True:
        crossed = all3(m.same(x, y) for x, y in zip(gold.args, answer.args[::-1], strict=True))
        return any3((straight, crossed))
    return straight


def _with_element_of(gold: Op, answer: Op) -> Op:
    """The set-builder with its element called as in the other, where that name is free."""
    ours, theirs = letters(gold.args[0]), letters(answer.args[0])
    if len(ours) != 1 or len(theirs) != 1 or ours <= letters(answer):
        return answer
    (new,), (old,) = ours, theirs
    renamed = substitute(answer, old, Sym(new))
    assert isinstance(renamed, Op)
    return renamed


def _without_rest(node: Op) -> list[tuple[Node, ...]]:
    """The cases, and again with the last condition spelled "otherwise"."""
    *cases, last = node.args
    if not (isinstance(last, Op) and len(last.args) == 2):
        return [node.args]
    rest = Op("text", (), "otherwise")
    return [node.args, (*cases, Op(last.name, (last.args[0], rest), last.data))]


def _letters_of_choice(m: Matcher, gold: Node, answer: Node) -> Ruling:
    """Words against words, and one-letter words against letters."""
    a, b = _word(gold), _word(answer)
    if a is None or b is None or (isinstance(gold, Sym) and isinstance(answer, Sym)):
        return PASS
    if is_surely_region(gold) or is_surely_region(answer):
        return PASS  # "all real numbers"
    return a == b


def _word(node: Node) -> str | None:
    if isinstance(node, Op) and node.name == "text":
        return node.data.lower()
    return node.name.lower() if isinstance(node, Sym) else None


Rule = Callable[[Matcher, Node, Node], Ruling]
_RULES: tuple[Rule, ...] = (
    _comments,
    _letters_of_choice,
    _plus_minus,
    _scaled_tuples,
    _moduli,
    _units,
    _bases,
    _pieces,
    _regions,
    _ratios,
    _dots,
    _labels,
    _sequences,
    _matrices,
    _builders,
    _integrals,
)
