"""A verifier of your own: answers in Roman numerals. Check it, name it, and train against it.

python examples/own_verifier.py
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hdpo_env import MathEnv, Outcome, Problem, Verdict
from hdpo_env.testing import check_verifier
from hdpo_env.verifiers import VERIFIERS

_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def value(numeral: str) -> int:
    """The number a Roman numeral stands for; 0 if it is none."""
    if not numeral or not re.fullmatch(
        r"M*(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})", numeral
    ):
        return 0
    digits = [_DIGITS[letter] for letter in numeral]
    pairs = zip(digits, [*digits[1:], 0], strict=True)
    return sum(-now if now < then else now for now, then in pairs)


@dataclass(frozen=True)
class RomanVerifier:
    """Judges the last Roman numeral of a completion. A gold that is none is a bad gold."""

    name: str = "roman"
    version: str = "1"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion; no text makes it raise."""
        golds = [gold] if isinstance(gold, str) else list(gold)
        wanted = {value(text.strip()) for text in golds}
        if 0 in wanted or not wanted:
            return Verdict(Outcome.BAD_GOLD, reason="the gold is no Roman numeral")
        stated = re.findall(r"\b[IVXLCDM]+\b", completion)
        if not stated:
            cut = finish_reason == "length"
            return Verdict(Outcome.TRUNCATED if cut else Outcome.NO_ANSWER)
        right = value(stated[-1]) in wanted
        return Verdict(Outcome.CORRECT if right else Outcome.WRONG, extracted=stated[-1])


def main() -> list[float]:
    """Check the verifier's contract, register it, and play two episodes."""
    check_verifier(RomanVerifier(), golds=("XLII", "VII", "C"), state="It is {}.".format)
    if "roman" not in VERIFIERS:
        VERIFIERS.add("roman", RomanVerifier)
    env = MathEnv([Problem("Write 44 as the Romans did.", ("XLIV",), verifier="roman")])
    rewards = []
    for answer in ("That must be XLIIII.", "That must be XLIV."):
        env.reset(seed=0)
        rewards.append(float(env.step(answer)[1]))
        print(f"{answer} -> reward {rewards[-1]}")
    return rewards


if __name__ == "__main__":
    main()
