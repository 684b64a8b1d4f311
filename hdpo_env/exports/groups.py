"""Rollouts that were sampled elsewhere, as the groups that views quote from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hdpo_env.env.parts import Judges, prompt_of
from hdpo_env.errors import DataError
from hdpo_env.types import Completion, Group, Problem, Rollout, by_id
from hdpo_env.verifiers.rewards import reward_of


def groups_of(
    rollouts: Iterable[Mapping[str, Any]], problems: Iterable[Problem]
) -> dict[str, Group]:
    r"""Judge rollouts, rows of ``problem_id`` and ``completion``, and group them by problem.

    A row may have a ``finish_reason``. Rollouts of other problems are passed over.

    Raises:
        DataError: a row has no ``problem_id`` or no text under ``completion``, or the text holds
            half a character.

    >>> problem = Problem("1+1=?", ("2",))
    >>> rows = [{"problem_id": problem.id, "completion": rf"\boxed{{{n}}}"} for n in (2, 3)]
    >>> groups_of(rows, [problem])[problem.id].correct
    (True, False)
    """
    numbered = ((f"rollout {n}", row) for n, row in enumerate(rollouts, start=1))
    return groups_at(numbered, problems)


def groups_at(
    rollouts: Iterable[tuple[str, Mapping[str, Any]]], problems: Iterable[Problem]
) -> dict[str, Group]:
    """What `groups_of` does with rows that come with their places, which a fault then names."""
    known = by_id(problems)
    pairs = [
        (known[name], completion)
        for name, completion in (_read(row, place) for place, row in rollouts)
        if name in known
    ]
    members: dict[str, list[Rollout]] = {}
    for (problem, completion), verdict in zip(pairs, Judges().verify_all(pairs), strict=True):
        rollout = Rollout(prompt_of(problem, None), completion, verdict, reward_of(verdict))
        members.setdefault(problem.id, []).append(rollout)
    return {name: Group(known[name], tuple(found)) for name, found in members.items()}


def _read(row: Any, place: str) -> tuple[str, Completion]:
    fields = row if isinstance(row, Mapping) else {}
    name, text = fields.get("problem_id"), fields.get("completion")
    if name is None or not isinstance(text, str):
        found = f"has {', '.join(map(str, fields))}" if fields else f"is a {type(row).__name__}"
        raise DataError(f"{place} {found}: a row needs problem_id and the text of its completion")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{place}: its completion holds half a character (a lone surrogate): write it whole"
        ) from None
    return str(name), Completion((), text, finish_reason=fields.get("finish_reason") or "stop")
