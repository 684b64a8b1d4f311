"""The mathematical verifier: extract the final answer, then decide equivalence in stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import Literal

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import gold_texts

Policy = Literal["lenient", "boxed_only"]
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(-?\d+)\}\{(-?\d+)\}")
_NUMBER = re.compile(r"[-+]?\d{1,4000}(\.\d{1,4000})?(/\d{1,4000})?")


def _last_box(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text[start + 6 : start + 20_000]):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return text[start + 7 : start + 6 + match.start()]
    return None


def _exact(text: str) -> Fraction | str:
    plain = _FRACTION.sub(r"\1\2/\3", text.strip().strip("$").replace(" ", "")).rstrip(".")
    if not _NUMBER.fullmatch(plain):
        return plain
    whole, _, bottom = plain.partition("/")
    if bottom and not int(bottom):
        return plain
    return Fraction(whole) / (int(bottom) if bottom else 1)


@dataclass(frozen=True)
class MathVerifier:
    """Judges the final answer of a completion by mathematical equivalence.

    ``policy`` "lenient" also reads an answer that no box marks; "boxed_only" is for RL.

    >>> MathVerifier().verify(r"so $\\boxed{\\frac12}$", r"\\frac{1}{2}", finish_reason="stop").extracted
    '\\\\frac12'
    """

    policy: Policy = "lenient"
    name: str = "math"
    version: str = "0"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion against one gold answer or several accepted ones."""
        start = perf_counter()
        outcome, extracted, reason, stage = self._judge(completion, gold_texts(gold), finish_reason)
        return Verdict(outcome, extracted, reason, stage, 1e3 * (perf_counter() - start))

    def _judge(
        self, completion: str, golds: tuple[str, ...], finish_reason: str | None
    ) -> tuple[Outcome, str | None, str, str]:
        if not any(g.strip() for g in golds):
            return Outcome.BAD_GOLD, None, "the gold answer is blank", "gold"
        answer = _last_box(completion)
        if answer is None and self.policy == "lenient" and len(completion) < 80:
            answer = completion.strip() or None
        if answer is None and finish_reason == "length":
            return Outcome.TRUNCATED, None, "cut by a token limit before an answer", "extract"
        if answer is None:
            return Outcome.NO_ANSWER, None, "no final answer found", "extract"
        value = _exact(answer)
        if any(_exact(_last_box(g) or g) == value for g in golds):
            return Outcome.CORRECT, answer, "", "numbers"
        return Outcome.WRONG, answer, "differs from every gold answer", "numbers"
