"""Which privileged view gets a model off its cliffs, and which merely lets it copy.

Measured before any training: for each view the pass rate on the cliffs, what it costs in tokens,
how much is copied or given away, and what is left of it once the view is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from hdpo_env.errors import DataError, ViewError
from hdpo_env.filters import find_telltale, select_teachable, telltales_of
from hdpo_env.privileged import VIEWS, privileged_context, privileged_prompt
from hdpo_env.rollouts import Judge, Policy, judge, sample_groups
from hdpo_env.stats import Estimate, mean_over_problems
from hdpo_env.types import Group, Problem, Prompt, Rollout, derive_seed

GRAM = 5  # words in a row that count as copied
COPIED = 0.5  # from this share of copied words on, a completion repeats rather than derives
BEFORE = 8  # words before the answer from which on something may be called a derivation
HALF = "prefix:0.5"  # the view in which the student gets half of a privileged derivation

_WORD = re.compile(r"\w+|[^\w\s]")
_GIVEN = (  # what a statement of the answer begins with, and what it ends with
    (r"\\(?:boxed|fbox)\s*\{\s*", ""),
    (r"\b(?:answer|result)\b(?:[^.\n]{0,40}?\bis\b|\s*[:=])[\s:=$*({\[\\]*", ""),
    (
        r"(?:\A|\b(?:it is|it's|i get|we get)\b)[\s$*({\[\\]*(?:[a-z]\s*=\s*)?",
        r"[\s$*)}\]\\]*(?:\Z|[.,;:!\n]|because\b|since\b)",
    ),
)


PromptOf = Callable[[Problem], Prompt]
Draw = Callable[[Sequence[Problem], PromptOf, str], "list[Group]"]


@dataclass(frozen=True)
class ViewAudit:
    """What one view does on the cliffs. Rates are over privileged rollouts unless said otherwise.

    Args:
        view: its name.
        num_cliffs: cliffs that could be shown in this view.
        num_left_out: cliffs that could not, for want of a solution, hints and the like.
        pass_rate: over cliffs, with an interval; None if none could be shown.
        escape_rate: share of the shown cliffs with at least one success.
        teachable_rate: correct, within the limit, no telltale phrase, not copied, derived.
        tokens: mean length of a completion.
        context_words: mean length of the privileged text.
        copy_ratio: mean share of a correct completion's words in runs that the context holds.
        early_rate: share of correct completions that state the answer before any derivation.
        telltale_rate: share with a phrase that gives the context away.
        left_out_why: why the first of the cliffs left out could not be shown; None if all could.
        survival: the student's pass rate without the view, when it is given the first half of a
            correct privileged derivation; None if nothing could be tried.
    """

    view: str
    num_cliffs: int
    num_left_out: int
    pass_rate: Estimate | None
    escape_rate: float
    teachable_rate: float
    tokens: float
    context_words: float
    copy_ratio: float
    early_rate: float
    telltale_rate: float
    survival: float | None = None
    left_out_why: str | None = None

    def row(self) -> dict[str, Any]:
        """A JSON-able object."""
        return asdict(self)


def audit_views(
    policy: Policy,
    cliffs: Sequence[Group],
    views: Iterable[str] | None = None,
    *,
    num: int = 4,
    template: str = "hdpo",
    student: str | None = None,
    temperature: float = 1.0,
    max_tokens: int,
    seed: int,
    judge: Judge = judge,
) -> list[ViewAudit]:
    """Try every view on these cliffs, the best one first.

    Views are ranked by the share of rollouts that could teach, then of cliffs that open. ``cliffs``
    are the student's own groups, which some views quote. ``views`` are names, by default all of
    `VIEWS` but "none", the student's own prompt.

    Raises:
        DataError: there is no cliff.
    """
    if not cliffs:
        raise DataError("there are no cliffs to audit views on: sample the student first")
    names = [v for v in VIEWS if v != "none"] if views is None else list(views)

    def draw(
        problems: Sequence[Problem], prompt_of: Callable[[Problem], Prompt], role: str
    ) -> list[Group]:
        return sample_groups(
            policy,
            problems,
            num=num,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=derive_seed("audit views", seed, role),
            prompt_of=prompt_of,
            judge=judge,
        )

    shown = partial(privileged_prompt, template=template, student=student)
    audits = [_audited(view, cliffs, shown, template, draw) for view in names]
    return sorted(audits, key=lambda a: (-a.teachable_rate, -a.escape_rate, a.tokens))


def _audited(
    view: str, cliffs: Sequence[Group], shown: Callable[..., Prompt], template: str, draw: Draw
) -> ViewAudit:
    own = {g.problem.id: g for g in cliffs}

    def prompt_of(problem: Problem) -> Prompt:
        return shown(problem, view, group=own[problem.id])

    refusals = {g.problem.id: _refusal(prompt_of, g.problem) for g in cliffs}
    usable = [g.problem for g in cliffs if refusals[g.problem.id] is None]
    groups = draw(usable, prompt_of, view)
    rollouts = [r for g in groups for r in g.rollouts]
    contexts = {
        p.id: privileged_context(p, view, template, group=own[p.id]) if view != "none" else ""
        for p in usable
    }
    right = [r for r in rollouts if r.verdict.correct is True]
    copied = [copy_ratio(r.completion.text, contexts[r.prompt.problem_id]) for r in right]
    # Where the whole completion must be the answer, there is no place for a derivation.
    exact = {p.id for p in usable if p.verifier == "exact"}
    early = [r.prompt.problem_id not in exact and states_early(r) for r in right]
    clean = select_teachable(groups, distinct=False).kept
    derived = {id(r) for r, c, e in zip(right, copied, early, strict=True) if c < COPIED and not e}
    rates = [
        _mean([float(c) for c in g.correct if c is not None])
        for g in groups
        if any(c is not None for c in g.correct)
    ]
    return ViewAudit(
        view=view,
        num_cliffs=len(usable),
        num_left_out=len(cliffs) - len(usable),
        pass_rate=mean_over_problems(rates) if rates else None,
        escape_rate=_mean([float(True in g.correct) for g in groups]),
        teachable_rate=sum(id(r) in derived for r in clean) / max(1, len(rollouts)),
        tokens=_mean([float(r.completion.num_tokens) for r in rollouts]),
        context_words=_mean([float(len(words(c))) for c in contexts.values()]),
        copy_ratio=_mean(copied),
        early_rate=_mean([float(e) for e in early]),
        telltale_rate=_mean([float(gives_away(r)) for r in rollouts]),
        survival=_survival(right, {p.id: p for p in usable}, shown, view, draw),
        left_out_why=next((why for why in refusals.values() if why), None),
    )


def _survival(
    right: Sequence[Rollout],
    problem_of: dict[str, Problem],
    shown: Callable[..., Prompt],
    view: str,
    draw: Draw,
) -> float | None:
    # One derivation a problem; the student sees its first half and nothing of the view.
    derivations = {r.prompt.problem_id: r.completion.text for r in reversed(right)}
    halves = [replace(problem_of[i], solution=text) for i, text in derivations.items()]

    def prompt_of(problem: Problem) -> Prompt:
        return shown(problem, HALF)

    groups = draw([p for p in halves if not _refusal(prompt_of, p)], prompt_of, f"{view} survives")
    judged = [float(c) for g in groups for c in g.correct if c is not None]
    return _mean(judged) if judged else None


def _refusal(prompt_of: PromptOf, problem: Problem) -> str | None:
    try:
        prompt_of(problem)
    except ViewError as error:
        return str(error)
    return None


def words(text: str) -> list[str]:
    """Words and signs, in lower case.

    >>> words("So x=2.")
    ['so', 'x', '=', '2', '.']
    """
    return _WORD.findall(text.lower())


def copy_ratio(text: str, context: str) -> float:
    """The share of a text's words that lie in runs of `GRAM` words which the context holds.

    0 for a text shorter than such a run.

    >>> copy_ratio("we add three and four first", "Then we add three and four, so 7.")
    0.8333333333333334
    """
    said, held = words(text), words(context)
    runs = {tuple(held[i : i + GRAM]) for i in range(len(held) - GRAM + 1)}
    copied = [False] * len(said)
    for i in range(len(said) - GRAM + 1):
        if tuple(said[i : i + GRAM]) in runs:
            copied[i : i + GRAM] = [True] * GRAM
    return sum(copied) / len(said) if said else 0.0


def states_early(rollout: Rollout) -> bool:
    """Whether the final answer is stated before there is anything that could be its derivation.

    Stated is boxed, called the answer, or alone in its clause; if it nowhere is, where it stands
    last. The same digits as a part of the question or of another number are no statement.
    """
    answer, text = rollout.verdict.extracted, rollout.completion.text
    place = _stated_at(answer, text) if answer else None
    return place is not None and len(words(text[:place])) < BEFORE


def _stated_at(answer: str, text: str) -> int | None:
    whole = rf"(?<![\w.])({re.escape(answer)})(?![\w]|[.,]\d)"
    stated = [
        found.start(1)
        for before, after in _GIVEN
        if (found := re.search(before + whole + after, text, re.IGNORECASE))
    ]
    if stated:
        return min(stated)
    return max((found.start() for found in re.finditer(whole, text)), default=None)


def gives_away(rollout: Rollout) -> bool:
    """Whether a telltale phrase of its template is in the completion."""
    phrases = telltales_of(rollout.prompt.template)
    return find_telltale(rollout.completion.text, phrases) is not None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
