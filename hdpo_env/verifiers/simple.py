"""Small verifiers with one rule each: exact text, numbers, GSM8K finals, multiple choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import gold_texts


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
