"""Privileged rollouts: from token ids to judged groups, and from survivors to micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from hdpo_env.batching import Row
from hdpo_env.filters import Selection
from hdpo_env.types import Completion, Group, Problem, Prompt, Rollout, Verdict
from hdpo_env.verifiers.rewards import reward_of

Judge = Callable[[Sequence[tuple[Problem, Completion]]], "list[Verdict]"]


def completions_of(
    drawn: Sequence[Sequence[int]], texts: Sequence[str], ends: Collection[int]
) -> list[Completion]:
    """Generated ids as completions; one that does not end in one of ``ends`` was cut.

    >>> [c.is_truncated for c in completions_of([[5, 1], [5, 6]], ["a", "ab"], {1})]
    [False, True]
    """
    return [
        Completion(tuple(ids), text, finish_reason="stop" if ids and ids[-1] in ends else "length")
        for ids, text in zip(drawn, texts, strict=True)
    ]


def judged_groups(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    judge: Judge,
    template: str,
    view: str,
) -> list[Group]:
    """One group of verified privileged rollouts a problem; completions come problem by problem.

    The groups carry the template's name and view, not the privileged text.
    """
    num = len(completions) // max(1, len(problems))
    pairs = list(zip((p for p in problems for _ in range(num)), completions, strict=True))
    verdicts = iter(judge(pairs))
    groups = []
    for place, problem in enumerate(problems):
        prompt = Prompt(problem.id, (), template, view)
        mine = completions[place * num : (place + 1) * num]
        judged = [(completion, next(verdicts)) for completion in mine]
        rollouts = tuple(Rollout(prompt, c, v, reward_of(v)) for c, v in judged)
        groups.append(Group(problem, rollouts))
    return groups


def gates(groups: Sequence[Sequence[bool | None]], rule: str) -> list[bool]:
    """Which of the student's own rollouts may be distilled; group by group, never an abstention.

    ``positive_advantage``: whose verdict is above the mean of its group's verdicts, so the correct
    ones where one is wrong; counted on verdicts, no other reward and no rounding can open it.
    ``all``: every judged one.

    >>> gates([[True, False, None], [True, True]], "positive_advantage")
    [True, False, False, False, False]
    """
    return [
        correct is not None and (rule == "all" or (correct and False in group))
        for group in groups
        for correct in group
    ]


def deal(survivors: Sequence[Row], micro_batches: list[dict[str, Any]], per_step: int) -> None:
    """Spread survivors evenly over micro-batches; each token weighs 1 / (tokens of its step).

    ``per_step`` micro-batches make an optimiser step. What each gets stands under "survivors".

    >>> batches = [{}, {}]
    >>> deal([Row((1,), (2, 3)), Row((1,), (4, 5))], batches, per_step=2)
    >>> [batch["survivors"][0].distill_weight for batch in batches]
    [0.25, 0.25]
    """
    num_steps = len(micro_batches) // per_step
    for step in range(num_steps):
        mine = survivors[step::num_steps]
        tokens = sum(row.num_tokens for row in mine)
        rows = [replace(row, distill_weight=1 / tokens) for row in mine]
        for place in range(per_step):
            micro_batches[step * per_step + place]["survivors"] = rows[place::per_step]


def privileged_metrics(
    selection: Selection, groups: Sequence[Group], num_cliffs: int
) -> dict[str, float]:
    """How the teacher did on the cliffs, and what was kept; no pass rate without a verdict."""
    known = [correct for group in groups for correct in group.correct if correct is not None]
    metrics = {
        "privileged/cliffs_tried": float(len(groups)),
        "privileged/cliffs_left_out": float(num_cliffs - len(groups)),
        **selection.metrics(),
    }
    return metrics | ({"privileged/pass_rate": sum(known) / len(known)} if known else {})
