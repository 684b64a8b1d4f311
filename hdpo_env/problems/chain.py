"""The misconception chain: cliffs as real models have them, small enough for a laptop.

A question folds digits with one operator; the answer is the whole list of running results, so
guessing does not help. ``3+7+2`` -> ``02`` (running sums mod 10). The other operators look each
step up in a fixed random 10 x 10 table; beside the right table stands a *misconception*, a second
table that differs from it in every cell. A model pre-trained on mostly wrong steps gives the right
digit some mass at each step, but the product over the chain is ~0 and greedy decoding follows the
wrong belief: a cliff with support.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from random import Random

from hdpo_env.errors import ConfigError
from hdpo_env.problems.family import SEED_CLASSES, Family, check_whole
from hdpo_env.types import Problem, derive_seed

# "faint" is meant for pre-training with next to no right steps (no support), "control" is never
# distilled: it must stay where it was.
OPERATORS = {"+": "add", "#": "table", "*": "faint", "@": "control"}

Table = tuple[tuple[int, ...], ...]


@cache
def right_table(operator: str) -> Table:
    """The operator's true table: row a, column b -> the digit of ``a operator b``."""
    if operator == "+":
        return tuple(tuple((a + b) % 10 for b in range(10)) for a in range(10))
    rng = Random(derive_seed("chain", operator, "right"))
    return tuple(tuple(rng.randrange(10) for _ in range(10)) for _ in range(10))


@cache
def wrong_table(operator: str) -> Table:
    """The operator's misconception: it differs from the right table in every cell.

    Raises:
        ConfigError: the operator is ``+``, about which models have no misconception here.
    """
    if operator == "+":
        raise ConfigError("operator '+' has no misconception table: use one of # * @")
    rng = Random(derive_seed("chain", operator, "wrong"))
    return tuple(
        tuple((digit + rng.randrange(1, 10)) % 10 for digit in row) for row in right_table(operator)
    )


@dataclass(frozen=True)
class ChainFamily(Family):
    """Chains of ``length`` steps of one operator.

    From three steps on, seeds that differ modulo 17 (``SEED_CLASSES``) share no question; the 100
    or 1,000 shorter chains are too few to be shared out.

    Raises:
        ConfigError: the operator is unknown or the length is no whole number from 1.

    >>> family = ChainFamily("+", 2)
    >>> family.answer("3+7+2")
    '02'
    >>> family.problem("train", seed=0, index=0).answers == ChainFamily("+", 2).problem(
    ...     "train", 0, 0
    ... ).answers
    True
    """

    operator: str
    length: int = 6

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            choices = " ".join(OPERATORS)
            raise ConfigError(f"operator {self.operator!r} is unknown: choose one of {choices}")
        check_whole("length", self.length)
        if self.length < 1:
            raise ConfigError(f"length {self.length} is below 1: a chain has at least one step")

    @property
    def name(self) -> str:
        """Operator and length."""
        return f"chain-{OPERATORS[self.operator]}-{self.length}"

    @property
    def seed_classes(self) -> int:
        """17 from three steps on, which ask 10,000 questions, 1 below."""
        return SEED_CLASSES if self.length >= 3 else 1

    def right(self, a: int, b: int) -> int:
        """The digit of ``a operator b``."""
        return right_table(self.operator)[a][b]

    def wrong(self, a: int, b: int) -> int:
        """The digit that the misconception gives for ``a operator b``; never the right one.

        Raises:
            ConfigError: the operator is ``+``.
        """
        return wrong_table(self.operator)[a][b]

    def draw(self, rng: Random) -> Problem:
        """One chain of uniform digits."""
        return self._told(self._chain(rng))

    def sketch(self, rng: Random) -> tuple[str, Callable[[], Problem]]:
        """The chain, not yet folded."""
        question = self._chain(rng)
        return question, partial(self._told, question)

    def _chain(self, rng: Random) -> str:
        return self.operator.join(str(rng.randrange(10)) for _ in range(self.length + 1))

    def _told(self, question: str) -> Problem:
        answer = self.answer(question)
        return Problem(
            question,
            (answer,),
            solution=answer,
            source="chain",
            subject=OPERATORS[self.operator],
            difficulty=float(self.length),
            verifier="exact",
        )

    def answer(self, question: str) -> str:
        """The running results of a question, one digit a step."""
        first, *rest = self._digits(question)
        results = []
        for digit in rest:
            first = self.right(first, digit)
            results.append(str(first))
        return "".join(results)

    def noisy_answer(self, question: str, rng: Random, p_right: float) -> str:
        """Running results of a believer in the misconception.

        Each step is right with probability ``p_right``; otherwise it follows the wrong table, or is
        a uniform digit for ``+``. Later steps continue from the digit written, as a model would.
        """
        current, *rest = self._digits(question)
        results = []
        for digit in rest:
            if rng.random() < p_right:
                current = self.right(current, digit)
            elif self.operator == "+":
                current = rng.randrange(10)
            else:
                current = self.wrong(current, digit)
            results.append(str(current))
        return "".join(results)

    def _digits(self, question: str) -> list[int]:
        parts = question.split(self.operator)
        if len(parts) < 2 or not all(len(p) == 1 and p in "0123456789" for p in parts):
            raise ConfigError(f"{question!r} is not a chain of digits joined by {self.operator!r}")
        return [int(p) for p in parts]
