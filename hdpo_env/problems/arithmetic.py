"""Arithmetic in words: chains of the four operations, and sums of fractions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from random import Random

from hdpo_env.errors import ConfigError
from hdpo_env.problems.family import Family
from hdpo_env.types import Problem

MAX_LEVEL = 5


def check_level(level: int) -> None:
    """Refuse a difficulty level that no family has.

    Raises:
        ConfigError: the level is outside 1 to 5.
    """
    if not 1 <= level <= MAX_LEVEL:
        raise ConfigError(f"level {level} is outside 1 to {MAX_LEVEL}: choose one in between")


def signed(value: Fraction | int) -> str:
    """A number as a right-hand operand: parentheses around a negative one."""
    return f"({value})" if value < 0 else str(value)


@dataclass(frozen=True)
class ArithmeticFamily(Family):
    r"""Sums, differences and products: ``level + 1`` numbers with up to ``level`` digits.

    >>> p = ArithmeticFamily(level=1).problem("train", 0, 0)
    >>> p.solution.endswith("\\boxed{" + p.gold + "}.")
    True
    """

    level: int = 1

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def name(self) -> str:
        """Kind and level."""
        return f"arithmetic-{self.level}"

    def draw(self, rng: Random) -> Problem:
        """Products are single steps inside a sum, so that precedence matters."""
        terms = [self._term(rng) for _ in range(self.level + 1)]
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
        return Problem(
            f"Compute {shown}.",
            (str(total),),
            solution=f"{products}From left to right: {'; '.join(lines)}. "
            rf"The result is \boxed{{{total}}}.",
            hints=(
                "Multiplication comes before addition and subtraction.",
                *((f"The products are {'; '.join(steps)}.",) if steps else ()),
                f"The last step is {lines[-1].split(' = ')[0]}.",
            ),
            source="arithmetic",
            subject="arithmetic",
            difficulty=float(self.level),
        )

    def _term(self, rng: Random) -> tuple[str, int]:
        top = 10**self.level
        first = rng.randrange(2, top)
        if rng.random() < 0.4:
            second = rng.randrange(2, 10)
            return f"{first} * {second}", first * second
        return str(first), first


@dataclass(frozen=True)
class FractionFamily(Family):
    """Sums of two to four fractions in lowest terms, denominators up to ``3 + 3 * level``."""

    level: int = 1

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def name(self) -> str:
        """Kind and level."""
        return f"fractions-{self.level}"

    def draw(self, rng: Random) -> Problem:
        """Proper fractions, added over their least common denominator."""
        terms = [self._fraction(rng) for _ in range(2 + self.level // 2)]
        shown = " + ".join(f"{t.numerator}/{t.denominator}" for t in terms)
        common = lcm(*(t.denominator for t in terms))
        raised = [t.numerator * common // t.denominator for t in terms]
        total = sum(terms, Fraction(0))
        over = " + ".join(f"{n}/{common}" for n in raised)
        return Problem(
            f"Compute {shown}. Give the result as a fraction in lowest terms or as an integer.",
            (str(total),),
            solution=f"The least common denominator is {common}: {shown} = {over} = "
            rf"{sum(raised)}/{common}. In lowest terms this is \boxed{{{total}}}.",
            hints=(
                "Bring all fractions to one denominator.",
                f"The least common denominator is {common}.",
                f"Over it, the sum is {over}.",
            ),
            source="fractions",
            subject="fractions",
            difficulty=float(self.level),
        )

    def _fraction(self, rng: Random) -> Fraction:
        bottom = rng.randrange(2, 4 + 3 * self.level)
        return Fraction(rng.randrange(1, bottom), bottom)
