"""The comparison stages, each against an oracle that shares no code with it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from hdpo_env.verifiers.compare.functions import Evaluator
from hdpo_env.verifiers.compare.logic import all3, any3
from hdpo_env.verifiers.compare.modular import identical, same_zeros
from hdpo_env.verifiers.compare.numeric import agree
from hdpo_env.verifiers.compare.order import approximate, is_between
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.symbolic import symbolic_leaf
from hdpo_env.verifiers.compare.units import parse_unit
from hdpo_env.verifiers.compare.values import same_value
from hdpo_env.verifiers.parse.answer import parse_answer
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym


def tree(text: str) -> Node:
    (node,) = parse_answer(text).readings
    return node


LETTERS = st.sampled_from([Sym("x"), Sym("y")])
NUMBERS = st.integers(-9, 9).map(lambda n: Num(Fraction(n)))


def combine(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pair = st.tuples(children, children)
    return st.one_of(
        pair.map(lambda p: Op("+", p)),
        pair.map(lambda p: Op("*", p)),
        children.map(lambda c: Op("neg", (c,))),
        st.tuples(children, st.integers(0, 3)).map(lambda p: Op("^", (p[0], Num(Fraction(p[1]))))),
    )


POLYNOMIALS = st.recursive(st.one_of(LETTERS, NUMBERS), combine, max_leaves=8)
ARITHMETIC = st.recursive(NUMBERS, combine, max_leaves=8)


def to_sympy(node: Node) -> sympy.Expr:
    """An independent conversion: only what the strategies above make."""
    if isinstance(node, Num):
        return sympy.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Sym):
        return sympy.Symbol(node.name)
    args = [to_sympy(a) for a in node.args]
    return {
        "+": lambda: args[0] + args[1],
        "*": lambda: args[0] * args[1],
        "neg": lambda: -args[0],
        "^": lambda: args[0] ** args[1],
    }[node.name]()


@given(POLYNOMIALS, POLYNOMIALS)
def test_modular_identity_is_polynomial_identity(a: Node, b: Node) -> None:
    """Schwartz-Zippel decides exactly what sympy's expansion of the difference decides."""
    zero_to_zero = any(
        isinstance(n, Op) and n.name == "^" and n.args[1] == Num(Fraction(0)) for n in (a, b)
    )
    verdict = identical(a, b)
    if verdict is None:
        assert zero_to_zero or "^" in repr(a) + repr(b)  # 0^0 has no value
        return
    assert verdict == (sympy.expand(to_sympy(a) - to_sympy(b)) == 0)


@given(ARITHMETIC)
def test_rational_values_are_exact(node: Node) -> None:
    """Exact arithmetic agrees with sympy's; 0^0 is undefined."""
    value = rational(node)
    if value is not None:
        assert to_sympy(node) == sympy.Rational(value.numerator, value.denominator)


@given(POLYNOMIALS, st.integers(-20, 20), st.integers(-20, 20))
def test_enclosures_hold_the_exact_value(node: Node, x: int, y: int) -> None:
    """The interval at a rational point contains the value computed exactly."""
    point = {"x": Fraction(x, 7), "y": Fraction(y, 3)}
    expected = to_sympy(node).subs({"x": sympy.Rational(x, 7), "y": sympy.Rational(y, 3)})
    try:
        ball = Evaluator(60, point, False).value(node)
    except ArithmeticError:
        return
    from mpmath import libmp

    low, high = (Fraction(*libmp.to_rational(end)) for end in ball.re)
    assert low <= Fraction(int(expected.p), int(expected.q)) <= high


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\sin 1", math.sin(1)),
        ("\\arctan 3", math.atan(3)),
        ("\\arcsin 0.3", math.asin(0.3)),
        ("\\arccos 0.3", math.acos(0.3)),
        ("\\log_{3} 7", math.log(7, 3)),
        ("\\sqrt[5]{-7}", -(7 ** (1 / 5))),
        ("2^{\\pi}", 2**math.pi),
        ("\\sinh 1", math.sinh(1)),
        ("\\tanh 2", math.tanh(2)),
        ("5.5!", math.gamma(6.5)),
        ("\\binom{30}{12}", math.comb(30, 12)),
        ("\\sec 1", 1 / math.cos(1)),
        ("|3 + 4i|", 5.0),
        ("\\lfloor -2.5 \\rfloor", -3.0),
        ("e^{-2}", math.exp(-2)),
        ("30^\\circ", math.pi / 6),
        ("\\max(2, \\sqrt{5})", math.sqrt(5)),
        ("\\sum_{k=1}^{10} k^2", 385.0),
        ("\\prod_{k=1}^{5} k", 120.0),
    ],
)
def test_functions_agree_with_the_math_library(text: str, value: float) -> None:
    """Each function of the evaluator against the C library, to the last bits of a double."""
    from mpmath import libmp

    ball = Evaluator(80, {}, True).value(tree(text))
    assert ball.im is None
    assert libmp.to_float(ball.re[0]) == pytest.approx(value, rel=1e-14)
    assert libmp.to_float(ball.re[1]) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("\\sqrt{x^2}", "x", False),
        ("\\sqrt{x^2}", "|x|", True),
        ("\\sin(10^{-300})", "10^{-300}", False),  # they differ after 600 digits
        ("9^{9^{9^{9}}}", "5", False),
        ("-9^{9^{9^{9}}}", "5", False),
        ("10^{10^{10^{10}}}", "10^{10^{10^{10}}} + 1", None),  # nobody can tell numerically
        ("(-1)^n", "\\cos(n\\pi)", True),
        ("e^{\\pi\\sqrt{163}}", "262537412640768744", False),  # equal to 30 digits
        ("\\ln x^2", "2\\ln x", True),
        ("\\frac{1}{1+i}", "\\frac{1-i}{2}", True),
        ("f(x) \\sin x", "\\sin x", None),
    ],
)
def test_enclosures_know_what_they_know(a: str, b: str, verdict: bool | None) -> None:
    """Near misses are told apart, huge numbers are bounded, the unknowable stays unknown."""
    assert agree(tree(a), tree(b)) is verdict


def test_fermat_cannot_fake_an_equality() -> None:
    """x^p = x modulo p, but exponents that large are refused and smaller ones have large order."""
    prime = 1878226735676994917
    assert identical(tree(f"x^{{{prime}}}"), tree("x")) is None
    assert identical(tree("2^{1000000}"), tree("1")) is False
    assert same_value(tree(f"2^{{{prime - 1}}}"), tree("1")) is False


def test_unknown_functions_are_oracles_of_their_arguments() -> None:
    """f(2x) = f(x+x) is proved, f(x) = f(y) is refuted, sin^2 + cos^2 = 1 is left open."""
    assert identical(tree("f(2x)"), tree("f(x+x)")) is True
    assert identical(tree("f(x)"), tree("f(y)")) is False
    assert identical(tree("\\sin^2 x+\\cos^2 x"), tree("1")) is None


@pytest.mark.parametrize(
    ("f", "g", "verdict"),
    [
        ("2x+4y-3", "y+\\frac12x-\\frac34", True),
        ("2x+4y-3", "y+\\frac12x+\\frac34", False),
        ("xy-1", "y-\\frac1x", True),
        ("x^2+y^2-1", "3x^2+3y^2-3", True),
        ("x^2+y^2-1", "x^2+y^2-2", None),
        ("(x-1)^2", "x-1", None),
    ],
)
def test_equations_are_compared_by_their_zeros(f: str, g: str, verdict: bool | None) -> None:
    """Proportional, or solvable for one letter; a double root is not decided here."""
    assert same_zeros(tree(f), tree(g)) is verdict


def test_order_never_writes_out_a_huge_number() -> None:
    """10^(10^9) has no moderate fraction: its order is unknown, not four gigabytes."""
    assert approximate(tree("10^{1e9}")) is None
    assert approximate(tree("10^{-10^9}")) is None
    assert is_between(tree("2^{10^{11}}"), Fraction(0), Fraction(1)) is False
    assert approximate(tree("\\sqrt{2}")) == pytest.approx(math.sqrt(2))


def test_sympy_has_the_last_word_only() -> None:
    """What the cheap stages leave open, sympy may close; its budget keeps towers out."""
    a, b = tree("f(x)+\\sin^2 x"), tree("f(x)+1-\\cos^2 x")
    assert same_value(a, b) is None
    assert symbolic_leaf(a, b) is True
    assert symbolic_leaf(tree("f(x)+9^{9^{9^{9}}}"), tree("f(x)+\\sin 1")) is None


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("0.33", "\\frac{1}{3}", True),  # the gold is the rounding
        ("\\frac{1}{3}", "0.33", False),  # the answer is, and gives too few digits
        ("\\frac{1}{3}", "0.333333", True),
        ("\\frac{1}{3}", "0.333334", False),
        ("\\frac{2}{3}", "0.666666", True),  # cut off rather than rounded
        ("\\frac{2}{3}", "0.666668", False),
        ("3.14", "\\pi", True),
        ("3.1", "\\pi", True),
        ("3", "\\pi", False),
        ("3.15", "\\pi", False),
        ("0.125", "0.1250001", True),
        ("\\frac18", "0.1250001", False),
        ("2.50", "2.504", True),
        ("2.5", "2.504", False),  # two digits are exact
        ("6.63 \\times 10^{-34}", "6.626 \\times 10^{-34}", True),
        ("6.63 \\times 10^{-34}", "6.62 \\times 10^{-34}", False),
    ],
)
def test_only_a_rounded_gold_is_matched_with_tolerance(gold: str, answer: str, same: bool) -> None:
    """Half a unit in the gold's last place, worked by hand at both ends."""
    assert same_value(tree(gold), tree(answer)) is same


@given(st.lists(st.sampled_from([True, False, None]), max_size=6))
def test_three_valued_logic_is_monotone(values: list[bool | None]) -> None:
    """Deciding an unknown never turns a decided result around (Kleene)."""
    for rule, builtin in ((all3, all), (any3, any)):
        result = rule(values)
        for fill in (True, False):
            decided = builtin(fill if v is None else v for v in values)
            assert result is None or result == decided


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [
        ("km / h", "m/s", Fraction(5, 18)),
        ("feet", "inches", 12),
        ("square feet", "in^2", 144),
        ("hours", "seconds", 3600),
        ("gallon", "cubic inches", 231),
        ("mph", "feet per second", Fraction(22, 15)),
        ("dollars", "cents", 100),
        ("hectare", "square meters", 10_000),
        ("years", "months", 12),
    ],
)
def test_units_convert_by_their_definitions(one: str, other: str, factor: Fraction) -> None:
    """Exact factors from the definitions of the units."""
    a, b = parse_unit(one), parse_unit(other)
    assert a.dimensions == b.dimensions
    assert a.factor / b.factor == factor
