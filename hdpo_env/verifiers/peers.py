"""math-verify behind our protocol, to audit against. Run it in a `VerifierPool`, never bare.

It is no stage of `MathVerifier`: its verdicts change with the installed antlr runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import gold_texts


@dataclass(frozen=True)
class MathVerifyVerifier:
    r"""The verdict of the ``math_verify`` package, golds given as ``\boxed{gold}``.

    Its own time limit is an alarm that works on a main thread only, which a pool's worker has.
    """

    name: str = "math-verify"
    version: str = "0.9"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion as math-verify does; "no answer parsed" is NO_ANSWER."""
        from math_verify import parse, verify

        start = perf_counter()
        answer = parse(completion)
        if not answer:
            return Verdict(Outcome.NO_ANSWER, stage=self.name)
        same = any(verify(parse(f"\\boxed{{{g}}}"), answer) for g in gold_texts(gold))
        outcome = Outcome.CORRECT if same else Outcome.WRONG
        return Verdict(outcome, None, "", self.name, 1e3 * (perf_counter() - start))
