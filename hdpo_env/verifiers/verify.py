"""The mathematical verifier: extract the final answer, then decide equivalence in stages."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers.compare.decide import Decision, decide
from hdpo_env.verifiers.compare.rational import rational
from hdpo_env.verifiers.compare.values import has_binder
from hdpo_env.verifiers.extract.final import Final, Policy, final_answer
from hdpo_env.verifiers.golds import Golds, gold_text, prepare_golds
from hdpo_env.verifiers.parse.answer import Answer, parse_answer
from hdpo_env.verifiers.pool import worker
from hdpo_env.verifiers.protocol import check_policy, fault, gold_texts, not_text

if TYPE_CHECKING:
    from hdpo_env.verifiers.pool import VerifierPool

VERSION = "4"
Ruling = tuple[Outcome, str, str]  # outcome, reason, stage
_CACHE_SIZE = 50_000
_LINK = re.compile(", | or ")  # between the boxes of a list
_cache: dict[tuple[str, tuple[str, ...], str], Ruling] = {}
_lock = threading.Lock()
_helper: VerifierPool | None = None


@dataclass(frozen=True)
class MathVerifier:
    r"""Judges the final answer of a completion by mathematical equivalence.

    Stages, each sound: canonical text, choices, exact numbers, structures, units, regions,
    rational functions modulo primes, enclosures, and at last sympy in a process that can be
    killed. `Verdict.stage` names the one that decided.

    Args:
        policy: "lenient" also reads an answer that no box marks; "boxed_only" is for RL.

    Raises:
        ConfigError: the policy is neither.

    >>> MathVerifier().verify(r"so $\boxed{\frac12}$", "0.5").outcome.name
    'CORRECT'
    """

    policy: Policy = "lenient"
    name: str = "math"

    def __post_init__(self) -> None:
        check_policy(self.policy)

    @property
    def version(self) -> str:
        """Changes with the rules and with the policy."""
        return VERSION if self.policy == "lenient" else f"{VERSION}/{self.policy}"

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Judge one completion against one gold answer or several accepted forms of it."""
        if not isinstance(completion, str):
            return not_text(completion)
        start = perf_counter()
        try:
            return self._verify(start, completion, gold_texts(gold), finish_reason)
        except Exception as error:  # a defect here must cost one abstention, never a run
            return _verdict(start, None, (Outcome.ERROR, fault(error), "fault"))

    def _verify(
        self, start: float, completion: str, golds: tuple[str, ...], finish_reason: str | None
    ) -> Verdict:
        prepared = prepare_golds(golds)
        if prepared.error:
            return _verdict(start, None, (Outcome.BAD_GOLD, prepared.error, "gold"))
        found = final_answer(completion, self.policy, finish_reason)
        if found.outcome is not None:
            return _verdict(start, None, (found.outcome, found.reason, "extract"))
        ruling = _judge_all(golds, prepared, found)
        return _verdict(start, found.answers[-1], ruling)


def _verdict(start: float, answer: str | None, ruling: Ruling) -> Verdict:
    outcome, reason, stage = ruling
    return Verdict(outcome, answer, reason, stage, 1e3 * (perf_counter() - start))


def _judge_all(golds: tuple[str, ...], prepared: Golds, found: Final) -> Ruling:
    """One ruling for answers that must agree."""
    rulings = [_judge(golds, prepared, answer) for answer in found.answers]
    outcomes = {ruling[0] for ruling in rulings}
    if found.is_list and outcomes == {Outcome.WRONG}:
        parts = [_judge(golds, prepared, part) for part in _LINK.split(found.answers[-1])]
        if all(part[0] is Outcome.CORRECT for part in parts):
            return parts[-1]  # the same answer in several forms
        reason = "several boxes that together are not the answer"
        return Outcome.AMBIGUOUS, reason, "extract"
    if len(outcomes) > 1 and Outcome.CORRECT in outcomes:
        return Outcome.AMBIGUOUS, "it states answers that disagree", "extract"
    return rulings[-1]


def _judge(golds: tuple[str, ...], prepared: Golds, answer: str) -> Ruling:
    """The ruling on one answer, from the cache if this pair was judged before."""
    key = (VERSION, golds, answer)
    ruling = _cache.get(key)
    if ruling is None:
        ruling = _compare(prepared.answers, parse_answer(gold_text(answer)))
        if ruling[0] in (Outcome.CORRECT, Outcome.WRONG):
            if len(_cache) >= _CACHE_SIZE:
                _cache.clear()
            _cache[key] = ruling
    return ruling


def _compare(golds: tuple[Answer, ...], answer: Answer) -> Ruling:
    decisions = [_decide(gold, answer) for gold in golds]
    for decision in decisions:
        if decision.same is True:
            return Outcome.CORRECT, "", decision.stage
    open_golds = [g for g, d in zip(golds, decisions, strict=True) if d.same is None]
    for gold in open_golds:
        ruling = _symbolic(gold, answer)
        if ruling[0] is not Outcome.WRONG:
            return ruling
    if open_golds:
        return Outcome.WRONG, "differs from the gold answer", "symbolic"
    reason = decisions[0].reason or "differs from the gold answer"
    return Outcome.WRONG, reason, decisions[0].stage


def _decide(gold: Answer, answer: Answer) -> Decision:
    try:
        return decide(gold, answer)
    except RecursionError:
        return Decision(False, "parse", "the answer is nested too deeply")


def _symbolic(gold: Answer, answer: Answer) -> Ruling:
    """Ask sympy, here if this process may be killed, else in the helper process."""
    if worker.in_worker:
        return symbolic_ruling(gold, answer)
    verdict = _helper_pool().verify(answer.text, gold.text)
    return verdict.outcome, verdict.reason, "symbolic"


def symbolic_ruling(gold: Answer, answer: Answer) -> Ruling:
    """The last stage: what sympy cannot decide either is a fault of ours, with one exception.

    A gold that is a plain number wants a number, and one without integrals, limits or sums wants
    none: an answer whose value is beyond the budget of every stage is WRONG then, so that nobody
    can buy an abstention with a tower of exponents or an integral.
    """
    from hdpo_env.verifiers.compare.symbolic import symbolic_leaf

    decision = decide(gold, answer, symbolic_leaf)
    if decision.same is not None:
        outcome = Outcome.CORRECT if decision.same else Outcome.WRONG
        return outcome, decision.reason, "symbolic"
    is_number = any(rational(reading) is not None for reading in gold.readings)
    is_called_for = any(map(has_binder, gold.readings)) or not any(map(has_binder, answer.readings))
    if is_number or not is_called_for:
        return Outcome.WRONG, "the answer's value cannot be computed", "symbolic"
    return Outcome.ERROR, "no stage could decide whether the answer is equal", "undecided"


@dataclass(frozen=True)
class SymbolicVerifier:
    """The symbolic stage alone, as the helper process runs it: the completion is an answer."""

    name: str = "symbolic"
    version: str = VERSION

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        """Compare one answer with one gold by every stage, sympy included."""
        start = perf_counter()
        ruling = symbolic_ruling(parse_answer(gold_texts(gold)[0]), parse_answer(completion))
        return _verdict(start, completion, ruling)


def _helper_pool() -> VerifierPool:
    """The one killable process behind in-process verification, started when first needed."""
    global _helper
    with _lock:
        if _helper is None:
            from hdpo_env.verifiers.pool import VerifierPool

            _helper = VerifierPool(SymbolicVerifier(), workers=1, timeout_s=5.0)
        return _helper
