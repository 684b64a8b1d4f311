"""math-verify behind our protocol, to audit against. Run it in a `VerifierPool`, never bare.

It is no stage of `MathVerifier`: its verdicts change with the installed antlr runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from time import perf_counter

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import gold_texts


@dataclass(frozen=True)
class MathVerifyVerifier:
    r"""The verdict of the ``math_verify`` package, golds given as ``\boxed{gold}``.

    Its own time limit is an alarm that works on a main thread only, which a pool's worker has.
    """

    name: str = "math-verify"

    @property
    def version(self) -> str:
        """That of the installed package."""
        try:
            return metadata.version("math-verify")
        except metadata.PackageNotFoundError:
            return "missing"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion as math-verify does; a gold it cannot parse is BAD_GOLD."""
        from math_verify import parse, verify

        start = perf_counter()
        golds = [parsed for g in gold_texts(gold) if (parsed := parse(f"\\boxed{{{g}}}"))]
        if not golds:
            reason = "math-verify cannot parse the gold answer"
            return Verdict(Outcome.BAD_GOLD, reason=reason, stage=self.name)
        answer = parse(completion)
        if not answer:
            return Verdict(Outcome.NO_ANSWER, stage=self.name)
        same = any(verify(parsed, answer) for parsed in golds)
        outcome = Outcome.CORRECT if same else Outcome.WRONG
        return Verdict(outcome, None, "", self.name, 1e3 * (perf_counter() - start))
