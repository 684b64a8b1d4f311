"""Groups of rollouts as the controller first sees them, and pairs of prompts for distillation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from hdpo_env.cliffs.groups import GroupRates, classify_correct
from hdpo_env.types import GroupKind, Outcome, Verdict

SUCCESS = 1.0  # HDPO's filter: a reward of at least this is a success


class GroupRecord(NamedTuple):
    """One prompt's rollouts, judged before anything filters, shapes or clips their rewards."""

    prompt: str
    label: Any
    prompt_ids: tuple[int, ...]  # as the engines read it: cut on the left if it was too long
    correct: tuple[bool | None, ...]

    def kind(self, threshold: float = 0.0) -> GroupKind:
        """Cliff, mixed, saturated or undecided; an abstention never makes a cliff."""
        return classify_correct(self.correct, threshold=threshold)


class Teacher(NamedTuple):
    """The teacher's top k on a completion of T tokens, as nested lists' worth of tensors."""

    ids: Any  # [T, k]
    logprobs: Any  # [T, k]
    log_tail: Any  # [T]


class Pair(NamedTuple):
    """One survivor: the student's and the teacher's prompt, and the completion of both."""

    prompt_ids: tuple[int, ...]
    teacher_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    teacher: Teacher | None = None  # None: the policy worker asks its own weights


def verdict_of(score: Any, extra: Mapping[str, Any]) -> Verdict:
    """What a reward function's answer says: CORRECT, WRONG, or ERROR where it abstains.

    It abstains by ``extra_logs["abstained"] > 0``, by no score at all, or by NaN.

    >>> verdict_of(1.0, {}).correct, verdict_of(0.0, {"abstained": 1.0}).correct
    (True, None)
    """
    number = number_in(score)
    if number is None or math.isnan(number) or (number_in(extra.get("abstained")) or 0.0) > 0:
        return Verdict(Outcome.ERROR)
    return Verdict(Outcome.CORRECT if number >= SUCCESS else Outcome.WRONG)


def number_in(value: Any) -> float | None:
    """The number in a float, a tensor, an array or a list of one; None for None.

    >>> number_in([[1.0]]), number_in([]), number_in(None)
    (1.0, None, None)
    """
    while isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if hasattr(value, "tolist"):
        return number_in([value.tolist()])
    return None if value is None else float(value)


def rates(groups: list[GroupRecord], threshold: float) -> GroupRates:
    """How many groups were of each kind."""
    kinds = [group.kind(threshold) for group in groups]
    return GroupRates(**{f"num_{kind.value}": kinds.count(kind) for kind in GroupKind})


def rollout_of(experience: Any) -> GroupRecord:
    """One rollout as a group of one; its first action token ends the prompt."""
    score = experience.rewards if experience.scores is None else experience.scores
    # mask[t] is about token t + 1; without any action the whole sequence is the prompt
    mask = experience.action_mask[0].long()
    length = int(mask.argmax()) + 1 if int(mask.sum()) else experience.sequences.shape[1]
    return GroupRecord(
        prompt=experience.prompts[0],
        label=experience.labels[0],
        prompt_ids=tuple(experience.sequences[0, :length].tolist()),
        correct=(verdict_of(score, experience.info).correct,),
    )


def grouped(members: list[GroupRecord]) -> GroupRecord:
    """The rollouts of one prompt, which arrive one after the other, as its group."""
    return members[0]._replace(correct=tuple(m.correct[0] for m in members))
