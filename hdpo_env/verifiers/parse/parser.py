"""A Pratt-style parser for final answers: tokens -> tree, bounded depth, no evaluation.

Binding, loosest first: separators (``,`` ``;`` and, or) < relations < set operations < sums <
products (written or implied) < signs < powers and postfixes < atoms.
"""

from __future__ import annotations

from fractions import Fraction

from hdpo_env.verifiers.parse import words
from hdpo_env.verifiers.parse.lexer import Token
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, ParseError, Sym

MAX_DEPTH = 48
_END = Token("end", "")
_SEPARATORS = frozenset({",", "and", "or", "clause", "row"})
_STARTS = frozenset({"num", "repeat", "sym", "fn", "lb", "begin"})
_FUNCTION_NAMES = frozenset(["f", "g", "h", "F", "G"])
_FILLER = frozenset(
    [
        "approximately",
        "about",
        "approx",
        "roughly",
        "around",
        "exactly",
        "only",
        "the",
        "a",
        "an",
        "answer",
        "value",
        "final",
        "total",
        "result",
        "equals",
        "is",
        "are",
    ]
)


class Parser:
    """Reads one answer from tokens; every method consumes what it returns."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.bars: list[str] = []  # open |..| ("abs") and {..|..} ("set") around this point

    # -- token access ------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def peek(self, ahead: int = 1) -> Token:
        """The token ``ahead`` places behind the next one."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else _END

    def take(self) -> Token:
        """Consume the next token."""
        token = self.token
        self.at += 1
        return token

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
            return Op("mod", (node, self.argument()))
        if token.kind == "open" and self.peek() == Token("cmd", "mod"):
            self.at += 2
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
        if self.token[:2] != ("sym", "U") or self.peek().kind != "open":
            return False
        return self.at > 0 and self.tokens[self.at - 1].kind == "close"

    # -- arithmetic ----------------------------------------------------------------------

    def sum(self) -> Node:
        """Terms joined by plus, minus and plus-minus."""
        terms = [self.signed()]
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
                node = self._quantity(node)
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
            return value in ("frac", "sqrt", "cbrt", "binom", "sum", "prod")
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
            return Op("+", (left, self._quantity(right)))
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
        if self.token.kind == "sym" and self.token.value in "CF" and not self.peek().gap:
            return Op("unit", (node,), "deg" + self.take().value)
        return Op("deg", (node,))

    def _exponent(self, base: Node) -> Node:
        self.take()
        if self.token.kind == "deg":
            self.take()
            return self._degrees(base)
        if self.token.kind == "lb" and self.peek().kind == "deg" and self.peek(2).kind == "rb":
            self.at += 3
            return self._degrees(base)
        if self.token == Token("op", "'") or (
            self.token.kind == "lb" and self.peek() == Token("op", "'")
        ):
            self.at += 1 if self.token.kind == "op" else 3
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
        from hdpo_env.verifiers.parse import groups  # the two halves of one grammar

        kind, value, _ = self.token
        if kind in ("num", "repeat"):
            return self._based(number(self.take()))
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
            return self._phrase()
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
            from hdpo_env.verifiers.parse import groups

            inner = groups.atom(self)
            args = inner.args if isinstance(inner, Op) and inner.name == "seq" else (inner,)
            return Op("call", args, name)
        return Sym(name)

    def _is_defined_here(self) -> bool:
        """Whether ``P(`` opens a bracket that is followed by an equals sign: P is a function."""
        depth = 0
        for at in range(self.at, min(len(self.tokens), self.at + 40)):
            kind = self.tokens[at].kind
            depth += {"open": 1, "close": -1}.get(kind, 0)
            if depth == 0:
                return self.tokens[at + 1 : at + 2] == [Token("rel", "=")] or (
                    self.tokens[at + 1 : at + 2] == [Token("rel", "=", True)]
                )
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
            self.tokens[self.at] = Token("num", token.value[1:])
            return number(Token("num", token.value[0]))
        return self.atom()

    # -- words ---------------------------------------------------------------------------

    def _phrase(self) -> Node:
        """Words where an operand should be: a spoken number, a filler, or a label."""
        spoken = []
        while self.token.kind == "word" and self.token.value.lower() not in words.EQUALS:
            spoken.append(self.take().value.lower())
            if self.is_op("-") and self.peek().kind == "word":
                self.take()
        if not spoken:
            raise ParseError("a sentence without a subject")
        count = next((i for i, w in enumerate(spoken) if w not in words.NUMBER_WORDS), len(spoken))
        value = spoken_number(spoken[:count]) if count else None
        if value is not None:
            number_node = Num(Fraction(value))
            rest = " ".join(spoken[count:])
            return Op("unit", (number_node,), rest) if rest else number_node
        if all(word in _FILLER for word in spoken) and self.token.kind in (
            "num",
            "lb",
            "cmd",
            "op",
        ):
            return self.power() if not self.is_op("-") else self.signed()
        return Op("text", (), " ".join(spoken))

    def _names_unit(self, kind: str) -> bool:
        """Whether what follows an operator belongs to a unit: a word, or a lone letter (km/h)."""
        is_last = self.peek(2).kind in ("end", ",", "and", "or", "op", "close", "rel")
        return kind == "word" or (kind == "sym" and is_last)

    def _quantity(self, node: Node) -> Node:
        """A value followed by words: scale words multiply, the rest is its unit."""
        spelling: list[str] = []
        while True:
            kind, value, _ = self.token
            after = self.peek().kind
            if kind == "word" and value.lower() in words.SCALES and not spelling:
                self.take()
                node = Op("*", (node, Num(Fraction(words.SCALES[value.lower()]))))
            elif (kind == "word" and value.lower() not in words.EQUALS) or (
                kind == "sym" and spelling and spelling[-1] in ("*", "/")
            ):
                spelling.append(self.take().value)
            elif kind == "op" and value == "^" and spelling:
                self.take()
                spelling.append("^" + _plain(self.exponent_value()))
            elif kind == "op" and value in "*/-" and spelling and self._names_unit(after):
                spelling.append(self.take().value)
            else:
                break
        return Op("unit", (node,), " ".join(spelling)) if spelling else node


def _plain(exponent: Node) -> str:
    if isinstance(exponent, Num):
        return str(exponent.value)
    if isinstance(exponent, Op) and exponent.name == "neg" and isinstance(exponent.args[0], Num):
        return f"-{exponent.args[0].value}"
    raise ParseError("a unit with an odd exponent")


def _is_proper(node: Node) -> bool:
    """Whether a node is a fraction of whole numbers below one, as in a mixed number."""
    if not (isinstance(node, Op) and node.name == "/"):
        return False
    top, bottom = node.args
    if not (isinstance(top, Num) and isinstance(bottom, Num)):
        return False
    whole = top.places is None and bottom.places is None
    return whole and 0 < top.value < bottom.value


def number(token: Token) -> Num:
    """The exact value of a number token, repeating decimals included."""
    if token.kind == "repeat":
        return Num(_repeating(token.value))
    mantissa, _, exponent = token.value.lower().partition("e")
    places = len(mantissa.partition(".")[2]) if "." in mantissa else None
    if exponent:
        if abs(int(exponent)) > 5000:
            raise ParseError(f"the exponent {exponent} is beyond 5000")
        return Num(Fraction(mantissa) * Fraction(10) ** int(exponent), places or 0)
    return Num(Fraction(mantissa.rstrip(".") or "0"), places or None)


def _repeating(text: str) -> Fraction:
    head, _, cycle = text.partition("|")
    cycle = cycle.replace("|", "")
    whole, _, fixed = head.partition(".")
    scale = 10 ** len(fixed)
    value = Fraction(int((whole or "0") + fixed), scale)
    return value + Fraction(int(cycle or "0"), (10 ** max(1, len(cycle)) - 1) * scale)


def spoken_number(spoken: list[str]) -> int | None:
    """The value of number words up to a few thousand, or None.

    >>> spoken_number(["two", "hundred", "thirty", "one"])
    231
    """
    total = current = 0
    for word in spoken:
        if word not in words.NUMBER_WORDS:
            return None
        value = words.NUMBER_WORDS[word]
        if value == 100:
            current = max(1, current) * 100
        elif value == 1000:
            total, current = total + max(1, current) * 1000, 0
        elif (
            current % 10 or (value >= 20 and current % 100) or (value < 20 and current % 100 == 10)
        ):
            return None
        else:
            current += value
    return total + current
