"""What the environments share: sources by name, prompts, and a verifier for each problem."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from hdpo_env.errors import ConfigError, DataError
from hdpo_env.problems.named import open_source
from hdpo_env.problems.source import ProblemSource
from hdpo_env.prompts import TEMPLATES, Template, student_prompt
from hdpo_env.types import Completion, Problem, Prompt, Verdict, by_id
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier


class Judges:
    """The verifier of each problem: the given one for all, or the one that the problem names."""

    def __init__(self, verifier: Verifier | str | None = None) -> None:
        self._fixed = VERIFIERS[verifier]() if isinstance(verifier, str) else verifier
        self._named: dict[str, Verifier] = {}

    def verify(self, problem: Problem, completion: Completion) -> Verdict:
        """The verdict on one completion."""
        return self.of(problem).verify(
            completion.text, problem.answers, finish_reason=completion.finish_reason
        )

    def verify_all(self, pairs: Sequence[tuple[Problem, Completion]]) -> list[Verdict]:
        """The verdicts in order; a verifier with a ``map``, as pools have, gets all of its own."""
        shares: dict[int, tuple[Verifier, list[int]]] = {}  # by identity: not all can be hashed
        for place, (problem, _) in enumerate(pairs):
            verifier = self.of(problem)
            shares.setdefault(id(verifier), (verifier, []))[1].append(place)
        verdicts: dict[int, Verdict] = {}
        for verifier, places in shares.values():
            mine = [pairs[place] for place in places]
            if (judge_many := getattr(verifier, "map", None)) is None:
                found = [self.verify(*pair) for pair in mine]
            else:
                found = judge_many([(c.text, p.answers, c.finish_reason) for p, c in mine])
            verdicts.update(zip(places, found, strict=True))
        return [verdicts[place] for place in range(len(pairs))]

    def of(self, problem: Problem) -> Verifier:
        """The verifier that judges this problem."""
        if self._fixed is not None:
            return self._fixed
        if problem.verifier not in self._named:
            self._named[problem.verifier] = VERIFIERS[problem.verifier]()
        return self._named[problem.verifier]


def source_of(problems: str | ProblemSource, settings: dict[str, Any]) -> ProblemSource:
    """A source given by its name and settings (`open_source`), or the source itself.

    Raises:
        ConfigError: settings for a source that is already made.
        DataError: the source is empty, or two different problems of it have one id.
    """
    if isinstance(problems, str):
        problems = open_source(problems, **settings)
    elif settings:
        raise ConfigError(f"settings {sorted(settings)} only apply to a source given by its name")
    if not len(problems):
        raise DataError("the problem source is empty: give at least one problem")
    if isinstance(problems, (list, tuple)):
        by_id(problems)
    return problems


def prompt_of(problem: Problem, template: str | Template | None) -> Prompt:
    """The student's prompt, by default in the form that the problem's verifier reads."""
    return student_prompt(problem, template)


def check_template(template: str | Template | None) -> None:
    """Refuse a template's name before the first prompt is asked for.

    Raises:
        RegistryError: no template has this name.
    """
    if isinstance(template, str):
        TEMPLATES[template]


def completion_of(action: str | Completion) -> Completion:
    """What was given as a completion, as one.

    Raises:
        DataError: it is no text.
    """
    if isinstance(action, Completion):
        return action
    if not isinstance(action, str):
        raise DataError(
            f"a completion is a {type(action).__name__}: give the model's text, of messages the "
            "last one's content"
        )
    return Completion((), action)


def problem_at(source: ProblemSource, index: object) -> Problem:
    """The problem at a place; negative ones count from the end.

    Raises:
        ConfigError: the index is no whole number.
        DataError: the source has no such place.
    """
    if not isinstance(index, Integral):
        raise ConfigError(f"index {index!r} is no whole number: give one, such as index=3")
    place = int(index)
    if not -len(source) <= place < len(source):
        raise DataError(f"index {place} is outside the {len(source)} problems of this source")
    return source[place]


def find_problem(source: ProblemSource, problem_id: str) -> Problem:
    """The problem with this id.

    Raises:
        DataError: there is none.
    """
    for problem in source:
        if problem.id == problem_id:
            return problem
    raise DataError(f"no problem of this source has id {problem_id!r}: check the split and seed")
