"""What every verifier promises, and the table of the ones that ship."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Protocol, runtime_checkable

from hdpo_env.registry import Registry
from hdpo_env.types import Outcome, Verdict


@runtime_checkable
class Verifier(Protocol):
    """A judge of completions. It never raises on any text: faults are verdicts.

    ``version`` changes whenever a verdict may change, so that caches and result files stay honest.
    """

    @property
    def name(self) -> str:
        """A short name, as in the table of verifiers."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever a verdict may change."""
        ...

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion against one gold answer or several accepted ones."""
        ...


VERIFIERS: Registry[Callable[[], Verifier]] = Registry("verifier")


def _lazy(module: str, factory: str) -> Callable[[], Verifier]:
    return lambda: getattr(import_module(f"hdpo_env.verifiers.{module}"), factory)()


VERIFIERS.add("math", _lazy("verify", "MathVerifier"))
VERIFIERS.add("exact", _lazy("simple", "ExactVerifier"))
VERIFIERS.add("numeric", _lazy("simple", "NumericVerifier"))
VERIFIERS.add("gsm8k", _lazy("simple", "Gsm8kVerifier"))
VERIFIERS.add("choice", _lazy("simple", "ChoiceVerifier"))


def gold_texts(gold: str | Sequence[str]) -> tuple[str, ...]:
    """The accepted golds as a tuple, whether one string or several was given.

    It is empty where any is no text, such as a null or a number: a verifier then says BAD_GOLD.

    >>> gold_texts("4"), gold_texts(["4", "four"])
    (('4',), ('4', 'four'))
    """
    given = (gold,) if isinstance(gold, str) or not isinstance(gold, Iterable) else tuple(gold)
    return given if all(isinstance(text, str) for text in given) else ()


def check_gold(verifier: Verifier, gold: str | Sequence[str]) -> str | None:
    """Why a gold answer cannot be used, or None if it can: ask when data are loaded.

    >>> check_gold(VERIFIERS["math"](), "4") is None
    True
    >>> check_gold(VERIFIERS["math"](), " ")
    'the gold answer is blank'
    """
    verdict = verifier.verify("", gold, finish_reason=None)
    return verdict.reason if verdict.outcome is Outcome.BAD_GOLD else None
