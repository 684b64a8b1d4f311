"""The check of gold answers that commands load their problems with."""

from __future__ import annotations

from functools import lru_cache

from hdpo_env.errors import HdpoError
from hdpo_env.types import Problem
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier, check_gold


def gold_fault(problem: Problem) -> str | None:
    """Why a problem's own verifier cannot use its gold answers, or None if it can.

    For the ``check`` of `load_problems`, which makes such a row a bad one.

    >>> [gold_fault(Problem("1+1=?", (gold,))) is None for gold in ("2", "$$")]
    [True, False]
    """
    try:
        verifier = _made(problem.verifier)
    except HdpoError as error:
        return f"its verifier {problem.verifier!r} cannot be made ({error})"
    return check_gold(verifier, problem.answers)


@lru_cache(maxsize=64)  # some names hold an argument that differs from row to row
def _made(name: str) -> Verifier:
    return VERIFIERS[name]()
