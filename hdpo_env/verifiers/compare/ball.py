"""Interval evaluation of real and complex expressions, at any precision.

Every operation encloses the true value (mpmath's directed rounding), so two disjoint enclosures
prove that two numbers differ. Overlap proves nothing by itself; see `numeric` for what it takes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mpmath import libmp
from mpmath.libmp import libmpi as iv

from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, integer

Real = tuple[Any, Any]  # lower and upper end, raw mpmath floats
_MAX_LOG2 = 1 << 40  # |log2 x| beyond this is Huge
_MODERATE = 1 << 30
_MAX_TRIG_LOG2 = 4_096
_MAX_GAMMA = 1 << 20
_MAX_SUM = 2_000
_HUGE_FACTORIAL = 1 << 36  # log2 of its factorial is beyond 2^40


class Undecided(ArithmeticError):
    """This expression has no enclosure here (a pole, a branch cut, an unknown function)."""


class OutOfDomain(Undecided):
    """A real expression left the real numbers at this point."""


class Huge(ArithmeticError):
    """The value is real, of this sign, and its modulus is beyond 2^(2^39)."""

    def __init__(self, sign: int = 1) -> None:
        super().__init__(sign)
        self.sign = sign


class Ball:
    """An enclosure: a real interval and, unless the value is real, an imaginary one."""

    __slots__ = ("im", "re")

    def __init__(self, re: Real, im: Real | None = None) -> None:
        self.re = re
        self.im = None if im == iv.mpi_zero else im

    def pair(self) -> tuple[Real, Real]:
        """Real and imaginary enclosures."""
        return self.re, self.im if self.im is not None else iv.mpi_zero


def sign(x: Real) -> int | None:
    """1, -1 or 0 if the whole interval has that sign, else None."""
    low, high = libmp.mpf_sign(x[0]), libmp.mpf_sign(x[1])
    return low if low == high else None


def log2_size(x: Real) -> int | None:
    """A bound of log2 of the larger end's modulus; None for exact zero or an infinite end."""
    sizes = [e[2] + e[3] for e in x if e[1]]
    if any(not e[1] and e[2] for e in x):  # inf or nan in mpmath's raw form
        raise Undecided("an unbounded enclosure")
    return max(sizes) if sizes else None


class Evaluator:
    """Encloses trees at one assignment of the letters.

    Args:
        prec: working precision in bits.
        point: rational value of each letter.
        is_complex: whether values may leave the real line; if not, that is `OutOfDomain`.
    """

    def __init__(self, prec: int, point: dict[str, Fraction], is_complex: bool) -> None:
        self._prec = prec
        self._point = point
        self._is_complex = is_complex
        self.extent = 0  # largest |log2| met on the way

    def value(self, node: Node) -> Ball:
        """The enclosure of a node.

        Raises:
            Undecided: there is no enclosure at this precision.
            OutOfDomain: a real expression became complex.
            Huge: the value is too large to enclose.
        """
        if isinstance(node, Num):
            return self._rational(node.value)
        if isinstance(node, Sym):
            return self._symbol(node.name)
        method = getattr(self, f"_{_METHODS[node.name]}", None) if node.name in _METHODS else None
        if method is None:
            raise Undecided(f"{node.name} has no numeric value")
        return self._sized(method(node))

    def _sized(self, ball: Ball) -> Ball:
        for part in (ball.re, ball.im):
            if part is None:
                continue
            size = log2_size(part)
            if size is not None:
                if size > _MAX_LOG2:
                    direction = sign(part)
                    if direction and ball.im is None:
                        raise Huge(direction)
                    raise Undecided("too large")
                if sign(part):  # an enclosure of zero has no size of its own
                    self.extent = max(self.extent, abs(size))
        return ball

    def _rational(self, value: Fraction) -> Ball:
        top, bottom, prec = value.numerator, value.denominator, self._prec
        low = libmp.from_rational(top, bottom, prec, "f")
        return self._sized(Ball((low, libmp.from_rational(top, bottom, prec, "c"))))

    def _symbol(self, name: str) -> Ball:
        if name in self._point:
            return self._rational(self._point[name])
        if name == "pi":
            return Ball(iv.mpi_pi(self._prec))
        if name == "e":
            return Ball(iv.mpi_exp(iv.mpi_one, self._prec))
        if name == "i":
            return Ball(iv.mpi_zero, iv.mpi_one)
        raise Undecided(f"{name} has no value")

    # -- arithmetic ----------------------------------------------------------------------

    def _sum(self, node: Op) -> Ball:
        balls: list[Ball] = []
        signs: set[int] = set()
        for arg in node.args:
            try:
                balls.append(self.value(arg))
            except Huge as huge:
                signs.add(huge.sign)
        if len(signs) == 1 and all(self._is_moderate(b) for b in balls):
            raise Huge(signs.pop())  # the others cannot outweigh it
        if signs:
            raise Undecided("huge terms that may cancel")
        total = balls[0]
        for ball in balls[1:]:
            total = self._plus(total, ball)
        return total

    def _plus(self, a: Ball, b: Ball) -> Ball:
        re = iv.mpi_add(a.re, b.re, self._prec)
        if a.im is None and b.im is None:
            return Ball(re)
        return Ball(re, iv.mpi_add(a.pair()[1], b.pair()[1], self._prec))

    def _times(self, a: Ball, b: Ball) -> Ball:
        if a.im is None and b.im is None:
            return Ball(iv.mpi_mul(a.re, b.re, self._prec))
        return Ball(*iv.mpci_mul(a.pair(), b.pair(), self._prec))

    def _is_moderate(self, ball: Ball) -> bool:
        """Whether a value is real and far from both zero and the bound of `Huge`."""
        size = log2_size(ball.re) if ball.im is None else None
        return ball.re == iv.mpi_zero or (size is not None and abs(size) < _MODERATE)

    def _product(self, node: Op) -> Ball:
        left, right = node.args
        try:
            a = self.value(left)
        except Huge as huge:
            raise self._scaled(huge, self.value(right)) from None
        try:
            return self._times(a, self.value(right))
        except Huge as huge:
            raise self._scaled(huge, a) from None

    def _scaled(self, huge: Huge, factor: Ball) -> ArithmeticError:
        direction = sign(factor.re) if factor.im is None else None
        if direction and self._is_moderate(factor):
            return Huge(huge.sign * direction)
        return Undecided("a huge value times what may be zero")

    def _quotient(self, node: Op) -> Ball:
        bottom = self.value(node.args[1])
        try:
            return self._over(self.value(node.args[0]), bottom)
        except Huge as huge:
            raise self._scaled(huge, bottom) from None

    def _over(self, top: Ball, bottom: Ball) -> Ball:
        if not sign(bottom.re) and (bottom.im is None or not sign(bottom.im)):
            raise Undecided("a denominator that may be zero")
        if top.im is None and bottom.im is None:
            return Ball(iv.mpi_div(top.re, bottom.re, self._prec))
        return Ball(*iv.mpci_div(top.pair(), bottom.pair(), self._prec))

    def _negative(self, node: Op) -> Ball:
        try:
            a = self.value(node.args[0])
        except Huge as huge:
            raise Huge(-huge.sign) from None
        return Ball(iv.mpi_neg(a.re), None if a.im is None else iv.mpi_neg(a.im))

    def _percent(self, node: Op) -> Ball:
        return self._over(self.value(node.args[0]), self._rational(Fraction(100)))

    def _degrees(self, node: Op) -> Ball:
        return self.value(Op("*", (node.args[0], Op("/", (Sym("pi"), integer(180))))))

    # -- powers and logarithms -------------------------------------------------------------

    def _power(self, node: Op) -> Ball:
        base_node, exponent_node = node.args
        exponent = self._exact(exponent_node)
        if isinstance(base_node, Sym) and base_node.name == "e" and "e" not in self._point:
            return self._exp(self.value(exponent_node))
        base = self.value(base_node)
        if exponent is None:
            return self._general_power(base, exponent_node)
        if exponent.denominator == 1:
            return self._integer_power(base, exponent.numerator)
        if exponent.denominator % 2 and base.im is None and sign(base.re) == -1:
            root = self._real_root(Ball(iv.mpi_neg(base.re)), exponent.denominator)
            minus = Ball(iv.mpi_neg(root.re))
            return self._integer_power(minus, exponent.numerator)
        return self._general_power(base, exponent_node)

    def _exact(self, node: Node) -> Fraction | None:
        if self._point and not isinstance(node, Num):
            node = _substitute(node, self._point)
        return rational(node)

    def _integer_power(self, base: Ball, n: int) -> Ball:
        if n <= 0 and base.im is None and not sign(base.re):
            raise Undecided("a non-positive power of what may be zero")
        size = log2_size(base.re) or 0
        if abs(n) > 1 << 62 or abs(n * size) > 4 * _MAX_LOG2:
            self._refuse_power(base, n)
        if base.im is None:
            return Ball(iv.mpi_pow_int(base.re, n, self._prec))
        if abs(n) > 1 << 20:
            raise Undecided("a large power of a complex number")
        return Ball(*iv.mpci_pow_int(base.pair(), n, self._prec))

    def _refuse_power(self, base: Ball, n: int) -> None:
        two = libmp.from_int(2)
        grows = base.im is None and all(libmp.mpf_ge(libmp.mpf_abs(end), two) for end in base.re)
        if n > 0 and grows and sign(base.re):
            raise Huge
        raise Undecided("a power out of range")

    def _general_power(self, base: Ball, exponent_node: Node) -> Ball:
        try:
            exponent = self.value(exponent_node)
        except Huge as huge:
            if huge.sign == 1 and base.im is None and sign(base.re) == 1:
                self._refuse_power(base, 1 << 62)
            raise Undecided("a huge exponent") from None
        if base.im is None and base.re == iv.mpi_zero:
            if exponent.im is None and sign(exponent.re) == 1:
                return Ball(iv.mpi_zero)
            raise Undecided("a power of zero")
        return self._exp(self._times(exponent, self._log(base)))

    def _exp(self, x: Ball) -> Ball:
        size = log2_size(x.re)
        if size is not None and size > 40:
            if x.im is None and sign(x.re) == 1:
                raise Huge
            raise Undecided("an exponential out of range")
        if x.im is None:
            return Ball(iv.mpi_exp(x.re, self._prec))
        self._bounded_angle(x.im)
        return Ball(*iv.mpci_exp(x.pair(), self._prec))

    def _log(self, x: Ball) -> Ball:
        if x.im is None and sign(x.re) == 1:
            return Ball(iv.mpi_log(x.re, self._prec))
        if not self._is_complex:
            raise OutOfDomain("a logarithm of a number that is not positive")
        if x.im is None and sign(x.re) == -1:
            positive = iv.mpi_log(iv.mpi_neg(x.re), self._prec)
            return Ball(positive, iv.mpi_pi(self._prec))
        if x.im is None or (not sign(x.im) and sign(x.re) != 1):
            raise Undecided("a logarithm at its cut")
        return Ball(*iv.mpci_log(x.pair(), self._prec))

    def _logarithm(self, node: Op) -> Ball:
        top = self._log(self.value(node.args[0]))
        if len(node.args) == 1:
            return top
        return self._over(top, self._log(self.value(node.args[1])))

    def _root(self, node: Op) -> Ball:
        index = self._exact(node.args[1])
        if index is None or index.denominator != 1 or not 1 <= index <= 1_000:
            return self._power(Op("^", (node.args[0], Op("/", (integer(1), node.args[1])))))
        return self._real_root(self.value(node.args[0]), index.numerator)

    def _real_root(self, x: Ball, n: int) -> Ball:
        if x.im is None:
            if x.re == iv.mpi_zero:
                return x
            if sign(x.re) == -1:
                return self._root_of_negative(x, n)
            if n == 2 and sign(x.re) == 1:
                return Ball(iv.mpi_sqrt(x.re, self._prec))
            if not sign(x.re):
                raise Undecided("a root of what may be zero")
        return self._exp(self._over(self._log(x), self._rational(Fraction(n))))

    def _root_of_negative(self, x: Ball, n: int) -> Ball:
        positive = self._real_root(Ball(iv.mpi_neg(x.re)), n)
        if n % 2:
            return Ball(iv.mpi_neg(positive.re))
        if not self._is_complex:
            raise OutOfDomain("an even root of a negative number")
        if n == 2:
            return Ball(iv.mpi_zero, positive.re)
        return self._exp(self._over(self._log(x), self._rational(Fraction(n))))

    # -- functions -------------------------------------------------------------------------

    def _bounded_angle(self, x: Real) -> None:
        if (log2_size(x) or 0) > _MAX_TRIG_LOG2:
            raise Undecided("an angle out of range")

    def _trigonometric(self, node: Op) -> Ball:
        x = self.value(node.args[0])
        self._bounded_angle(x.re)
        cos, sin = self._cos_sin(x)
        one = Ball(iv.mpi_one)
        match node.name:
            case "sin":
                return sin
            case "cos":
                return cos
            case "tan":
                return self._over(sin, cos)
            case "cot":
                return self._over(cos, sin)
            case "sec":
                return self._over(one, cos)
        return self._over(one, sin)

    def _cos_sin(self, x: Ball) -> tuple[Ball, Ball]:
        if x.im is None:
            cos, sin = iv.mpi_cos_sin(x.re, self._prec)
            return Ball(cos), Ball(sin)
        if (log2_size(x.im) or 0) > 40:
            raise Undecided("an angle out of range")
        pair = x.pair()
        return Ball(*iv.mpci_cos(pair, self._prec)), Ball(*iv.mpci_sin(pair, self._prec))

    def _hyperbolic(self, node: Op) -> Ball:
        x = self.value(node.args[0])
        up = self._exp(x)
        down = self._over(Ball(iv.mpi_one), up)
        cosh2 = self._plus(up, down)
        sinh2 = self._plus(up, Ball(*map_neg(down)))
        half = self._rational(Fraction(1, 2))
        match node.name:
            case "sinh":
                return self._times(sinh2, half)
            case "cosh":
                return self._times(cosh2, half)
            case "tanh":
                return self._over(sinh2, cosh2)
        return self._over(cosh2, sinh2)

    def _inverse_trigonometric(self, node: Op) -> Ball:
        x = self.value(node.args[0])
        if x.im is not None:
            raise Undecided("an inverse sine of a complex number")
        if node.name == "atan":
            return Ball(iv.mpi_atan(x.re, self._prec))
        if node.name == "acot":
            return self._right_angle_minus(Ball(iv.mpi_atan(x.re, self._prec)))
        angle = self._arcsine(x)
        return angle if node.name == "asin" else self._right_angle_minus(angle)

    def _arcsine(self, x: Ball) -> Ball:
        """Asin x = atan(x / sqrt(1 - x^2)), with the exact ends +-1 apart."""
        minus_one = iv.mpi_neg(iv.mpi_one)
        if x.re in (iv.mpi_one, minus_one):
            half = iv.mpi_shift(iv.mpi_pi(self._prec), -1)
            return Ball(half if x.re == iv.mpi_one else iv.mpi_neg(half))
        rest = iv.mpi_sub(iv.mpi_one, iv.mpi_square(x.re, self._prec), self._prec)
        if sign(rest) == -1:
            raise OutOfDomain("an arcsine beyond one")
        if sign(rest) != 1:
            raise Undecided("an arcsine at its end")
        cosine = iv.mpi_sqrt(rest, self._prec)
        return Ball(iv.mpi_atan(iv.mpi_div(x.re, cosine, self._prec), self._prec))

    def _right_angle_minus(self, x: Ball) -> Ball:
        half = iv.mpi_shift(iv.mpi_pi(self._prec), -1)
        return Ball(iv.mpi_sub(half, x.re, self._prec))

    def _modulus(self, node: Op) -> Ball:
        x = self.value(node.args[0])
        if x.im is None:
            return Ball(iv.mpi_abs(x.re, self._prec))
        squares = iv.mpi_add(
            iv.mpi_square(x.re, self._prec), iv.mpi_square(x.im, self._prec), self._prec
        )
        return self._real_root(Ball(squares), 2)

    def _rounded(self, node: Op) -> Ball:
        exact = self._exact(node.args[0])
        x = self.value(node.args[0]) if exact is None else self._rational(exact)
        if x.im is not None or (log2_size(x.re) or 0) > self._prec - 8:
            raise Undecided("a floor out of range")
        rule = libmp.mpf_floor if node.name == "floor" else libmp.mpf_ceil
        low, high = rule(x.re[0]), rule(x.re[1])
        if low != high:
            raise Undecided("a floor at its step")
        return Ball((low, high))

    def _extreme(self, node: Op) -> Ball:
        balls = [self.value(arg) for arg in node.args]
        if any(b.im is not None for b in balls):
            raise Undecided("an order of complex numbers")
        pick = libmp.mpf_max if hasattr(libmp, "mpf_max") else _mpf_max
        if node.name == "min":
            pick = _mpf_min
        low, high = balls[0].re
        for ball in balls[1:]:
            low, high = pick(low, ball.re[0]), pick(high, ball.re[1])
        return Ball((low, high))

    def _factorial(self, node: Op) -> Ball:
        exact = self._exact(node.args[0])
        if exact is not None and exact.denominator == 1 and exact < 0:
            raise Undecided("a factorial at a pole")
        if exact is not None and exact > _MAX_GAMMA:
            if exact.denominator == 1:
                raise Huge(1) if exact > _HUGE_FACTORIAL else Undecided("a large factorial")
            raise Undecided("a factorial out of range")
        x = self.value(node.args[0])
        size = log2_size(x.re)
        if x.im is not None or (size is not None and size > 20) or sign(x.re) == -1:
            raise Undecided("a factorial out of range")
        return Ball(iv.mpi_factorial(x.re, self._prec))

    def _binomial(self, node: Op) -> Ball:
        n, k = node.args
        difference = Op("+", (n, Op("neg", (k,))))
        bottom = Op("*", (Op("fact", (k,)), Op("fact", (difference,))))
        return self.value(Op("/", (Op("fact", (n,)), bottom)))

    def _big(self, node: Op) -> Ball:
        """A finite sum or product with integer bounds."""
        index, low, high, body = node.args
        first, last = self._exact(low), self._exact(high)
        if not isinstance(index, Sym) or first is None or last is None:
            raise Undecided("a sum without numeric bounds")
        if first.denominator != 1 or last.denominator != 1 or last - first > _MAX_SUM:
            raise Undecided("a sum out of range")
        total = self._rational(Fraction(0 if node.name == "sum" else 1))
        for k in range(first.numerator, last.numerator + 1):
            inner = Evaluator(
                self._prec, {**self._point, index.name: Fraction(k)}, self._is_complex
            )
            term = inner.value(body)
            total = self._plus(total, term) if node.name == "sum" else self._times(total, term)
        return total


def map_neg(ball: Ball) -> tuple[Real, Real | None]:
    """The parts of minus a ball."""
    return iv.mpi_neg(ball.re), None if ball.im is None else iv.mpi_neg(ball.im)


def _mpf_max(a: Any, b: Any) -> Any:
    return a if libmp.mpf_ge(a, b) else b


def _mpf_min(a: Any, b: Any) -> Any:
    return b if libmp.mpf_ge(a, b) else a


def _substitute(node: Node, point: dict[str, Fraction]) -> Node:
    if isinstance(node, Sym):
        return Num(point[node.name]) if node.name in point else node
    if isinstance(node, Op):
        return Op(node.name, tuple(_substitute(a, point) for a in node.args), node.data)
    return node


_METHODS = {
    "+": "sum", "*": "product", "/": "quotient", "neg": "negative", "percent": "percent",
    "deg": "degrees", "^": "power", "root": "root", "ln": "logarithm", "log": "logarithm",
    "sin": "trigonometric", "cos": "trigonometric", "tan": "trigonometric",
    "cot": "trigonometric", "sec": "trigonometric", "csc": "trigonometric",
    "sinh": "hyperbolic", "cosh": "hyperbolic", "tanh": "hyperbolic", "coth": "hyperbolic",
    "asin": "inverse_trigonometric", "acos": "inverse_trigonometric",
    "atan": "inverse_trigonometric", "acot": "inverse_trigonometric", "abs": "modulus",
    "norm": "modulus", "floor": "rounded", "ceil": "rounded", "max": "extreme", "min": "extreme",
    "fact": "factorial", "binom": "binomial", "sum": "big", "prod": "big",
}  # fmt: skip
