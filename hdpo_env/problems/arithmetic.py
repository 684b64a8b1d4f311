"""Arithmetic in words: chains of sums and products, and sums and differences of fractions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm
from random import Random

from hdpo_env.problems.levels import LevelFamily, Worked
from hdpo_env.problems.wording import signed


class ArithmeticFamily(LevelFamily):
    r"""Sums, differences and products: ``level + 2`` numbers with up to ``level`` digits.

    >>> p = ArithmeticFamily(level=1).problem("train", 0, 0)
    >>> p.solution.endswith("\\boxed{" + p.gold + "}.")
    True
    """

    kind = "arithmetic"
    subject = "arithmetic"

    def worked(self, rng: Random) -> Worked:
        """Products are single steps inside a sum, so that precedence matters."""
        terms = [self._term(rng) for _ in range(self.level + 2)]
        signs = [rng.choice("+-") for _ in terms[1:]]
        shown = terms[0][0] + "".join(
            f" {sign} {text}" for sign, (text, _) in zip(signs, terms[1:], strict=True)
        )
        total, lines = terms[0][1], []
        for sign, (_, value) in zip(signs, terms[1:], strict=True):
            before, total = total, total + value if sign == "+" else total - value
            lines.append(f"{signed(before)} {sign} {value} = {total}")
        steps = [f"{text} = {value}" for text, value in terms if "*" in text]
        products = f"The products come first: {'; '.join(steps)}. " if steps else ""
        return Worked(
            f"Compute {shown}.",
            str(total),
            f"{products}From left to right: {'; '.join(lines)}. The result is",
            (
                "Multiplication comes before addition and subtraction.",
                "Then work from left to right, one operation at a time.",
                *((f"The products are {'; '.join(steps)}.",) if steps else ()),
                f"The last step is {lines[-1].split(' = ')[0]}.",
            ),
        )

    def _term(self, rng: Random) -> tuple[str, int]:
        top = 10**self.level
        first = rng.randrange(2, top)
        if rng.random() < 0.4:
            second = rng.randrange(2, 10)
            return f"{first} * {second}", first * second
        return str(first), first


class FractionFamily(LevelFamily):
    """Sums and differences of two to four fractions, denominators up to ``16 + 4 * level``."""

    kind = "fractions"
    subject = "fractions"

    def worked(self, rng: Random) -> Worked:
        """Proper fractions, put over their least common denominator."""
        terms = [self._fraction(rng, 1)]
        terms += [self._fraction(rng, rng.choice((1, -1))) for _ in range(1 + self.level // 2)]
        shown = _joined((f"{abs(t)}/{b}" for t, b in terms), [t for t, _ in terms])
        common = lcm(*(bottom for _, bottom in terms))
        raised = [top * common // bottom for top, bottom in terms]
        total = Fraction(sum(raised), common)
        over = _joined((f"{abs(n)}/{common}" for n in raised), raised)
        return Worked(
            f"Compute {shown}. Give the result as a fraction in lowest terms or as an integer.",
            str(total),
            f"The least common denominator is {common}: {shown} = {over} = "
            f"{sum(raised)}/{common}. In lowest terms this is",
            (
                "Bring all fractions to one denominator.",
                "Add and subtract the numerators, then cancel common factors.",
                f"The least common denominator is {common}.",
                f"Over it, this is {over}.",
            ),
        )

    def _fraction(self, rng: Random, sign: int) -> tuple[int, int]:
        """Top and bottom in lowest terms; a ``Fraction`` would cost as much as the rest."""
        bottom = rng.randrange(2, 17 + 4 * self.level)
        top = rng.randrange(1, bottom)
        common = gcd(top, bottom)
        return sign * top // common, bottom // common


def _joined(sizes: Iterable[str], terms: Sequence[int]) -> str:
    """Sizes with the signs of their terms between them; the first term is positive."""
    signs = [" - " if term < 0 else " + " for term in terms]
    return "".join(sign + size for sign, size in zip(signs, sizes, strict=True))[3:]
