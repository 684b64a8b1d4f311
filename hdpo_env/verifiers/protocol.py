"""What every verifier promises, and the table of the ones that ship."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from hdpo_env.errors import ConfigError
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


def plain(text: Any) -> str:
    """The characters of a string as an exact ``str``: of a subclass, such as an enum, its value.

    Raises:
        TypeError: it is no string.
    """
    if type(text) is str:
        return text
    if isinstance(text, str):
        return str.__str__(text)
    raise TypeError(f"{type(text).__name__}, not text")


def gold_texts(gold: str | Sequence[str]) -> tuple[str, ...]:
    """The accepted golds as a tuple, whether one string or several was given.

    It is empty where any is no text, such as a null or a number: a verifier then says BAD_GOLD.

    >>> gold_texts("4"), gold_texts(["4", "four"]), gold_texts([4])
    (('4',), ('4', 'four'), ())
    """
    if isinstance(gold, Mapping):
        return ()  # its keys are no golds
    try:
        return tuple(map(plain, (gold,) if isinstance(gold, str) else gold))
    except Exception:  # no text, or a collection that cannot be gone through
        return ()


def check_policy(policy: str) -> None:
    """Refuse a policy of extraction that does not exist.

    Raises:
        ConfigError: it is neither "lenient" nor "boxed_only".
    """
    if policy not in ("lenient", "boxed_only"):
        raise ConfigError(f"policy is {policy!r}: choose 'lenient' or 'boxed_only'")


def not_text(completion: object) -> Verdict:
    """The verdict on what is no completion at all, such as a null: an abstention."""
    reason = f"the completion is {type(completion).__name__}, not text"
    return Verdict(Outcome.ERROR, reason=reason, stage="extract")


def fault(error: BaseException) -> str:
    """What is told of an exception: its class and place, for its words may quote a gold answer.

    >>> try:
    ...     int("the gold")
    ... except ValueError as error:
    ...     print(fault(error).split(" at ")[0])
    ValueError
    """
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    told = type(error).__name__
    if where is not None:
        file = where.tb_frame.f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
        told += f" at {file}:{where.tb_lineno}"
    words = error.strerror if isinstance(error, OSError) else getattr(error, "name", None)
    is_told = isinstance(error, (OSError, ImportError)) and words  # the system's words, a module
    return f"{told}: {words}" if is_told else told


def check_gold(verifier: Verifier, gold: str | Sequence[str]) -> str | None:
    """Why a gold answer cannot be used, or None if it can: ask when data are loaded.

    >>> check_gold(VERIFIERS["math"](), "4") is None
    True
    >>> check_gold(VERIFIERS["math"](), " ")
    'the gold answer is blank'
    """
    verdict = verifier.verify("", gold, finish_reason=None)
    return verdict.reason if verdict.outcome is Outcome.BAD_GOLD else None
