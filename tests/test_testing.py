"""The contract checks pass what ships and catch what is broken, each fault by its own sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch

from hdpo_env.env import MathEnv
from hdpo_env.losses.reference import jsd, kl_student_teacher, kl_teacher_student
from hdpo_env.problems import PROBLEMS, LinearFamily
from hdpo_env.testing import check_divergence, check_env, check_problem_source, check_verifier
from hdpo_env.types import Outcome, Problem, Verdict
from hdpo_env.verifiers import ExactVerifier, MathVerifier


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_every_shipped_source_keeps_the_contract(name: str) -> None:
    """Consistent, solvable by its own verifier, and served by an environment."""
    source = PROBLEMS[name](split="train", seed=0, size=100)
    check_problem_source(source)
    check_env(MathEnv(source, max_turns=2))


def test_shipped_verifiers_keep_the_contract() -> None:
    """Exact and math, both policies."""
    check_verifier(ExactVerifier(), state=str)
    for policy in ("lenient", "boxed_only"):
        check_verifier(MathVerifier(policy=policy))  # type: ignore[arg-type]


class Broken(ExactVerifier):
    """An exact verifier with one fault."""

    fault = ""

    def verify(
        self, completion: str, gold: str | Sequence[str], *, finish_reason: str | None = None
    ) -> Verdict:
        verdict = super().verify(completion, gold)
        if self.fault == "substring" and str(gold) in completion:
            return Verdict(Outcome.CORRECT)
        if self.fault == "blank_gold" and verdict.outcome is Outcome.BAD_GOLD:
            return Verdict(Outcome.WRONG)
        if self.fault == "fussy" and completion != completion.strip():
            return Verdict(Outcome.WRONG)
        if self.fault == "tuple" and not isinstance(gold, str):
            return Verdict(Outcome.ERROR)
        if self.fault == "crash" and "\x00" in completion:
            raise ValueError("embedded null")
        if self.fault == "generous" and not completion.strip():
            return Verdict(Outcome.CORRECT)
        return verdict


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("substring", AssertionError, "stating '42' against gold '2' was judged CORRECT"),
        ("blank_gold", AssertionError, "must give BAD_GOLD"),
        ("fussy", AssertionError, "with blanks around it"),
        ("tuple", AssertionError, "in a tuple"),
        ("crash", ValueError, "embedded null"),
        ("generous", AssertionError, "'' was judged CORRECT"),
    ],
)
def test_each_broken_verifier_is_caught(
    fault: str, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verifier with one fault fails for that fault."""
    monkeypatch.setattr(Broken, "fault", fault)
    with pytest.raises(error, match=message):
        check_verifier(Broken(), golds=("42", "2"), state=str)


GOOD = list(LinearFamily(1).source(size=4))


class Shrinking(list):
    """A source that says it is longer than it is."""

    def __len__(self) -> int:
        return super().__len__() + 1


class Reversed(list):
    """A source that iterates in another order than it is indexed."""

    def __iter__(self) -> Iterator[Problem]:
        return reversed(self)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "source is empty"),
        (Shrinking(GOOD), "says it has 5 problems and iterates over 4"),
        ([GOOD[0], replace(GOOD[1], id=GOOD[0].id)], "problems 0 and 1 share the id"),
        ([Problem("q", (r"\frac{1}{",), verifier="math")], "cannot be used|its own gold"),
        (Reversed(GOOD), "iterating over the source and indexing it"),
    ],
)
def test_each_broken_source_is_caught(source: list, message: str) -> None:
    """A source with one fault fails for that fault."""
    with pytest.raises(AssertionError, match=message):
        check_problem_source(source)


class Leaky(MathEnv):
    """An environment that shows the gold in one place."""

    where = ""

    def step(self, action: str) -> tuple:
        observation, reward, terminated, truncated, info = super().step(action)
        gold = str(self.problem.gold) if self.problem else ""
        if self.where == "observation":
            observation += gold
        if self.where == "info":
            info["gold"] = gold
        return observation, reward, terminated, truncated, info

    def __repr__(self) -> str:
        return f"Leaky({self.problem.gold if self.problem and self.where == 'repr' else ''})"


@pytest.mark.parametrize("where", ["observation", "info", "repr", ""])
def test_leaks_are_caught_wherever_they_are(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted secrets must not come out; without a leak the check passes."""
    monkeypatch.setattr(Leaky, "where", where)
    env = Leaky([Problem("q", ("CANARY",), verifier="exact")])
    if where:
        with pytest.raises(AssertionError, match="shows the secret 'CANARY'"):
            check_env(env, secrets=["CANARY"])
    else:
        check_env(env, secrets=["CANARY"])


@pytest.mark.parametrize("divergence", [jsd, kl_student_teacher, kl_teacher_student])
def test_our_divergences_keep_the_contract(divergence: object) -> None:
    """The exact references of the losses pass their own contract."""
    check_divergence(divergence)  # type: ignore[arg-type]


def _kl(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    p, q = z.log_softmax(-1), t.detach().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda z, t: _kl(z, t).sum(), "give one value a row"),
        (lambda z, t: -_kl(z, t), "must be above 0"),
        (lambda z, t: _kl(z, t) + 1, "equal rows gave 1"),
        (lambda z, t: ((z - t.detach()) ** 2).sum(-1), "adding a constant to the student's"),
        (lambda z, t: _kl(z, t) * (1 + z.softmax(-1)[:, 0]), "permuting the vocabulary"),
        (lambda z, t: _kl(z, t) + 0 * (t * t).sum(-1) + _kl(t, z.detach()), "reaches the teacher"),
        (lambda z, t: _kl(z.detach(), t) + 0 * z.sum(-1), "is not the derivative"),
        (
            lambda z, t: (z.softmax(-1) * (z.softmax(-1) / t.detach().softmax(-1)).log()).sum(-1),
            "is not finite where",
        ),
    ],
)
def test_each_broken_divergence_is_caught(broken: object, message: str) -> None:
    """A divergence with one fault fails for that fault."""
    with pytest.raises(AssertionError, match=message):
        check_divergence(broken)  # type: ignore[arg-type]
