"""Brackets, functions, commands and environments: the atoms of the grammar in `parser`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from hdpo_env.verifiers.parse import calculus
from hdpo_env.verifiers.parse.determinants import determinant
from hdpo_env.verifiers.parse.lexer import Token
from hdpo_env.verifiers.parse.nodes import TWO, Node, Num, Op, ParseError, Sym

if TYPE_CHECKING:
    from hdpo_env.verifiers.parse.parser import Parser

_MATRICES = frozenset(
    [
        "pmatrix",
        "bmatrix",
        "matrix",
        "Bmatrix",
        "vmatrix",
        "Vmatrix",
        "smallmatrix",
        "array",
        "tabular",
        "psmallmatrix",
    ]
)
_MANY = frozenset({"max", "min", "gcd", "lcm"})
_INVERSE = {"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sinh": "asinh",
            "cosh": "acosh", "tanh": "atanh"}  # fmt: skip


def atom(p: Parser) -> Node:
    """An atom that opens with a bracket, a bar, a brace or a command."""
    kind, value, _ = p.token
    if kind == "open":
        return _bracket(p)
    if kind == "close" and value == "]":  # the French open interval ]a, b[
        return _bracket(p)
    if kind == "lb":
        return _group(p)
    if kind == "bar":
        return _absolute(p)
    if kind == "begin":
        return _environment(p)
    if kind == "cmd":
        return _command(p)
    if kind == "factor":
        return calculus.factor(p)
    raise ParseError(f"unexpected {value or 'end'!r}")


def _group(p: Parser) -> Node:
    p.take()
    if p.token.kind == "sym" and p.peek().kind in ("bar", "mid"):
        return _builder(p)  # {x | x > 3} without backslashes
    if p.token.kind == "rb":
        p.take()
        return atom(p) if p.token.kind != "end" else _fail("an empty group")
    bars, p.bars = p.bars, []
    node = p.answer(frozenset({"rb"}))
    p.bars = bars
    p.expect("rb")
    return node


def _fail(why: str) -> Node:
    raise ParseError(why)


def _bracket(p: Parser) -> Node:
    """Parentheses, intervals, tuples, sets, floors and ceilings."""
    start = p.take().value
    if start == "{":
        return _set(p)
    bars, p.bars = p.bars, (["french"] if start in "[]" else [])
    if p.token.kind == "close" and start == "(":
        raise ParseError("an empty bracket")
    stop = frozenset({"close", "open"}) if start in "[]" else frozenset({"close"})
    inner = p.answer(stop)
    p.bars = bars
    end = p.take().value
    if start in ("floor", "ceil"):
        if end != start:
            raise ParseError(f"{start} closed by {end}")
        return Op(start, (inner,))
    return _enclosed(start, inner, end)


def _enclosed(start: str, inner: Node, end: str) -> Node:
    shape = {"(": "(", "[": "[", "]": "(", "<": "("}.get(start, "?")
    shape += {")": ")", "]": "]", "[": ")", ">": ")"}.get(end, "?")
    if "?" in shape:
        raise ParseError(f"{start!r} closed by {end!r}")
    if isinstance(inner, Op) and inner.name == "seq" and inner.data == "":
        return Op("seq", inner.args, shape)
    if shape in ("()", "[]"):
        return inner
    raise ParseError("half an interval")


def _set(p: Parser) -> Node:
    if p.token.kind == "close":
        p.take()
        return Sym("emptyset")
    bars, p.bars = p.bars, ["set"]
    inner = p.answer(frozenset({"close", "mid", "bar", ":"}))
    separator = p.take()
    p.bars = []
    if separator.kind == "close":
        p.bars = bars
        is_list = isinstance(inner, Op) and inner.name == "seq" and inner.data in ("", "or")
        items = inner.args if is_list and isinstance(inner, Op) else (inner,)
        return Op("seq", items, "{}")
    condition = p.answer(frozenset({"close"}))
    p.bars = bars
    p.expect("close")
    return Op("builder", (inner, condition))


def _builder(p: Parser) -> Node:
    element = Sym(p.take().value)
    p.take()
    bars, p.bars = p.bars, []
    condition = p.answer(frozenset({"rb"}))
    p.bars = bars
    p.expect("rb")
    return Op("builder", (element, condition))


def _absolute(p: Parser) -> Node:
    mark = p.take().value
    bars, p.bars = p.bars, ["abs"]
    inner = p.item()
    p.bars = bars
    if p.token.kind not in ("bar", "mid"):
        raise ParseError("a bar without its partner")
    p.take()
    return Op("abs" if mark == "|" else "norm", (inner,))


def _environment(p: Parser) -> Node:
    name = p.take().value
    rows = _rows(p)
    p.expect("end")
    if name in _MATRICES and not (name == "array" and _are_statements(rows)):
        matrix = Op("matrix", tuple(Op("row", row) for row in rows))
        if len({len(row) for row in rows}) != 1:
            raise ParseError("rows of different lengths")
        return (determinant(rows) or Op("det", (matrix,))) if name == "vmatrix" else matrix
    cells = tuple(cell for row in rows for cell in row)
    if not cells:
        raise ParseError("an empty environment")
    if name == "cases" and any(len(row) > 1 for row in rows):
        return Op("seq", tuple(Op("row", row) for row in rows), "cases")
    return cells[0] if len(cells) == 1 else Op("seq", cells, "")


def _are_statements(rows: list[tuple[Node, ...]]) -> bool:
    """Whether an array only sets relations below one another, as a system of equations."""
    cells = [cell for row in rows for cell in row]
    return bool(cells) and all(isinstance(cell, Op) and cell.name == "rel" for cell in cells)


def _rows(p: Parser) -> list[tuple[Node, ...]]:
    stop = frozenset({"&", "row", "end", ","})
    rows: list[tuple[Node, ...]] = []
    cells: list[Node] = []
    while True:
        while p.token.kind == "clause":  # "if", "for"
            p.take()
        if p.token.kind not in stop:
            bars, p.bars = p.bars, []
            cells.append(p.item())
            p.bars = bars
        if p.token.kind in ("&", ",", "clause"):
            p.take()
            continue
        if cells:
            rows.append(tuple(cells))
        cells = []
        if p.token.kind != "row":
            return rows
        p.take()


def _command(p: Parser) -> Node:
    name = p.take().value
    if name == "frac":
        if p.token == Token("open", "("):  # frac(a, b) as plain text
            inner = _bracket(p)
            if isinstance(inner, Op) and inner.name == "seq" and len(inner.args) == 2:
                return Op("/", inner.args)
        top = p.argument()
        return Op("/", (top, p.argument()))
    if name in ("sqrt", "cbrt"):
        return _root(p, name)
    if name == "binom":
        top = p.argument()
        return Op("binom", (top, p.argument()))
    if name in ("sum", "prod", "lim", "int", "intfrac"):
        return calculus.bound(p, name)
    raise ParseError(f"\\{name} is not understood")


def _root(p: Parser, name: str) -> Node:
    index: Node = TWO if name == "sqrt" else Num(Fraction(3))
    if p.token == Token("open", "["):
        p.take()
        index = p.sum()
        if p.take().value != "]":
            raise ParseError("a root index without its end")
    if p.token.kind == "num":
        return Op("root", (p.atom(), index))
    return Op("root", (p.argument(), index))


def function(p: Parser) -> Node:
    """A named function with its base, exponent and argument."""
    name = p.take().value
    base = power = None
    while p.is_op("_") or p.is_op("^"):
        if p.take().value == "_":
            base = p.argument()
        else:
            power = p.exponent_value()
    minus_one = isinstance(power, Op) and power == Op("neg", (Num(Fraction(1)),))
    if minus_one and name in _INVERSE:
        name, power = _INVERSE[name], None
    args = _function_argument(p, name)
    node = _apply(name, args, base)
    return node if power is None else Op("^", (node, power))


def _apply(name: str, args: tuple[Node, ...], base: Node | None) -> Node:
    if name == "exp":
        return Op("^", (Sym("e"), args[0]))
    if name == "cis":
        return Op("+", (Op("cos", args), Op("*", (Sym("i"), Op("sin", args)))))
    if name == "lg":
        return Op("log", (args[0], Num(Fraction(10))))
    if name == "log" and base is not None:
        return Op("log", (args[0], base))
    if base is not None:
        raise ParseError(f"a subscript on {name}")
    return Op(name, args)


def _function_argument(p: Parser, name: str) -> tuple[Node, ...]:
    if p.token.kind in ("open", "lb", "bar"):
        inner = p.atom()
        if isinstance(inner, Op) and inner.name == "seq" and name in _MANY:
            return inner.args
        return (inner,)
    if p.is_op("-"):
        p.take()
        return (Op("neg", _function_argument(p, name)),)
    return (_bare_argument(p),)


def _bare_argument(p: Parser) -> Node:
    r"""The factors after ``\sin`` without brackets, up to a sign, operator or function."""
    node = p.power()
    while True:
        kind, value, _ = p.token
        is_root = kind == "cmd" and value in ("sqrt", "frac")
        if kind in ("num", "sym", "lb") or is_root:
            node = Op("*", (node, p.power()))
        else:
            return node
