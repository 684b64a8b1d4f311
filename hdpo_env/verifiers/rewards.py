"""The only map from verdicts to rewards (law 1: verdict first, reward second)."""

from __future__ import annotations

from collections.abc import Sequence

from hdpo_env.errors import ConfigError
from hdpo_env.types import Verdict
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier


def reward_of(verdict: Verdict, *, correct: float = 1.0, incorrect: float = 0.0) -> float | None:
    """The reward of one verdict: ``correct``, ``incorrect``, or None for an abstention.

    WRONG, NO_ANSWER, AMBIGUOUS and TRUNCATED all earn ``incorrect``; a fault of the checker
    (TIMEOUT, ERROR, BAD_GOLD) earns nothing at all, so it can never look like a failed rollout.

    >>> from hdpo_env.types import Outcome
    >>> [reward_of(Verdict(o)) for o in (Outcome.CORRECT, Outcome.AMBIGUOUS, Outcome.TIMEOUT)]
    [1.0, 0.0, None]
    """
    if verdict.correct is None:
        return None
    return correct if verdict.correct else incorrect


def reward_fn(
    completions: Sequence[str],
    golds: Sequence[str | Sequence[str]],
    *,
    verifier: Verifier | None = None,
) -> list[float | None]:
    r"""Rewards of completions in order, None where the verifier abstained.

    Raises:
        ConfigError: the two sequences differ in length.

    >>> reward_fn([r"\boxed{4}", r"\boxed{5}"], ["4", "4"])
    [1.0, 0.0]
    """
    if len(completions) != len(golds):
        raise ConfigError(
            f"{len(completions)} completions and {len(golds)} golds: give one gold per completion"
        )
    judge = verifier if verifier is not None else VERIFIERS["math"]()
    return [reward_of(judge.verify(c, g)) for c, g in zip(completions, golds, strict=True)]
