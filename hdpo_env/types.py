"""The records that flow down the corridor: frozen, typed, JSON-able, without behaviour.

problem -> prompt -> completion -> verdict -> rollout -> group

Letters used in the package: P problems, G members of a group, B = P*G rows, T completion tokens.
Gold answers, solutions and hints never appear in a repr (DESIGN: no privileged text in logs).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from math import isfinite
from numbers import Real
from typing import Any, NoReturn

from hdpo_env.errors import DataError


class Outcome(Enum):
    """What the verifier found. Only the last three are faults of the checker, not of the model."""

    CORRECT = "correct"  # the final answer equals a gold answer
    WRONG = "wrong"  # a final answer was found and it differs
    NO_ANSWER = "no_answer"  # the completion states no final answer
    AMBIGUOUS = "ambiguous"  # it states several that disagree
    TRUNCATED = "truncated"  # it was cut by a token limit before it answered
    TIMEOUT = "timeout"  # the verifier ran out of its time limit
    ERROR = "error"  # the verifier failed
    BAD_GOLD = "bad_gold"  # the gold answer itself cannot be used


_ABSTENTIONS = frozenset({Outcome.TIMEOUT, Outcome.ERROR, Outcome.BAD_GOLD})


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verifier's judgement of one completion.

    ``correct`` is True, False, or None when the verifier abstains: a fault of the checker is never
    a wrong answer. A verdict has no truth value: ``if not verdict`` would hide that third case.

    >>> Verdict(Outcome.TIMEOUT).correct is None
    True
    """

    outcome: Outcome
    extracted: str | None = None  # the final answer that was judged
    reason: str = ""  # one sentence for a person
    stage: str = ""  # which stage of the verifier decided
    ms: float = 0.0  # wall milliseconds spent judging

    @property
    def correct(self) -> bool | None:
        """True, False, or None if the verifier abstains."""
        return None if self.is_abstention else self.outcome is Outcome.CORRECT

    @property
    def is_abstention(self) -> bool:
        """Whether the verifier could not judge: TIMEOUT, ERROR or BAD_GOLD."""
        return self.outcome in _ABSTENTIONS

    def __bool__(self) -> bool:
        raise TypeError(
            f"a Verdict ({self.outcome.name}) has three states and no truth value; "
            "compare verdict.correct with True, False or None"
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with its accepted gold answers and where it came from.

    ``id`` is a hash of question and answers unless given, so the same problem has the same id on
    every machine. ``solution`` is a worked derivation, ``hints`` a ladder from vague to telling.

    A blank solution is None, and so is a difficulty that is NaN or infinite.

    Raises:
        DataError: the question is blank, there is no gold answer or a blank one, or a field has a
            value of another type.

    >>> p = Problem("1+1=?", ("2",))
    >>> p.id == Problem("1+1=?", ("2",)).id, p.gold, "answers" in repr(p)
    (True, '2', False)
    """

    question: str
    answers: tuple[str, ...] = field(repr=False)
    solution: str | None = field(default=None, repr=False)
    hints: tuple[str, ...] = field(default=(), repr=False)
    source: str = ""
    split: str = "train"
    subject: str = ""
    difficulty: float | None = None
    verifier: str = "math"
    id: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.question, str) or not self.question.strip():
            raise DataError(f"problem question is {self.question!r}: give a non-empty string")
        answers, hints = self._several("answers"), self._several("hints")
        if blank := [n for n, answer in enumerate(answers, start=1) if not answer.strip()]:
            self._refuse(f"a blank answer, number {blank[0]} of {len(answers)}", "leave it out")
        if not answers:
            self._refuse("no gold answer", "give answers=('...',) with at least one")
        for name in ("source", "split", "subject", "verifier", "id"):
            self._check(name, str, "a string")
        if self.solution is not None:
            self._check("solution", str, "a string or None")
            object.__setattr__(self, "solution", self.solution if self.solution.strip() else None)
        if self.difficulty is not None:
            self._check("difficulty", Real, "a number or None")
            number = float(self.difficulty)
            object.__setattr__(self, "difficulty", number if isfinite(number) else None)
        object.__setattr__(self, "answers", answers)
        object.__setattr__(self, "hints", hints)
        if not self.id:
            object.__setattr__(self, "id", content_hash(self.question, *answers))

    def _several(self, name: str) -> tuple[str, ...]:
        given = getattr(self, name)
        if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
            remedy = f"give {name}=('...',), a tuple or list of strings"
            self._refuse(f"{name} of type {type(given).__name__}", remedy)
        texts = tuple(given)
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str):
                told = f"{name} whose number {number} is of type {type(text).__name__}"
                self._refuse(told, "give strings")
        return texts

    def _check(self, name: str, kind: type, what: str) -> None:
        given = getattr(self, name)
        if not isinstance(given, kind) or isinstance(given, bool):
            self._refuse(f"type {type(given).__name__} as its {name}", f"give {what}")

    def _refuse(self, fault: str, remedy: str) -> NoReturn:
        raise DataError(f"problem {self.question[:60]!r} has {fault}: {remedy}")

    @property
    def gold(self) -> str:
        """The first accepted gold answer."""
        return self.answers[0]

    def to_json(self) -> str:
        """The problem as one JSON line, gold included."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Problem:
        """Rebuild a problem from ``json.loads(problem.to_json())``.

        Raises:
            DataError: the row has a field that a problem does not have, lacks one it needs, or a
                field has a value of another type.
        """
        if not isinstance(row, Mapping):
            raise DataError(f"problem row is a {type(row).__name__}: give a mapping of its fields")
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(row) - known):
            raise DataError(f"problem row has unknown fields {unknown}; known: {sorted(known)}")
        if missing := sorted({"question", "answers"} - set(row)):
            raise DataError(f"problem row lacks {missing}")
        return cls(**row)


def by_id(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Problems by their ids; the same problem may come twice, two problems with one id may not.

    Raises:
        DataError: two different problems have the same id, so that one would get the other's gold.

    >>> list(by_id([Problem("1+1=?", ("2",), id="a"), Problem("1+1=?", ("2",), id="a")]))
    ['a']
    """
    known: dict[str, Problem] = {}
    for problem in problems:
        other = known.setdefault(problem.id, problem)
        if (other.question, other.answers) != (problem.question, problem.answers):
            sources = sorted({other.source, problem.source})
            raise DataError(
                f"two different problems have the id {problem.id!r} (sources {sources}): one would "
                "be judged by the other's gold; give each an id of its own, or none for a hash of "
                "its content"
            )
    return known


@dataclass(frozen=True, slots=True)
class Message:
    """One chat turn."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown: chat messages and the name of the template that made them.

    ``view`` names the privileged context it holds; "none" is the student's prompt. The messages of
    a privileged prompt stay out of its repr.
    """

    problem_id: str
    messages: tuple[Message, ...] = field(repr=False)
    template: str = "plain"
    view: str = "none"

    @property
    def is_privileged(self) -> bool:
        """Whether the prompt holds text that only the teacher may see."""
        return self.view != "none"


@dataclass(frozen=True, slots=True)
class Completion:
    """The tokens a policy produced for one prompt. The ids are the truth, the text is a view.

    ``logprobs`` are the behaviour policy's log-probabilities of these tokens in nats, at the
    temperature they were sampled with.
    """

    token_ids: tuple[int, ...]
    text: str
    logprobs: tuple[float, ...] = ()
    finish_reason: str = "stop"  # "stop": ended by itself, "length": cut by a limit

    @property
    def num_tokens(self) -> int:
        """Number of generated tokens, the end-of-sequence token included."""
        return len(self.token_ids)

    @property
    def is_truncated(self) -> bool:
        """Whether a token limit cut the completion."""
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A completion with its verdict and reward. The reward is never changed afterwards.

    ``reward`` is None when the verifier abstained.
    """

    prompt: Prompt
    completion: Completion
    verdict: Verdict
    reward: float | None


class GroupKind(Enum):
    """How the rollouts of one prompt came out (see ``hdpo_env.cliffs``)."""

    CLIFF = "cliff"  # every rollout failed
    MIXED = "mixed"  # some failed, some succeeded
    SATURATED = "saturated"  # every rollout succeeded
    UNDECIDED = "undecided"  # abstentions could change which of the three it is


@dataclass(frozen=True, slots=True)
class Group:
    """The G rollouts of one problem's prompt."""

    problem: Problem
    rollouts: tuple[Rollout, ...]

    @property
    def size(self) -> int:
        """G, the number of rollouts."""
        return len(self.rollouts)

    @property
    def correct(self) -> tuple[bool | None, ...]:
        """Each rollout's verdict: True, False, or None for an abstention."""
        return tuple(r.verdict.correct for r in self.rollouts)


def content_hash(*parts: str) -> str:
    """A 16-hex-digit digest of strings, the same on every machine and Python.

    >>> content_hash("a", "b") != content_hash("ab")
    True
    """
    joined = "\x1f".join(parts).encode(errors="surrogatepass")  # JSON may hold halves of pairs
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


def derive_seed(*parts: str | int) -> int:
    """A 63-bit seed from a path such as (name, split, seed, index): law 6, one RNG per object.

    Unlike ``seed + index``, two different paths practically never share a stream.

    >>> derive_seed("chain", 1, 2) != derive_seed("chain", 2, 1)
    True
    """
    return int(content_hash(*(f"{type(p).__name__}:{p}" for p in parts)), 16) >> 1
