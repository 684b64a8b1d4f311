"""Interval evaluation of arithmetic, powers, roots and logarithms, at any precision.

Every operation encloses the true value (mpmath's directed rounding), so two disjoint enclosures
prove that two numbers differ. Overlap proves nothing by itself; see `numeric` for what it takes.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from typing import ClassVar

from mpmath import libmp
from mpmath.libmp import libmpi as iv

from hdpo_env.verifiers.compare.ball import (
    Ball,
    HugeError,
    OutOfDomainError,
    Real,
    UndecidedError,
    log2_size,
    sign,
)
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.parse.nodes import Node, Num, Op, Sym, integer, substitute

_MAX_LOG2 = 1 << 40  # |log2 x| beyond this is HugeError
_MODERATE = 1 << 30
_MAX_TRIG_LOG2 = 4_096


class Arithmetic:
    """Encloses trees at one assignment of the letters.

    Args:
        prec: working precision in bits.
        point: rational value of each letter.
        is_complex: whether values may leave the real line; if not, that is `OutOfDomainError`.
    """

    rules: ClassVar[dict[str, str]] = {
        "+": "sum", "*": "product", "/": "quotient", "neg": "negative", "percent": "percent",
        "deg": "degrees", "^": "power", "root": "root", "ln": "logarithm", "log": "logarithm",
    }  # fmt: skip

    def __init__(self, prec: int, point: dict[str, Fraction], is_complex: bool) -> None:
        self._prec = prec
        self._point = point
        self._is_complex = is_complex
        self.extent = 0  # largest |log2| met on the way

    def value(self, node: Node) -> Ball:
        """The enclosure of a node.

        Raises:
            UndecidedError: there is no enclosure at this precision.
            OutOfDomainError: a real expression became complex.
            HugeError: the value is too large to enclose.
        """
        if isinstance(node, Num):
            return self._rational(node.value)
        if isinstance(node, Sym):
            return self._symbol(node.name)
        rule = self.rules.get(node.name)
        method = getattr(self, f"_{rule}") if rule else None
        if method is None:
            raise UndecidedError(f"{node.name} has no numeric value")
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
                        raise HugeError(direction)
                    raise UndecidedError("too large")
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
        raise UndecidedError(f"{name} has no value")

    # -- arithmetic ----------------------------------------------------------------------

    def _sum(self, node: Op) -> Ball:
        balls: list[Ball] = []
        signs: set[int] = set()
        for arg in node.args:
            try:
                balls.append(self.value(arg))
            except HugeError as huge:
                signs.add(huge.sign)
        if len(signs) == 1 and all(self._is_moderate(b) for b in balls):
            raise HugeError(signs.pop())  # the others cannot outweigh it
        if signs:
            raise UndecidedError("huge terms that may cancel")
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
        """Whether a value is real and far from both zero and the bound of `HugeError`."""
        size = log2_size(ball.re) if ball.im is None else None
        return ball.re == iv.mpi_zero or (size is not None and abs(size) < _MODERATE)

    def _product(self, node: Op) -> Ball:
        left, right = node.args
        try:
            a = self.value(left)
        except HugeError as huge:
            raise self._scaled(huge, self.value(right)) from None
        try:
            return self._times(a, self.value(right))
        except HugeError as huge:
            raise self._scaled(huge, a) from None

    def _scaled(self, huge: HugeError, factor: Ball) -> ArithmeticError:
        direction = sign(factor.re) if factor.im is None else None
        if direction and self._is_moderate(factor):
            return HugeError(huge.sign * direction)
        return UndecidedError("a huge value times what may be zero")

    def _quotient(self, node: Op) -> Ball:
        bottom = self.value(node.args[1])
        try:
            return self._over(self.value(node.args[0]), bottom)
        except HugeError as huge:
            raise self._scaled(huge, bottom) from None

    def _over(self, top: Ball, bottom: Ball) -> Ball:
        if not sign(bottom.re) and (bottom.im is None or not sign(bottom.im)):
            raise UndecidedError("a denominator that may be zero")
        if top.im is None and bottom.im is None:
            return Ball(iv.mpi_div(top.re, bottom.re, self._prec))
        return Ball(*iv.mpci_div(top.pair(), bottom.pair(), self._prec))

    def _negative(self, node: Op) -> Ball:
        try:
            a = self.value(node.args[0])
        except HugeError as huge:
            raise HugeError(-huge.sign) from None
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
            node = reduce(_put, self._point.items(), node)
        return rational(node)

    def _integer_power(self, base: Ball, n: int) -> Ball:
        if n <= 0 and base.im is None and not sign(base.re):
            raise UndecidedError("a non-positive power of what may be zero")
        size = log2_size(base.re) or 0
        if abs(n) > 1 << 62 or abs(n * size) > 4 * _MAX_LOG2:
            self._refuse_power(base, n)
        if base.im is None:
            return Ball(iv.mpi_pow_int(base.re, n, self._prec))
        if abs(n) > 1 << 20:
            raise UndecidedError("a large power of a complex number")
        return Ball(*iv.mpci_pow_int(base.pair(), n, self._prec))

    def _refuse_power(self, base: Ball, n: int) -> None:
        two = libmp.from_int(2)
        grows = base.im is None and all(libmp.mpf_ge(libmp.mpf_abs(end), two) for end in base.re)
        if n > 0 and grows and sign(base.re):
            raise HugeError
        raise UndecidedError("a power out of range")

    def _general_power(self, base: Ball, exponent_node: Node) -> Ball:
        try:
            exponent = self.value(exponent_node)
        except HugeError as huge:
            if huge.sign == 1 and base.im is None and sign(base.re) == 1:
                self._refuse_power(base, 1 << 62)
            raise UndecidedError("a huge exponent") from None
        if base.im is None and base.re == iv.mpi_zero:
            if exponent.im is None and sign(exponent.re) == 1:
                return Ball(iv.mpi_zero)
            raise UndecidedError("a power of zero")
        return self._exp(self._times(exponent, self._log(base)))

    def _exp(self, x: Ball) -> Ball:
        size = log2_size(x.re)
        if size is not None and size > 40:
            if x.im is None and sign(x.re) == 1:
                raise HugeError
            raise UndecidedError("an exponential out of range")
        if x.im is None:
            return Ball(iv.mpi_exp(x.re, self._prec))
        self._bounded_angle(x.im)
        return Ball(*iv.mpci_exp(x.pair(), self._prec))

    def _log(self, x: Ball) -> Ball:
        if x.im is None and sign(x.re) == 1:
            return Ball(iv.mpi_log(x.re, self._prec))
        if not self._is_complex:
            raise OutOfDomainError("a logarithm of a number that is not positive")
        if x.im is None and sign(x.re) == -1:
            positive = iv.mpi_log(iv.mpi_neg(x.re), self._prec)
            return Ball(positive, iv.mpi_pi(self._prec))
        if x.im is None or (not sign(x.im) and sign(x.re) != 1):
            raise UndecidedError("a logarithm at its cut")
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
                raise UndecidedError("a root of what may be zero")
        return self._exp(self._over(self._log(x), self._rational(Fraction(n))))

    def _root_of_negative(self, x: Ball, n: int) -> Ball:
        positive = self._real_root(Ball(iv.mpi_neg(x.re)), n)
        if n % 2:
            return Ball(iv.mpi_neg(positive.re))
        if not self._is_complex:
            raise OutOfDomainError("an even root of a negative number")
        if n == 2:
            return Ball(iv.mpi_zero, positive.re)
        return self._exp(self._over(self._log(x), self._rational(Fraction(n))))

    def _bounded_angle(self, x: Real) -> None:
        if (log2_size(x) or 0) > _MAX_TRIG_LOG2:
            raise UndecidedError("an angle out of range")


def _put(node: Node, letter: tuple[str, Fraction]) -> Node:
    return substitute(node, letter[0], Num(letter[1]))
