"""One line about one rollout, of any system -> its group and how it came out.

A line says how its rollout came out in the first of these ways that it has: a verdict, a reward, or
a completion with the gold answer, which is then judged here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import isfinite
from typing import Any

from hdpo_env.commands.dialects import DIALECTS, golds_of, recognise
from hdpo_env.errors import ConfigError
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import VERIFIERS

GroupKey = tuple[str, object]  # problem id and step

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
_SETTINGS = ("success_reward", "verifier", "dialect", "filter")  # the rest are names of fields
LOOKED_AT = 20  # first lines among which one must be readable for its dialect to be recognised


@dataclass(frozen=True)
class LineFormat:
    """Where each piece of a rollout is in its line, and how it is understood.

    Field names may be dotted paths into nested objects. A reward counts as a success from
    ``success_reward`` on; ``verifier`` judges completions that have neither verdict nor reward.
    ``dialect`` is a name of `DIALECTS`, "own", or "auto" until `settled`; a field that is named
    otherwise than by default is looked up in the row as it was written. ``filter`` is the one of
    lm-evaluation-harness's filters whose lines count.
    """

    problem_id: str = "problem_id"
    step: str = "step"
    verdict: str = "verdict"
    reward: str = "reward"
    completion: str = "completion"
    gold: str = "gold"
    finish_reason: str = "finish_reason"
    success_reward: float = 1.0
    verifier: str = "math"
    dialect: str = "auto"
    filter: str | None = None

    def __post_init__(self) -> None:
        if not isfinite(self.success_reward):
            raise ConfigError(
                f"--success-reward is {self.success_reward:g}, which no reward reaches or all do: "
                "choose a number from which on a reward is a success"
            )

    def settled(self, rows: Iterable[Mapping[str, Any]]) -> LineFormat:
        """This format with the dialect of the first row, unless it was given.

        Where the problem's field was named, the file is taken as its reader described it.
        """
        first = next(iter(rows), {})
        named = self.problem_id != "problem_id"
        dialect = self.dialect
        if dialect == "auto":
            dialect = "own" if named else recognise(first)
        chosen = self.filter if dialect != "lm-eval" else self.filter or first.get("filter")
        return replace(self, dialect=dialect, filter=chosen)


class LineError(Exception):
    """Why a line cannot be counted; ``found`` are the fields it has instead."""

    def __init__(self, reason: str, found: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.found = found


class NoObjectError(LineError):
    """What stands on the line is no JSON object, so that no name of a field helps."""


class LineReader:
    """Reads lines of one format; ``shaped_rewards`` keeps ten rewards that are neither 0 nor 1.

    ``other_filters`` keeps the filters whose lines were left out; ``num_privileged`` counts the
    rollouts that saw privileged context, which say nothing about what the model can do alone.

    A line is one rollout, except in dialects where it is several or, left out, none.

    >>> LineReader(LineFormat())(b'{"problem_id": "p", "verdict": "wrong"}')
    [(('p', None), False, 1)]
    """

    def __init__(self, line_format: LineFormat) -> None:
        self.format = line_format
        self.shaped_rewards: set[float] = set()
        self.other_filters: set[str] = set()
        self.num_privileged = 0
        self.expand = _expander(line_format, self.other_filters)
        self._get = {
            f.name: _getter(getattr(line_format, f.name))
            for f in fields(line_format)
            if f.name not in _SETTINGS
        }
        self._judge = _judge_named(line_format.verifier)

    def __call__(self, line: bytes) -> list[tuple[GroupKey, bool | None, int]]:
        """The line's groups, whether rollouts of theirs are correct, and how many.

        None instead of true or false: the verifier abstained.

        Raises:
            LineError: the line is not JSON, or lacks what it needs.
        """
        row = parsed(line)
        if self.expand is None:
            return [(self.key(row), self.correct(row), 1)]
        try:
            rows = self.expand(row)
            found = [(self.key(r), self.correct(r), r.get("times", 1)) for r in rows]
        except LineError as error:
            error.found = tuple(row)  # as its writer called them, not as the dialect does
            raise
        own = [f for f, r in zip(found, rows, strict=True) if not r.get("privileged")]
        self.num_privileged += len(found) - len(own)
        return own

    def key(self, row: Mapping[str, Any]) -> GroupKey:
        """The group of a row.

        Raises:
            LineError: it has no usable problem id or step.
        """
        problem, step = self._get["problem_id"](row), self._get["step"](row)
        if not isinstance(problem, (str, int)) or isinstance(problem, bool):
            raise LineError(f"has no usable {self.format.problem_id!r}", tuple(row))
        if isinstance(problem, str) and not problem.isascii() and not _is_whole(problem):
            raise LineError(f"{self.format.problem_id!r} holds half a character (a lone surrogate)")
        if isinstance(step, (dict, list)):
            raise LineError(f"{self.format.step!r} is a {type(step).__name__}, not a number")
        return str(problem), None if step is _ABSENT else step

    def correct(self, row: Mapping[str, Any]) -> bool | None:
        """How a row's rollout came out; null and NaN are abstentions.

        Raises:
            LineError: it does not say, or not in a way that can be understood.
        """
        verdict = self._get["verdict"](row)
        if verdict is not _ABSENT:
            return self._from_verdict(verdict)
        reward = self._get["reward"](row)
        if reward is not _ABSENT:
            return self._from_reward(reward)
        return self._judged(row)

    def text(self, row: Mapping[str, Any], name: str) -> Any:
        """One of the row's optional pieces, such as ``completion``; None if it has none."""
        value = self._get[name](row)
        return None if value is _ABSENT else value

    def _from_verdict(self, verdict: object) -> bool | None:
        known = verdict.strip().lower() if isinstance(verdict, str) else verdict
        try:
            return _OUTCOMES[known]
        except (KeyError, TypeError):
            if verdict != verdict:
                return None
            raise LineError(
                f"{self.format.verdict!r} is {verdict!r:.40}: give true, false, null or an outcome "
                "such as 'correct', 'wrong', 'timeout'"
            ) from None

    def _from_reward(self, reward: object) -> bool | None:
        if reward is None or reward != reward:
            return None  # NaN is how a host's table of numbers says that there is no verdict
        if not isinstance(reward, (int, float)):
            raise LineError(f"{self.format.reward!r} is {reward!r:.40}: give a number or null")
        if reward not in (0, 1) and len(self.shaped_rewards) < 10:
            self.shaped_rewards.add(float(reward))
        return reward >= self.format.success_reward

    def _judged(self, row: Mapping[str, Any]) -> bool | None:
        completion, gold = self._get["completion"](row), self._get["gold"](row)
        names = self.format
        if completion is _ABSENT or gold is _ABSENT:
            raise LineError(
                f"has neither {names.verdict!r} nor {names.reward!r} nor both "
                f"{names.completion!r} and {names.gold!r}",
                tuple(row),
            )
        if not isinstance(completion, str):
            raise LineError(f"{names.completion!r} is a {type(completion).__name__}, not a string")
        if (golds := golds_of(gold)) is None:
            raise LineError(f"{names.gold!r} is not a string or a list of strings")
        reason = self._get["finish_reason"](row)
        reason = reason if isinstance(reason, str) else None
        return self._judge(completion, golds, reason)


def first_rows(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    """The rows among these lines that can be read."""
    for line in lines:
        try:
            yield parsed(line)
        except LineError:
            continue


def parsed(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        LineError: it is none.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        torn = "" if line.endswith(b"\n") else " (the file ends in the middle of it)"
        raise NoObjectError(f"is not JSON{torn}") from None
    if not isinstance(row, dict):
        raise NoObjectError(f"is a {type(row).__name__}, not an object")
    return row


def _is_whole(text: str) -> bool:
    # JSON can spell half of a surrogate pair, which no terminal and no UTF-8 file can hold.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _expander(
    line_format: LineFormat, other_filters: set[str]
) -> Callable[[Mapping[str, Any]], list[dict[str, Any]]] | None:
    if line_format.dialect in ("own", "auto"):
        return None
    dialect, default = DIALECTS[line_format.dialect], LineFormat()
    # What was named on the command line is looked up in the row as it was written.
    paths = {
        getattr(line_format, f.name)
        for f in fields(line_format)
        if f.name not in _SETTINGS and getattr(line_format, f.name) != getattr(default, f.name)
    }
    named = {name.split(".")[0] for path in paths for name in path.split("|")}

    def expand(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        if lacking := sorted(dialect.fields - row.keys()):
            raise LineError(f"is no {line_format.dialect} line: it lacks {lacking[0]!r}")
        if line_format.filter is not None and row.get("filter") != line_format.filter:
            other_filters.add(str(row.get("filter")))
            return []
        written = {name: row[name] for name in named if name in row}
        try:
            return [{**one, **written} for one in dialect.rows(row)]
        except ValueError as error:
            raise LineError(
                f"is no usable {line_format.dialect} line: {error}", tuple(row)
            ) from None
        except (KeyError, TypeError, AttributeError):
            raise LineError(f"is no usable {line_format.dialect} line", tuple(row)) from None

    return expand


def _getter(path: str) -> Callable[[Mapping[str, Any]], Any]:
    if "." not in path and "|" not in path:
        return lambda row: row.get(path, _ABSENT)
    ways = [way.split(".") for way in path.split("|")]

    def read(row: Mapping[str, Any]) -> Any:
        # Unlike a column of problems: a null is an abstention, and only a missing key is no answer.
        found = [value for way in ways if (value := _at(row, way)) is not _ABSENT]
        return next((value for value in found if value is not None), None if found else _ABSENT)

    return read


def _at(row: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        if row is None:
            break  # whatever is in a null is null
        row = row.get(key, _ABSENT) if isinstance(row, Mapping) else _ABSENT
    return row


def _judge_named(name: str) -> Callable[[str, tuple[str, ...], str | None], bool | None]:
    # Groups repeat themselves: models give the same short completion many times over.
    @lru_cache(maxsize=1 << 14)
    def judge(completion: str, golds: tuple[str, ...], finish_reason: str | None) -> bool | None:
        return verifier().verify(completion, golds, finish_reason=finish_reason).correct

    # Made when the first completion needs it: most files bring verdicts or rewards.
    verifier = lru_cache(VERIFIERS[name])
    return judge
