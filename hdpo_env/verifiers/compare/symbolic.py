"""The last stage: sympy on trees of our own, only inside a killable worker, under size budgets.

Integrals, limits and infinite sums are replaced by their closed forms first; see `calculus`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hdpo_env.verifiers.compare.calculus import evaluated
from hdpo_env.verifiers.compare.conversion import TooBigError, to_sympy
from hdpo_env.verifiers.compare.values import has_binder, same_value
from hdpo_env.verifiers.parse.nodes import Node
from hdpo_env.verifiers.pool import worker

_SOFT_LIMIT_S = 1.0
_LONG_LIMIT_S = 2.0  # with integrals, limits or infinite sums


def symbolic_leaf(gold: Node, answer: Node) -> bool | None:
    """`same_value`, then sympy on the difference of what it could not decide.

    >>> from hdpo_env.verifiers.parse.answer import parse_answer
    >>> a, b = (parse_answer(t).readings[0] for t in ("f(x) + sin(x)^2", "f(x) + 1 - cos(x)^2"))
    >>> symbolic_leaf(a, b)
    True
    """
    verdict = same_value(gold, answer)
    if verdict is not None:
        return verdict
    is_long = has_binder(gold) or has_binder(answer)
    try:
        with _soft_limit(_LONG_LIMIT_S if is_long else _SOFT_LIMIT_S):
            if not is_long:
                return _same_to_sympy(gold, answer)
            a, b = evaluated(gold), evaluated(answer)
            verdict = None if a is None or b is None else same_value(a, b)
            return (
                verdict if a is None or b is None or verdict is not None else _same_to_sympy(a, b)
            )
    except Exception:  # sympy raises almost anything on odd input; whatever it is, it is undecided
        return None


def _same_to_sympy(gold: Node, answer: Node) -> bool | None:
    import sympy

    difference = to_sympy(gold) - to_sympy(answer)
    return _is_zero(sympy.simplify(sympy.expand_func(difference).doit()))


def _is_zero(simple: Any) -> bool | None:
    if simple == 0:
        return True
    if simple.free_symbols:
        return None
    return False if simple.is_zero is False or simple.equals(0) is False else None


@contextmanager
def _soft_limit(seconds: float) -> Iterator[None]:
    """Stop sympy politely after some seconds of CPU in a worker, whose timer is ours."""
    if not (worker.in_worker and hasattr(signal, "setitimer")):
        yield
        return

    def stop(*_: object) -> None:
        raise TooBigError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
