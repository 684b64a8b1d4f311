"""Enclosures of real and complex numbers, and why there may be none."""

from __future__ import annotations

from typing import Any

from mpmath import libmp
from mpmath.libmp import libmpi as iv

Real = tuple[Any, Any]  # lower and upper end, raw mpmath floats


class UndecidedError(ArithmeticError):
    """This expression has no enclosure here (a pole, a branch cut, an unknown function)."""


class OutOfDomainError(UndecidedError):
    """A real expression left the real numbers at this point."""


class HugeError(ArithmeticError):
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
        raise UndecidedError("an unbounded enclosure")
    return max(sizes) if sizes else None


def negated(ball: Ball) -> tuple[Real, Real | None]:
    """The parts of minus a ball."""
    return iv.mpi_neg(ball.re), None if ball.im is None else iv.mpi_neg(ball.im)
