"""Small verifiers with one rule each: exact text, numbers, GSM8K finals, multiple choice."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import ClassVar

from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.compare.choices import choice
from hdpo_env.verifiers.compare.order import approximate
from hdpo_env.verifiers.compare.quantities import quantity
from hdpo_env.verifiers.extract.final import Policy, final_answer
from hdpo_env.verifiers.golds import called, gold_text
from hdpo_env.verifiers.parse.answer import parse_answer
from hdpo_env.verifiers.protocol import check_policy, fault, gold_texts, not_text


@dataclass(frozen=True)
class ExactVerifier:
    """CORRECT iff the whole completion, stripped of outer blanks, is a gold answer.

    Nothing is extracted, so every completion states an answer unless it is blank or was cut.

    >>> ExactVerifier().verify(" 42 ", "42").outcome.name
    'CORRECT'
    """

    name: str = "exact"
    version: str = "1"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion; see the class."""
        if not isinstance(completion, str):
            return not_text(completion)
        golds = {g.strip() for g in gold_texts(gold)} - {""}
        if not golds:
            return Verdict(Outcome.BAD_GOLD, reason="the gold answer is blank", stage="gold")
        answer = completion.strip()
        if answer in golds:
            return Verdict(Outcome.CORRECT, answer, stage="text")
        if finish_reason == "length":
            return Verdict(Outcome.TRUNCATED, reason="cut by a token limit", stage="extract")
        if not answer:
            return Verdict(Outcome.NO_ANSWER, reason="the completion is blank", stage="extract")
        return Verdict(Outcome.WRONG, answer, "differs from every gold answer", "text")


@dataclass(frozen=True)
class _ValueVerifier(ABC):
    """Extracts a final answer, reads a value of one kind from it, and compares values.

    Every stated answer must hold an accepted value; statements that disagree are AMBIGUOUS.
    """

    kind: ClassVar[str] = "value"  # what it compares, for reasons
    policy: Policy = "lenient"

    def __post_init__(self) -> None:
        check_policy(self.policy)

    @property
    def version(self) -> str:
        """Changes with the policy."""
        return "1" if self.policy == "lenient" else f"1/{self.policy}"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion against one gold answer or several accepted ones."""
        if not isinstance(completion, str):
            return not_text(completion)
        start = perf_counter()
        try:
            ruling = self._judge(completion, gold_texts(gold), finish_reason)
        except Exception as error:  # a defect here must cost one abstention, never a run
            ruling = Outcome.ERROR, None, fault(error), "fault"
        outcome, answer, reason, stage = ruling
        return Verdict(outcome, answer, reason, stage, 1e3 * (perf_counter() - start))

    def _judge(
        self, completion: str, golds: tuple[str, ...], finish_reason: str | None
    ) -> tuple[Outcome, str | None, str, str]:
        if why := self._unusable(golds):
            return Outcome.BAD_GOLD, None, why, "gold"
        wanted = [self._value(gold_text(gold)) for gold in golds if gold.strip()]
        found = final_answer(completion, self.policy, finish_reason)
        if found.outcome is not None:
            return found.outcome, None, found.reason, "extract"
        answer = found.answers[-1]
        same = {self._accepts(wanted, self._value(a)) for a in found.answers}
        if len(same) > 1:
            return Outcome.AMBIGUOUS, answer, "it states answers that disagree", "extract"
        if same.pop():
            return Outcome.CORRECT, answer, "", "value"
        return Outcome.WRONG, answer, "differs from every gold answer", "value"

    def _unusable(self, golds: tuple[str, ...]) -> str:
        """Why there is nothing to compare with, in words that quote no gold; or an empty string."""
        if not any(gold.strip() for gold in golds):
            return "the gold answer is blank" if golds else "there is no gold answer as text"
        for position, gold in enumerate(golds, 1):
            if gold.strip() and self._value(gold_text(gold)) is None:
                return f"{called(position, len(golds))} is no {self.kind}"
        return ""

    def _accepts(self, wanted: list[object], value: object) -> bool:
        return value is not None and any(self._same(gold, value) for gold in wanted)

    @abstractmethod
    def _value(self, text: str) -> object | None:
        """The value that an answer of this kind states; None if it states none."""

    def _same(self, gold: object, value: object) -> bool:
        return gold == value


def _number(text: str) -> Fraction | None:
    """The value of a numeric answer, its unit dropped; None if it is not a number."""
    for reading in parse_answer(text).readings:
        with_unit = quantity(reading)
        value = approximate(with_unit.value if with_unit else reading)
        if isinstance(value, Fraction):
            return value
    return None


@dataclass(frozen=True)
class NumericVerifier(_ValueVerifier):
    r"""CORRECT iff the final number is within a relative tolerance: |a - g| <= rel_tol |g|.

    Only a gold of 0 is compared absolutely, with the same tolerance.

    Raises:
        ConfigError: the tolerance is not in [0, 1), or the policy does not exist.

    >>> NumericVerifier(rel_tol=0.01).verify(r"\boxed{3.15}", "3.14").outcome.name
    'CORRECT'
    """

    kind: ClassVar[str] = "number"
    rel_tol: float = 1e-6
    name: str = "numeric"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.rel_tol < 1:
            raise ConfigError(f"rel_tol is {self.rel_tol}: it must be in [0, 1)")

    @property
    def version(self) -> str:
        """Changes with the policy and the tolerance."""
        return f"{super().version}/{self.rel_tol!r}"

    def _value(self, text: str) -> object | None:
        return _number(text)

    def _same(self, gold: object, value: object) -> bool:
        assert isinstance(gold, Fraction)
        assert isinstance(value, Fraction)
        return abs(value - gold) <= Fraction(self.rel_tol) * (abs(gold) or 1)


_LAST_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Gsm8kVerifier(_ValueVerifier):
    r"""Exact equality of the final number, as in GSM8K: after ``####``, boxed, stated, or the last.

    >>> Gsm8kVerifier().verify("Half of 36 is 18.", "36 / 2 = 18\n#### 18").outcome.name
    'CORRECT'
    """

    kind: ClassVar[str] = "number"
    name: str = "gsm8k"

    def _judge(
        self, completion: str, golds: tuple[str, ...], finish_reason: str | None
    ) -> tuple[Outcome, str | None, str, str]:
        ruling = super()._judge(completion, golds, finish_reason)
        unread = ruling[0] is Outcome.WRONG and self._value(ruling[1] or "") is None
        numbers = _LAST_NUMBER.findall(completion[-4_000:])
        is_strict = self.policy == "boxed_only" or "\\boxed" in completion or not numbers
        if is_strict or not (unread or ruling[0] is Outcome.NO_ANSWER):
            return ruling
        return super()._judge(f"\\boxed{{{numbers[-1]}}}", golds, None)

    def _value(self, text: str) -> object | None:
        return _number(text)


@dataclass(frozen=True)
class ChoiceVerifier(_ValueVerifier):
    r"""Equality of the letter of a multiple-choice answer, A to J, in any spelling.

    >>> ChoiceVerifier().verify(r"\boxed{\text{(C)}\ 12}", "C").outcome.name
    'CORRECT'
    """

    kind: ClassVar[str] = "letter of a choice"
    name: str = "choice"

    def _value(self, text: str) -> object | None:
        found = choice(text)
        return None if found is None else found[0]
