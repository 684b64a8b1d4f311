"""Verifiers made of verifiers. An abstention is carried through whenever it could matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.protocol import Verifier

Verdicts = list[Verdict]


@dataclass(frozen=True)
class _Combined:
    """Members and the rule that makes one verdict of theirs."""

    members: tuple[Verifier, ...]
    rule: Callable[[Verdicts], Verdict]
    label: str
    stop: Callable[[Verdict], bool] | None = None  # the verdict after which no one else is asked

    @property
    def name(self) -> str:
        """The rule and its members."""
        return f"{self.label}({', '.join(m.name for m in self.members)})"

    @property
    def version(self) -> str:
        """The members with their versions, and the rule's settings."""
        members = "+".join(f"{m.name}@{m.version}" for m in self.members)
        return f"{members}/{self.rule.settings}" if isinstance(self.rule, _Vote) else members

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Ask the members in order and combine what they say."""
        verdicts = []
        for member in self.members:
            verdicts.append(member.verify(completion, gold, finish_reason=finish_reason))
            if self.stop is not None and self.stop(verdicts[-1]):
                break
        return self.rule(verdicts)


def _members(verifiers: tuple[Verifier, ...]) -> tuple[Verifier, ...]:
    if not verifiers:
        raise ConfigError("a combined verifier needs at least one member; give some")
    return verifiers


def _prefer(verdicts: Verdicts, *order: bool | None) -> Verdict:
    """The earliest verdict of the kind that comes first in ``order``."""
    return min(verdicts, key=lambda verdict: order.index(verdict.correct))


def _any(verdicts: Verdicts) -> Verdict:
    return _prefer(verdicts, True, None, False)


def _all(verdicts: Verdicts) -> Verdict:
    return _prefer(verdicts, False, None, True)


def _last(verdicts: Verdicts) -> Verdict:
    return verdicts[-1]


def _is_correct(verdict: Verdict) -> bool:
    return verdict.correct is True


def _is_wrong(verdict: Verdict) -> bool:
    return verdict.correct is False


def _is_settled(verdict: Verdict) -> bool:
    return verdict.correct is not None and verdict.outcome is not Outcome.NO_ANSWER


def any_of(*verifiers: Verifier) -> Verifier:
    r"""CORRECT if any member says so; an abstention beats a wrong answer, for it might be right.

    Raises:
        ConfigError: there is no member.

    >>> from hdpo_env.verifiers import ExactVerifier, MathVerifier
    >>> any_of(ExactVerifier(), MathVerifier()).verify(r"\boxed{0.5}", "1/2").outcome.name
    'CORRECT'
    """
    return _Combined(_members(verifiers), _any, "any_of", _is_correct)


def all_of(*verifiers: Verifier) -> Verifier:
    r"""CORRECT if every member says so; a wrong answer beats an abstention.

    Raises:
        ConfigError: there is no member.

    >>> from hdpo_env.verifiers import ExactVerifier, MathVerifier
    >>> all_of(ExactVerifier(), MathVerifier()).verify(r"\boxed{0.5}", "1/2").outcome.name
    'WRONG'
    """
    return _Combined(_members(verifiers), _all, "all_of", _is_wrong)


def cascade(*verifiers: Verifier) -> Verifier:
    """The first member that decides; the next is asked only on an abstention or NO_ANSWER.

    Raises:
        ConfigError: there is no member.
    """
    return _Combined(_members(verifiers), _last, "cascade", _is_settled)


@dataclass(frozen=True)
class _Vote:
    weights: tuple[float, ...]
    threshold: float

    @property
    def settings(self) -> str:
        """Everything that decides a vote."""
        return f"{','.join(map(repr, self.weights))}>{self.threshold!r}"

    def __call__(self, verdicts: Verdicts) -> Verdict:
        bar = self.threshold * sum(self.weights)
        pairs = list(zip(verdicts, self.weights, strict=True))
        sure = sum(w for v, w in pairs if v.correct is True)
        possible = sure + sum(w for v, w in pairs if v.correct is None)
        if sure > bar:
            return _prefer(verdicts, True, None, False)
        if possible > bar:
            return _prefer(verdicts, None, True, False)
        return _prefer(verdicts, False, None, True)


def weighted(members: Sequence[tuple[Verifier, float]], threshold: float = 0.5) -> Verifier:
    """CORRECT if members with more than ``threshold`` of the total weight say so.

    The verdict is an abstention if the abstaining members' weight could change it.

    Raises:
        ConfigError: no member, a weight that is not positive and finite, or a threshold that is
            not in [0, 1).
    """
    verifiers = _members(tuple(v for v, _ in members))
    weights = [float(w) for _, w in members]
    if not all(0 < w < inf for w in weights) or not 0 <= threshold < 1:  # NaN is neither
        raise ConfigError(
            f"weights {weights} must be positive and finite and threshold {threshold} in [0, 1)"
        )

    return _Combined(verifiers, _Vote(tuple(weights), threshold), "weighted")
