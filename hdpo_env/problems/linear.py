"""Linear equations and two-by-two systems with rational or integer solutions."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import affine, nonzero, signed


class LinearFamily(LevelFamily):
    r"""``ax + b = cx + d`` (level 1: ``c = 0`` and integer roots; from level 3 rational roots).

    >>> p = LinearFamily(level=2).problem("train", 0, 0)
    >>> p.question.startswith("Solve for x:"), p.gold in p.solution
    (True, True)
    """

    kind = "linear"
    subject = "linear equations"

    def worked(self, rng: Random) -> Worked:
        """Draw both slopes and a constant; an integer root decides the other constant."""
        bound = 10 + 5 * self.level
        a, b = nonzero(rng, bound), rng.randrange(-bound, bound + 1)
        c = 0 if self.level == 1 else nonzero(rng, bound)
        if a == c:
            c = -c
        if self.level < 3:
            d = (a - c) * nonzero(rng, bound) + b
        else:
            d = rng.randrange(-bound, bound + 1)
        return self._work(a, b, c, d)

    def _work(self, a: int, b: int, c: int, d: int) -> Worked:
        slope, constant = a - c, d - b
        left = f"({a} - {signed(c)})x" if c else affine(a, 0)
        root = Fraction(constant, slope)
        collected = f"{affine(slope, 0)} = {constant}"
        return Worked(
            f"Solve for x: {affine(a, b)} = {affine(c, d)}.",
            str(root),
            f"Collect x on the left and numbers on the right: "
            f"{left} = {d} - {signed(b)}, so {collected}. "
            f"Divide by {slope}: x =",
            (
                "Collect the terms with x on one side and the numbers on the other.",
                "Then divide by what stands before x.",
                f"Collecting gives {collected}.",
                f"Divide both sides by {slope}.",
            ),
        )


class SystemFamily(LevelFamily):
    """Two equations in x and y with one integer solution; the question asks for ``xy``."""

    kind = "system"
    subject = "linear systems"

    def worked(self, rng: Random) -> Worked:
        """Draw the solution first, then coefficients with a non-zero determinant."""
        bound = 3 + 3 * self.level
        x, y = nonzero(rng, bound), nonzero(rng, bound)
        a, b, c, d = (nonzero(rng, bound) for _ in range(4))
        if a * d == b * c:
            d = -d  # no coefficient is 0, so turning one sign makes the determinant non-zero
        return self._work((a, b, c, d), x, y)

    def _work(self, matrix: tuple[int, int, int, int], x: int, y: int) -> Worked:
        a, b, c, d = matrix
        e, f, det = a * x + b * y, c * x + d * y, a * d - b * c
        first = f"{affine(a, 0)} {'+' if b > 0 else '-'} {affine(abs(b), 0, 'y')} = {e}"
        second = f"{affine(c, 0)} {'+' if d > 0 else '-'} {affine(abs(d), 0, 'y')} = {f}"
        return Worked(
            f"The numbers x and y satisfy {first} and {second}. What is the product xy?",
            str(x * y),
            f"Eliminate y: multiply the first equation by {signed(d)} and the second by "
            f"{signed(b)} and subtract: {det}x = {d * e - b * f}, so x = {x}. Eliminate x the same "
            f"way: {det}y = {a * f - c * e}, so y = {y}. "
            f"Hence xy = {x} * {signed(y)} =",
            (
                "Eliminate one unknown by combining multiples of the two equations.",
                "Find the other unknown the same way, then multiply them.",
                f"Eliminating y gives {det}x = {d * e - b * f}.",
                f"Eliminating x gives {det}y = {a * f - c * e}.",
            ),
        )
