"""A Pratt-style parser for final answers: tokens -> tree, bounded depth, no evaluation.

Binding, loosest first: separators (``,`` ``;`` and, or) < relations < set operations < sums <
products (written or implied) < signs < powers and postfixes < atoms.
"""

from __future__ import annotations

from fractions import Fraction

from hdpo_env.verifiers.parse import groups, numerals, spoken, words
from hdpo_env.verifiers.parse.lexer import Token
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, ParseError, Sym

MAX_DEPTH = 48
_END = Token("end", "")
_SEPARATORS = frozenset({",", "and", "or", "clause", "row"})
_STARTS = frozenset({"num", "repeat", "sym", "fn", "lb", "begin", "factor"})
_SIGNS = frozenset(["frac", "sqrt", "cbrt", "binom", "sum", "prod", "int", "intfrac", "lim"])
_FUNCTION_NAMES = frozenset(["f", "g", "h", "F", "G", "Gamma", "zeta"])


class Parser:
    """Reads one answer from tokens; every method consumes what it returns."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = [*tokens, _END, _END, _END, _END]  # room to look ahead
        self._at = 0
        self.token = self._tokens[0]  # the next one
        self.depth = 0
        self.bars: list[str] = []  # open |..| ("abs") and {..|..} ("set") around this point

    # -- token access ------------------------------------------------------------------

    def peek(self, ahead: int = 1) -> Token:
        """The token at most three places behind the next one."""
        return self._tokens[self._at + ahead] if self.token is not _END else _END

    def take(self) -> Token:
        """Consume the next token."""
        token = self.token
        if token is not _END:
            self._at += 1
            self.token = self._tokens[self._at]
        return token

    def drop(self, count: int) -> None:
        """Consume several tokens."""
        for _ in range(count):
            self.take()

    def replace(self, token: Token) -> None:
        """Put another token in place of the next one."""
        self._tokens[self._at] = self.token = token

    def is_op(self, value: str) -> bool:
        """Whether the next token is this operator."""
        return self.token.kind == "op" and self.token.value == value

    def expect(self, kind: str) -> Token:
        """Consume a token of this kind or fail."""
        if self.token.kind != kind:
            raise ParseError(f"expected {kind!r}, found {self.token.value or 'the end'!r}")
        return self.take()

    # -- answers, items, relations -------------------------------------------------------

    def answer(self, stop: frozenset[str] = frozenset({"end"})) -> Node:
        """One item, or a list of items up to a token whose kind is in ``stop``."""
        items: list[Node] = []
        joined: set[str] = set()
        while self.token.kind in _SEPARATORS:
            self.take()
        while self.token.kind not in stop:
            items.append(self.item())
            if self.token.kind in stop:
                break
            if self.token.kind not in _SEPARATORS:
                raise ParseError(f"unexpected {self.token.value!r}")
            while self.token.kind in _SEPARATORS:
                joined.add(self.take().kind)
        if not items:
            raise ParseError("nothing there")
        if len(items) == 1:
            return items[0]
        return Op("seq", tuple(items), "or" if "or" in joined else "")

    def item(self) -> Node:
        """A chain of relations, or a single expression."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError(f"nested deeper than {MAX_DEPTH}")
        if self.token.kind == "rel" and self.token.value in ("=", "~", "to"):
            self.take()  # "= 5": the left side was left out
        parts, names = [self.sets()], []
        while (name := self._relation()) is not None:
            names.append(name)
            parts.append(self.sets())
        self.depth -= 1
        node = parts[0] if not names else Op("rel", tuple(parts), ",".join(names))
        return self._modulus(node)

    def _relation(self) -> str | None:
        token = self.token
        if token.kind == "rel":
            self.take()
            if token.value in "<>" and self.token == Token("rel", "="):
                return self.take() and token.value + "="
            return token.value
        if token.kind == "word" and token.value.lower() in words.EQUALS:
            self.take()
            return "="
        return None

    def _modulus(self, node: Node) -> Node:
        token = self.token
        if token.kind == "cmd" and token.value in ("pmod", "mod", "bmod"):
            self.take()
            braced = self.token.kind == "lb"
            return Op("mod", (node, self.argument() if braced else self.power()))
        if token.kind == "open" and self.peek() == Token("cmd", "mod"):
            self.drop(2)
            modulus = self.sum()
            self.expect("close")
            return Op("mod", (node, modulus))
        if token.kind == "cmd" and token.value in ("choose", "over"):
            self.take()
            return Op("binom" if token.value == "choose" else "/", (node, self.item()))
        return node

    def sets(self) -> Node:
        """Unions, intersections and differences of sums; ratios and labels with a colon."""
        left = self.sum()
        while self.token.kind == "setop" or self._is_spoken_union():
            token = self.take()
            left = Op(token.value if token.kind == "setop" else "cup", (left, self.sum()))
        if self.token.kind == ":" and not (self.bars and self.bars[-1] == "set"):
            self.take()
            if isinstance(left, Op) and left.name == "text":
                return Op("rel", (left, self.sets()), "=")
            parts = [left, self.sum()]
            while self.token.kind == ":":
                self.take()
                parts.append(self.sum())
            return Op("ratio", tuple(parts))
        return left

    def _is_spoken_union(self) -> bool:
        """A capital U between two intervals."""
        is_between = self.token[:2] == ("sym", "U") and self.peek().kind == "open"
        return is_between and self._at > 0 and self._tokens[self._at - 1].kind == "close"

    # -- arithmetic ----------------------------------------------------------------------

    def sum(self) -> Node:
        """Terms joined by plus, minus and plus-minus."""
        terms: list[Node] = [self.signed()]
        while True:
            token = self.token
            if token.kind == "op" and token.value in "+-":
                self.take()
                term = self.signed()
                terms.append(term if token.value == "+" else Op("neg", (term,)))
            elif token.kind == "pm":
                self.take()
                left = terms[0] if len(terms) == 1 else Op("+", tuple(terms))
                terms = [Op("pm", (left, self.term()), token.value)]
            else:
                return terms[0] if len(terms) == 1 else Op("+", tuple(terms))

    def signed(self) -> Node:
        """A term with its signs."""
        token = self.token
        if token.kind == "op" and token.value in "+-":
            self.take()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise ParseError("too many signs")
            inner = self.signed()
            self.depth -= 1
            return inner if token.value == "+" else Op("neg", (inner,))
        if token.kind == "pm":
            self.take()
            return Op("pm", (self.term(),), token.value)
        return self.term()

    def term(self) -> Node:
        """Factors joined by ``*``, ``/`` or nothing."""
        node = self.power()
        while True:
            token = self.token
            if token.kind == "op" and token.value in "*/":
                self.take()
                right = self._factor_after_sign()
                node = Op(token.value, (node, right))
            elif token.kind == "word" and token.value.lower() not in words.EQUALS:
                node = spoken.quantity(self, node)
            elif token.kind == "money" and isinstance(node, (Num, Op)):
                node = Op("unit", (node,), self.take().value)
            elif self._continues_product():
                node = self._juxtapose(node)
            else:
                return node

    def _factor_after_sign(self) -> Node:
        if self.token.kind == "op" and self.token.value in "+-":
            sign = self.take().value
            inner = self._factor_after_sign() if self.depth < MAX_DEPTH else self.power()
            return inner if sign == "+" else Op("neg", (inner,))
        return self.power()

    def _continues_product(self) -> bool:
        kind, value, _ = self.token
        if self._is_spoken_union():
            return False
        if kind == "open":
            if value == "(" and self.peek() == Token("cmd", "mod"):
                return False
            return value != "[" or "french" not in self.bars
        if kind == "bar":
            return not self.bars
        if kind == "cmd":
            return value in _SIGNS
        return kind in _STARTS

    def _juxtapose(self, left: Node) -> Node:
        """``left`` directly followed by a factor: a mixed number, two quantities, or a product."""
        token = self.token
        right = self.power()
        whole = isinstance(left, Num) and left.value.denominator == 1 and left.places is None
        if token.kind == "cmd" and token.value == "frac" and whole:
            if _is_proper(right):
                return Op("+", (left, right))
            if (
                isinstance(right, Op)
                and right.name in ("percent", "deg")
                and _is_proper(*right.args)
            ):
                return Op(right.name, (Op("+", (left, *right.args)),))
        if isinstance(left, Op) and left.name == "unit" and token.kind == "num":
            return Op("+", (left, spoken.quantity(self, right)))
        if token.kind in ("num", "repeat") and isinstance(left, Num):
            return self._mixed(left, right, token)
        return Op("*", (left, right))

    def _mixed(self, left: Num, right: Node, token: Token) -> Node:
        if token.gap and self.is_op("/") and self.peek().kind == "num":
            self.take()
            fraction = Op("/", (right, self.power()))
            if left.value.denominator == 1 and _is_proper(fraction):
                return Op("+", (left, fraction))
        raise ParseError("two numbers in a row")

    def power(self) -> Node:
        """An atom with its exponents, factorials, percent and degree signs."""
        node = self.atom()
        while True:
            kind, value, _ = self.token
            if kind == "op" and value == "^":
                node = self._exponent(node)
            elif kind == "op" and value in "!'":
                self.take()
                node = self._mark(node, value)
            elif kind == "%":
                self.take()
                node = Op("percent", (node,))
            elif kind == "deg":
                self.take()
                node = self._degrees(node)
            else:
                return node

    def _mark(self, node: Node, mark: str) -> Node:
        if mark == "'":
            return Sym(node.name + "'") if isinstance(node, Sym) else Op("prime", (node,))
        if isinstance(node, Op) and node.name == "fact":
            return Op("fact2", node.args)
        return Op("fact", (node,))

    def _degrees(self, node: Node) -> Node:
        if self.token.kind in ("sym", "word") and self.token.value in "CF" and not self.peek().gap:
            return Op("unit", (node,), "deg" + self.take().value)
        return Op("deg", (node,))

    def _exponent(self, base: Node) -> Node:
        self.take()
        if self.token.kind == "deg":
            self.take()
            return self._degrees(base)
        if self.token.kind == "lb" and self.peek().kind == "deg" and self.peek(2).kind == "rb":
            self.drop(3)
            return self._degrees(base)
        if self.token == Token("op", "'") or (
            self.token.kind == "lb" and self.peek() == Token("op", "'")
        ):
            self.drop(1 if self.token.kind == "op" else 3)
            return self._mark(base, "'")
        return Op("^", (base, self.exponent_value()))

    def exponent_value(self) -> Node:
        """What stands in an exponent: a group, or a signed atom with its own exponent."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ParseError("a power tower too high")
        sign = self.take().value if self.is_op("-") or self.is_op("+") else "+"
        node = self.atom()
        if self.is_op("^"):
            node = self._exponent(node)
        self.depth -= 1
        return node if sign == "+" else Op("neg", (node,))

    # -- atoms ---------------------------------------------------------------------------

    def atom(self) -> Node:
        """A number, symbol, function application, bracket, command or phrase."""
        kind, value, _ = self.token
        if kind in ("num", "repeat"):
            return self._based(numerals.number(self.take()))
        if kind == "sym":
            return self._symbol()
        if kind == "fn":
            if self.peek().kind in (":", "rel", "end"):
                return Op("text", (), self.take().value)  # "max: 5"
            return groups.function(self)
        if kind == "money":
            self.take()
            return Op("unit", (self.power(),), value)
        if kind == "word":
            return spoken.phrase(self)
        return groups.atom(self)

    def _based(self, node: Num) -> Node:
        if not self.is_op("_"):
            return node
        self.take()
        base = self.argument()
        if isinstance(base, Op) and base.name == "text":
            base = Num(Fraction(words.NUMBER_WORDS.get(base.data, 0)))
        if not isinstance(base, Num) or not 2 <= base.value <= 36 or node.value.denominator != 1:
            raise ParseError("a subscript on a number must be a base from 2 to 36")
        return Op("base", (base,), str(node.value))

    def _symbol(self) -> Node:
        name = self.take().value
        if self.is_op("_"):
            self.take()
            name += "_" + self.subscript()
        if self.token == Token("open", "(") and (
            name.split("_")[0] in _FUNCTION_NAMES or self._is_defined_here()
        ):
            inner = groups.atom(self)
            args = inner.args if isinstance(inner, Op) and inner.name == "seq" else (inner,)
            return Op("call", args, name)
        return Sym(name)

    def _is_defined_here(self) -> bool:
        """Whether ``P(`` opens a bracket that is followed by an equals sign: P is a function."""
        depth = 0
        for at in range(self._at, min(len(self._tokens) - 1, self._at + 40)):
            kind = self._tokens[at].kind
            depth += {"open": 1, "close": -1}.get(kind, 0)
            if depth == 0:
                return self._tokens[at + 1][:2] == ("rel", "=")
        return False

    def subscript(self) -> str:
        """The spelling of a subscript: one token, or a group without its braces."""
        if self.token.kind != "lb":
            return self.take().value
        depth, spelling = 0, []
        while self.token.kind != "end":
            token = self.take()
            depth += {"lb": 1, "rb": -1}.get(token.kind, 0)
            if depth == 0:
                return "".join(spelling)
            if token.kind not in ("lb", "rb"):
                spelling.append(token.value)
        raise ParseError("a subscript without an end")

    def argument(self) -> Node:
        r"""One TeX argument: a group, or a single token (``\frac12`` takes one digit)."""
        if self.is_op("-"):
            self.take()
            return Op("neg", (self.argument(),))
        token = self.token
        if token.kind == "num" and len(token.value) > 1 and token.value.isdigit():
            self.replace(Token("num", token.value[1:]))
            return numerals.number(Token("num", token.value[0]))
        return self.atom()


def _is_proper(node: Node) -> bool:
    """Whether a node is a fraction of whole numbers below one, as in a mixed number."""
    if not (isinstance(node, Op) and node.name == "/"):
        return False
    top, bottom = node.args
    if not (isinstance(top, Num) and isinstance(bottom, Num)):
        return False
    whole = top.places is None and bottom.places is None
    return whole and 0 < top.value < bottom.value
