"""Self-checks of a data set's gold answers and of the verifier, before anybody trains on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hdpo_env.types import Outcome, Problem, Verdict
from hdpo_env.verifiers.extract.boxes import last_boxes
from hdpo_env.verifiers.forms import stated
from hdpo_env.verifiers.protocol import Verifier, check_gold
from hdpo_env.verifiers.questions import question_key

_SAID = r"answer\s*(?:is|was|:|=)\s*[$*\"'(\\]*{}"  # and then, for a short gold, an end
_END = r"(?=\s*(?:[$*\"')\]\\!?;:]|[.,](?!\d)|$))"
_SHORT = 4  # a shorter gold also begins other words and numbers: "the answer is a number"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one problem; the gold stays out of its repr and its text."""

    kind: str  # bad_gold, rejects_itself, accepts_nothing, other_solution, leak, and of several
    # problems: duplicate, conflict, overlap
    problem_id: str
    detail: str


def audit(
    problems: Sequence[Problem], verifier: Verifier, *, others: Iterable[Problem] = ()
) -> list[Finding]:
    """Everything wrong with the golds and questions of a data set.

    Each gold must be usable, accept itself in a box and reject an empty answer, and a solution
    that boxes its answer must box the gold; no question may occur twice (worse: with another
    answer), hold its own answer, or occur in ``others``, such as a test set.

    >>> from hdpo_env.verifiers import MathVerifier
    >>> rows = [Problem("1+1=?", ("2",)), Problem("1 + 1 = ?", ("3",))]
    >>> [f.kind for f in audit(rows, MathVerifier())]
    ['conflict']
    """
    findings = [found for problem in problems for found in _check(problem, verifier)]
    findings += _repeats(problems)
    elsewhere = {question_key(problem.question) for problem in others}
    for problem in problems:
        if question_key(problem.question) in elsewhere:
            findings.append(Finding("overlap", problem.id, "its question is also in the other set"))
    return findings


def _check(problem: Problem, verifier: Verifier) -> Iterator[Finding]:
    reason = check_gold(verifier, problem.answers)
    if reason is not None:
        yield Finding("bad_gold", problem.id, reason)  # it names a class of faults, no gold
        return
    rejected = []
    for at, answer in enumerate(problem.answers):
        verdict = verifier.verify(f"The answer is $\\boxed{{{answer}}}$.", problem.answers)
        if verdict.correct is not True:
            what = f"gold {at + 1} judged against itself is {verdict.outcome.name}"
            rejected.append(Finding("rejects_itself", problem.id, what))
    yield from rejected
    if not rejected and _ends_otherwise(problem, verifier):
        yield Finding("other_solution", problem.id, "its solution boxes another answer")
    for empty in ("", "\\boxed{}", "I do not know."):
        if verifier.verify(empty, problem.answers).correct is True:
            yield Finding("accepts_nothing", problem.id, f"the completion {empty!r} is CORRECT")
    if _leaks(problem, verifier):
        yield Finding("leak", problem.id, "the question states its answer")


def _ends_otherwise(problem: Problem, verifier: Verifier) -> bool:
    solution = problem.solution or ""
    if "\\boxed" not in solution:
        return False  # prose may end in any number
    return verifier.verify(solution, problem.answers).outcome is Outcome.WRONG


def _leaks(problem: Problem, verifier: Verifier) -> bool:
    """Whether a question holds its boxed answer, or says that its answer is this."""
    boxes = [box.content for box in last_boxes(problem.question) if box.content]
    if any(verifier.verify(stated(verifier.name, box), problem.answers).correct for box in boxes):
        return True
    return any(_says(answer.strip(), problem.question) for answer in problem.answers)


def _says(answer: str, question: str) -> bool:
    """Whether "the answer is" and an answer occur in a question one after the other."""
    if not answer:
        return False
    end = _END if len(answer) < _SHORT else r"(?!\w)" if answer[-1].isalnum() else ""
    said = _SAID.format(f"(?-i:{re.escape(answer)})") + end
    return re.search(said, question, re.IGNORECASE) is not None


def _repeats(problems: Sequence[Problem]) -> Iterator[Finding]:
    first: dict[str, Problem] = {}
    for problem in problems:
        key = question_key(problem.question)
        before = first.setdefault(key, problem)
        if before is problem:
            continue
        if set(before.answers) == set(problem.answers):
            yield Finding("duplicate", problem.id, f"the same as problem {before.id}")
        else:
            yield Finding("conflict", problem.id, f"problem {before.id} has other golds")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One item on which two verifiers differ. The gold stays out of the repr."""

    index: int
    extracted: str | None
    gold: str | Sequence[str] = field(repr=False)
    ours: Verdict
    theirs: Verdict


def differences(
    items: Sequence[tuple[str, str | Sequence[str]]],
    ours: Sequence[Verdict],
    theirs: Sequence[Verdict],
) -> list[Disagreement]:
    """The items on which exactly one of two verifiers says CORRECT, abstentions aside.

    Where either abstained nothing is compared: say how often (`Verdict.is_abstention`) beside it.
    """
    found = []
    for index, (item, mine, other) in enumerate(zip(items, ours, theirs, strict=True)):
        decided = mine.correct is not None and other.correct is not None
        if decided and mine.correct is not other.correct:
            found.append(Disagreement(index, mine.extracted, item[1], mine, other))
    return found
