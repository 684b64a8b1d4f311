r"""Integrals, limits, sums, products: ``\int_0^1 x \, dx``, ``\lim_{x \to 0}``, ``\sum_{k=1}^n``.

The letter that such a sign binds is renamed to ``#1``, or ``#2`` around one, and so on: it is no
letter of the answer, and two signs that differ in its name alone make one tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hdpo_env.verifiers.parse.lexer import Token
from hdpo_env.verifiers.parse.nodes import ONE, Node, Op, ParseError, Sym, substitute, walk

if TYPE_CHECKING:
    from hdpo_env.verifiers.parse.parser import Parser

_LOOK_AHEAD = 40  # tokens of one term
_STEPS = {"lb": 1, "open": 1, "begin": 1, "rb": -1, "close": -1, "end": -1}
_SIGNS = (("op", "+"), ("op", "-"))


def marked(tokens: list[Token]) -> list[Token]:
    r"""The tokens with ``d x`` as one differential and ``0^+`` as one side, after a sign.

    A differential at the depth of its integral ends it; one inside a fraction or a group
    (``\int \frac{dx}{x}``) is a factor of the integrand.
    """
    out: list[Token] = []
    waiting: list[tuple[int, int]] = []  # where each open integral stands, and how deep
    depth = at = 0
    while at < len(tokens):
        token = tokens[at]
        depth += _STEPS.get(token.kind, 0)
        if token[:2] == ("cmd", "int"):
            waiting.append((len(out), depth))
        if token[:2] == ("sym", "d") and at + 1 < len(tokens) and tokens[at + 1].kind == "sym":
            start, level = waiting.pop() if waiting else (0, depth + 1)
            if depth < level:
                raise ParseError("a differential without its integral")
            if depth > level:
                out[start] = Token("cmd", "intfrac")
            out.append(Token("diff" if depth == level else "factor", tokens[at + 1].value))
            at += 2
        elif (length := _side(tokens[at : at + 5])) > 0:
            sign = tokens[at + (1 if length == 2 else 2)].value
            out.append(Token("side", sign))
            at += length
        else:
            out.append(token)
            at += 1
    if waiting:
        raise ParseError("an integral without its differential")
    return out


def _side(tokens: list[Token]) -> int:
    """How many tokens spell ``^+`` or ``^{-}`` before a closing brace."""
    if tokens[0][:2] != ("op", "^"):
        return 0
    shape = [token.kind for token in tokens[1:]]
    if shape[:2] == ["op", "rb"] and tokens[1][:2] in _SIGNS:
        return 2
    if shape == ["lb", "op", "rb", "rb"] and tokens[2][:2] in _SIGNS:
        return 4
    return 0


def bound(p: Parser, sign: str) -> Node:
    """What a sign applies to, with its bounds: the parser stands behind the sign."""
    if sign == "lim":
        return _limit(p)
    low = high = None
    while p.is_op("_") or p.is_op("^"):
        if p.take().value == "_":
            low = p.argument()
        else:
            high = p.argument()
    if low is None or high is None:
        raise ParseError(f"\\{sign} without bounds")
    if sign in ("int", "intfrac"):
        return _integral(p, sign, low, high)
    if not (isinstance(low, Op) and low.name == "rel" and low.data == "="):
        raise ParseError(f"\\{sign} without bounds")
    index, first = low.args
    if not isinstance(index, Sym):
        raise ParseError(f"\\{sign} over what is no letter")
    return _binder(sign, index.name, (first, high), _body(p, index.name))


def _binder(sign: str, name: str, bounds: tuple[Node, ...], body: Node, data: str = "") -> Op:
    inner = [int(n.name[1:]) for n in walk(body) if isinstance(n, Sym) and n.name[:1] == "#"]
    own = Sym(f"#{max(inner, default=0) + 1}")
    return Op(sign, (own, *bounds, substitute(body, name, own)), data)


def _body(p: Parser, name: str) -> Node:
    """A term, and the terms after it in which the bound letter still occurs."""
    terms = [p.signed()]
    while p.token[:2] in _SIGNS and _goes_on(p, name):
        is_plus = p.take().value == "+"
        term = p.term()
        terms.append(term if is_plus else Op("neg", (term,)))
    return terms[0] if len(terms) == 1 else Op("+", tuple(terms))


def _goes_on(p: Parser, name: str) -> bool:
    """Whether the term behind a plus or minus sign holds a letter."""
    depth = 0
    for ahead in range(1, _LOOK_AHEAD):
        token = p.peek(ahead)
        depth += _STEPS.get(token.kind, 0)
        if depth < 0 or (depth == 0 and token[:2] in _SIGNS):
            return False
        if token[:2] == ("sym", name):
            return True
    return False


def _limit(p: Parser) -> Node:
    r"""``\lim_{x \to a^+} term``."""
    if not (p.is_op("_") and p.peek().kind == "lb"):
        raise ParseError("\\lim without its point")
    p.drop(2)
    name = p.expect("sym").value
    if p.expect("rel").value != "to":
        raise ParseError("\\lim without an arrow")
    point = p.sum()
    side = p.take().value if p.token.kind == "side" else ""
    p.expect("rb")
    return _binder("lim", name, (point,), _body(p, name), side)


def _integral(p: Parser, sign: str, low: Node, high: Node) -> Node:
    if sign == "int":
        body = ONE if p.token.kind == "diff" else p.sum()
        return _binder("int", p.expect("diff").value, (low, high), body)
    name, body = _without_factor(p.term())
    return _binder("int", name, (low, high), body)


def factor(p: Parser) -> Node:
    """A differential inside a fraction or a group, as a factor of its own."""
    return Op("factor", (), p.take().value)


def _without_factor(node: Node) -> tuple[str, Node]:
    """The variable of integration and the integrand of a term that holds the differential."""
    if isinstance(node, Op) and node.name == "factor":
        return node.data, ONE
    if not isinstance(node, Op) or node.name not in ("*", "/", "neg"):
        raise ParseError("an integrand without its differential")
    at = len(node.args) - 1 if node.name == "*" and _holds_factor(node.args[-1]) else 0
    name, rest = _without_factor(node.args[at])
    if any(map(_holds_factor, (rest, *node.args[at + 1 :]))):
        raise ParseError("two differentials of one integral")
    return name, Op(node.name, (*node.args[:at], rest, *node.args[at + 1 :]))


def _holds_factor(node: Node) -> bool:
    return any(isinstance(part, Op) and part.name == "factor" for part in walk(node))
