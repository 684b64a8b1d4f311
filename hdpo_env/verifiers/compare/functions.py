"""Interval evaluation of trigonometric and the other named functions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

from mpmath import libmp
from mpmath.libmp import libmpi as iv

from hdpo_env.verifiers.compare.arithmetic import Arithmetic
from hdpo_env.verifiers.compare.ball import (
    Ball,
    HugeError,
    OutOfDomainError,
    UndecidedError,
    log2_size,
    negated,
    sign,
)
from hdpo_env.verifiers.parse.nodes import Op, Sym

_MAX_GAMMA = 1 << 20
_MAX_SUM = 2_000
_HUGE_FACTORIAL = 1 << 36  # log2 of its factorial is beyond 2^40


class Evaluator(Arithmetic):
    """`Arithmetic` and the functions an answer may hold."""

    rules: ClassVar[dict[str, str]] = {
        **Arithmetic.rules,
        "sin": "trigonometric", "cos": "trigonometric", "tan": "trigonometric",
        "cot": "trigonometric", "sec": "trigonometric", "csc": "trigonometric",
        "sinh": "hyperbolic", "cosh": "hyperbolic", "tanh": "hyperbolic", "coth": "hyperbolic",
        "asin": "inverse_trigonometric", "acos": "inverse_trigonometric",
        "atan": "inverse_trigonometric", "acot": "inverse_trigonometric", "abs": "modulus",
        "norm": "modulus", "floor": "rounded", "ceil": "rounded", "max": "extreme",
        "min": "extreme", "fact": "factorial", "binom": "binomial", "sum": "big", "prod": "big",
    }  # fmt: skip

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
            raise UndecidedError("an angle out of range")
        pair = x.pair()
        return Ball(*iv.mpci_cos(pair, self._prec)), Ball(*iv.mpci_sin(pair, self._prec))

    def _hyperbolic(self, node: Op) -> Ball:
        x = self.value(node.args[0])
        up = self._exp(x)
        down = self._over(Ball(iv.mpi_one), up)
        cosh2 = self._plus(up, down)
        sinh2 = self._plus(up, Ball(*negated(down)))
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
            raise UndecidedError("an inverse sine of a complex number")
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
            raise OutOfDomainError("an arcsine beyond one")
        if sign(rest) != 1:
            raise UndecidedError("an arcsine at its end")
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
            raise UndecidedError("a floor out of range")
        rule = libmp.mpf_floor if node.name == "floor" else libmp.mpf_ceil
        low, high = rule(x.re[0]), rule(x.re[1])
        if low != high:
            raise UndecidedError("a floor at its step")
        return Ball((low, high))

    def _extreme(self, node: Op) -> Ball:
        balls = [self.value(arg) for arg in node.args]
        if any(b.im is not None for b in balls):
            raise UndecidedError("an order of complex numbers")
        pick = _mpf_max if node.name == "max" else _mpf_min
        low, high = balls[0].re
        for ball in balls[1:]:
            low, high = pick(low, ball.re[0]), pick(high, ball.re[1])
        return Ball((low, high))

    def _factorial(self, node: Op) -> Ball:
        exact = self._exact(node.args[0])
        if exact is not None and exact.denominator == 1 and exact < 0:
            raise UndecidedError("a factorial at a pole")
        if exact is not None and exact > _MAX_GAMMA:
            if exact.denominator == 1:
                raise (
                    HugeError(1) if exact > _HUGE_FACTORIAL else UndecidedError("a large factorial")
                )
            raise UndecidedError("a factorial out of range")
        x = self.value(node.args[0])
        size = log2_size(x.re)
        if x.im is not None or (size is not None and size > 20) or sign(x.re) == -1:
            raise UndecidedError("a factorial out of range")
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
            raise UndecidedError("a sum without numeric bounds")
        if first.denominator != 1 or last.denominator != 1 or last - first > _MAX_SUM:
            raise UndecidedError("a sum out of range")
        total = self._rational(Fraction(0 if node.name == "sum" else 1))
        for k in range(first.numerator, last.numerator + 1):
            inner = Evaluator(
                self._prec, {**self._point, index.name: Fraction(k)}, self._is_complex
            )
            term = inner.value(body)
            total = self._plus(total, term) if node.name == "sum" else self._times(total, term)
        return total


def _mpf_max(a: Any, b: Any) -> Any:
    return a if libmp.mpf_ge(a, b) else b


def _mpf_min(a: Any, b: Any) -> Any:
    return b if libmp.mpf_ge(a, b) else a
