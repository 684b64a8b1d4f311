"""Linear equations and two-by-two systems with rational or integer solutions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random

from hdpo_env.problems.arithmetic import check_level, signed
from hdpo_env.problems.family import Family
from hdpo_env.types import Problem


def nonzero(rng: Random, bound: int) -> int:
    """A uniform integer in [-bound, bound] without 0."""
    return rng.choice((1, -1)) * rng.randrange(1, bound + 1)


def affine(slope: int, constant: int, variable: str = "x") -> str:
    """``slope * variable + constant`` as people write it.

    >>> affine(1, -3), affine(-2, 0), affine(0, 4)
    ('x - 3', '-2x', '4')
    """
    head = {0: "", 1: variable, -1: f"-{variable}"}.get(slope, f"{slope}{variable}")
    if not head or not constant:
        return head or str(constant)
    return f"{head} {'+' if constant > 0 else '-'} {abs(constant)}"


@dataclass(frozen=True)
class LinearFamily(Family):
    r"""``ax + b = cx + d`` (level 1: ``c = 0`` and integer roots; from level 3 rational roots).

    >>> p = LinearFamily(level=2).problem("train", 0, 0)
    >>> p.question.startswith("Solve for x:"), p.gold in p.solution
    (True, True)
    """

    level: int = 1

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def name(self) -> str:
        """Kind and level."""
        return f"linear-{self.level}"

    def draw(self, rng: Random) -> Problem:
        """Draw both slopes and a constant; an integer root decides the other constant."""
        bound = 4 + 5 * self.level
        a, b = nonzero(rng, bound), rng.randrange(-bound, bound + 1)
        c = 0 if self.level == 1 else nonzero(rng, bound)
        if a == c:
            c = -c
        if self.level < 3:
            d = (a - c) * nonzero(rng, bound) + b
        else:
            d = rng.randrange(-bound, bound + 1)
        return self._problem(a, b, c, d)

    def _problem(self, a: int, b: int, c: int, d: int) -> Problem:
        slope, constant = a - c, d - b
        left = f"({a} - {signed(c)})x" if c else affine(a, 0)
        root = Fraction(constant, slope)
        collected = f"{affine(slope, 0)} = {constant}"
        return Problem(
            f"Solve for x: {affine(a, b)} = {affine(c, d)}.",
            (str(root),),
            solution=f"Collect x on the left and numbers on the right: "
            f"{left} = {d} - {signed(b)}, so {collected}. "
            rf"Divide by {slope}: x = \boxed{{{root}}}.",
            hints=(
                "Collect the terms with x on one side and the numbers on the other.",
                f"Collecting gives {collected}.",
                f"Divide both sides by {slope}.",
            ),
            source="linear",
            subject="linear equations",
            difficulty=float(self.level),
        )


@dataclass(frozen=True)
class SystemFamily(Family):
    """Two equations in x and y with one integer solution; the question asks for ``xy``."""

    level: int = 1

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def name(self) -> str:
        """Kind and level."""
        return f"system-{self.level}"

    def draw(self, rng: Random) -> Problem:
        """Draw the solution first, then coefficients with a non-zero determinant."""
        bound = 3 + 3 * self.level
        x, y = nonzero(rng, bound), nonzero(rng, bound)
        a, b, c, d = (nonzero(rng, bound) for _ in range(4))
        if a * d == b * c:
            d = -d  # no coefficient is 0, so turning one sign makes the determinant non-zero
        return self._problem((a, b, c, d), x, y)

    def _problem(self, matrix: tuple[int, int, int, int], x: int, y: int) -> Problem:
        a, b, c, d = matrix
        e, f, det = a * x + b * y, c * x + d * y, a * d - b * c
        first = f"{affine(a, 0)} {'+' if b > 0 else '-'} {affine(abs(b), 0, 'y')} = {e}"
        second = f"{affine(c, 0)} {'+' if d > 0 else '-'} {affine(abs(d), 0, 'y')} = {f}"
        return Problem(
            f"The numbers x and y satisfy {first} and {second}. What is the product xy?",
            (str(x * y),),
            solution=f"Eliminate y: multiply the first equation by {signed(d)} and the second by "
            f"{signed(b)} and subtract: {det}x = {d * e - b * f}, so x = {x}. Eliminate x the same "
            f"way: {det}y = {a * f - c * e}, so y = {y}. "
            rf"Hence xy = {x} * {signed(y)} = \boxed{{{x * y}}}.",
            hints=(
                "Eliminate one unknown by combining multiples of the two equations.",
                f"Eliminating y gives {det}x = {d * e - b * f}.",
                f"Eliminating x gives {det}y = {a * f - c * e}.",
            ),
            source="system",
            subject="linear systems",
            difficulty=float(self.level),
        )
