"""Rollouts of any system, one JSON object a line -> counts per group. Built for a million lines.

A line says how one rollout came out, in the first of these ways that it has: a verdict, a reward,
or a completion with the gold answer, which is then judged here. A line that says none of them is
reported with its number, never dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from hdpo_env.problems.fieldmap import Column
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import Verifier

_MAX_NAMED = 10  # faults that are kept with their line; the rest are counted
_FIELD_BITS = 40  # counts of three outcomes in one integer: a group costs one dict entry
_ONE = {True: 1, False: 1 << _FIELD_BITS, None: 1 << 2 * _FIELD_BITS}
_OUTCOMES: dict[object, bool | None] = {
    True: True,
    False: False,
    None: None,
    "true": True,
    "false": False,
    "none": None,
    "null": None,
    **{o.value: Verdict(o).correct for o in Outcome},
}
_ABSENT = object()


@dataclass(frozen=True)
class LineFields:
    """Where each piece of a rollout is in its line; dotted paths reach into nested objects."""

    problem_id: str = "problem_id"
    step: str = "step"
    verdict: str = "verdict"
    reward: str = "reward"
    completion: str = "completion"
    gold: str = "gold"
    finish_reason: str = "finish_reason"


@dataclass
class Tally:
    """Counts per group, and what could not be counted.

    A group is the rollouts of one problem in one step; lines without a step are of one step.
    """

    groups: dict[tuple[str, object], int] = field(default_factory=dict)
    num_lines: int = 0
    num_malformed: int = 0
    named_faults: list[str] = field(default_factory=list)
    shaped_rewards: set[float] = field(default_factory=set)
    first_fields: tuple[str, ...] = ()  # of the first line that has not what it needs

    def counts(self) -> Iterable[tuple[tuple[str, object], tuple[int, int, int]]]:
        """Each group with its (correct, wrong, abstained) rollouts."""
        mask = (1 << _FIELD_BITS) - 1
        for key, packed in self.groups.items():
            wrong, abstained = packed >> _FIELD_BITS & mask, packed >> 2 * _FIELD_BITS
            yield key, (packed & mask, wrong, abstained)


class _LineError(Exception):
    """Why a line cannot be counted."""


def tally_lines(
    lines: Iterable[bytes],
    name: str,
    tally: Tally,
    *,
    fields: LineFields,
    verifier: Callable[[], Verifier],
    success_reward: float = 1.0,
) -> Tally:
    """Add the lines of one file to a tally. ``verifier`` is made only if a line needs judging.

    A reward counts as a success from ``success_reward`` on; rewards other than 0 and 1 are kept in
    ``shaped_rewards`` (up to ten), because a shaped reward is no verdict.
    """
    judge = _judging(verifier)
    read = {part: _reader(getattr(fields, part)) for part in LineFields.__dataclass_fields__}
    groups, loads = tally.groups, json.loads
    read_id, read_step = read["problem_id"], read["step"]
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        tally.num_lines += 1
        row: Any = None
        try:
            row = loads(line)
            problem, step = read_id(row), read_step(row)
            if not isinstance(problem, (str, int)) or isinstance(problem, bool):
                raise _LineError(f"has no usable {fields.problem_id!r}")
            correct = _correct(row, read, fields, judge, success_reward, tally.shaped_rewards)
            key = (str(problem), None if step is _ABSENT else step)
            groups[key] = groups.get(key, 0) + _ONE[correct]
        except _LineError as fault:
            tally.first_fields = tally.first_fields or tuple(row)
            _report(tally, f"{name}:{number}: {fault}")
        except (ValueError, RecursionError):
            torn = "" if line.endswith(b"\n") else " (the file ends in the middle of it)"
            _report(tally, f"{name}:{number}: is not JSON{torn}")
        except (TypeError, AttributeError):
            _report(tally, f"{name}:{number}: is not an object with plain fields")
    return tally


def _report(tally: Tally, fault: str) -> None:
    tally.num_malformed += 1
    if len(tally.named_faults) < _MAX_NAMED:
        tally.named_faults.append(fault)


def _reader(path: str) -> Callable[[Any], Any]:
    if "." in path or "|" in path:
        column = Column(path)

        def read(row: Mapping[str, Any]) -> Any:
            value = column.read(row)
            return _ABSENT if value is None else value

        return read
    return lambda row: row.get(path, _ABSENT)


def _correct(
    row: Mapping[str, Any],
    read: Mapping[str, Callable[[Any], Any]],
    fields: LineFields,
    judge: Callable[[str, tuple[str, ...], str | None], bool | None],
    success_reward: float,
    shaped: set[float],
) -> bool | None:
    verdict = read["verdict"](row)
    if verdict is not _ABSENT:
        return _from_verdict(verdict, fields)
    reward = read["reward"](row)
    if reward is not _ABSENT:
        return _from_reward(reward, fields, success_reward, shaped)
    completion, gold = read["completion"](row), read["gold"](row)
    if completion is _ABSENT or gold is _ABSENT:
        raise _LineError(
            f"has neither {fields.verdict!r} nor {fields.reward!r} nor both {fields.completion!r} "
            f"and {fields.gold!r}"
        )
    if not isinstance(completion, str):
        raise _LineError(f"{fields.completion!r} is a {type(completion).__name__}, not a string")
    reason = read["finish_reason"](row)
    return judge(completion, _golds(gold, fields), reason if isinstance(reason, str) else None)


def _from_verdict(verdict: object, fields: LineFields) -> bool | None:
    known = verdict.strip().lower() if isinstance(verdict, str) else verdict
    try:
        return _OUTCOMES[known]
    except (KeyError, TypeError):
        raise _LineError(
            f"{fields.verdict!r} is {verdict!r:.40}: give true, false, null or an outcome such as "
            "'correct', 'wrong', 'timeout'"
        ) from None


def _from_reward(
    reward: object, fields: LineFields, success_reward: float, shaped: set[float]
) -> bool | None:
    if reward is None:
        return None
    if not isinstance(reward, (int, float)) or reward != reward:
        raise _LineError(f"{fields.reward!r} is {reward!r:.40}: give a number or null")
    if reward not in (0, 1) and len(shaped) < 10:
        shaped.add(float(reward))
    return reward >= success_reward


def _golds(gold: object, fields: LineFields) -> tuple[str, ...]:
    several = gold if isinstance(gold, list) else [gold]
    if not several or not all(isinstance(g, (str, int, float)) for g in several):
        raise _LineError(f"{fields.gold!r} is {gold!r:.40}: give a string or a list of strings")
    return tuple(str(g) for g in several)


def _judging(
    verifier: Callable[[], Verifier],
) -> Callable[[str, tuple[str, ...], str | None], bool | None]:
    made: list[Verifier] = []

    # Groups repeat themselves: models give the same short completion many times over.
    @lru_cache(maxsize=1 << 14)
    def judge(completion: str, golds: tuple[str, ...], finish_reason: str | None) -> bool | None:
        if not made:
            made.append(verifier())
        return made[0].verify(completion, golds, finish_reason=finish_reason).correct

    return judge
