"""What adapters to other people's libraries share: their import, our verdict, a number for it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from hdpo_env.errors import MissingDependencyError
from hdpo_env.types import Verdict
from hdpo_env.verifiers.protocol import VERIFIERS, Verifier
from hdpo_env.verifiers.rewards import reward_of

log = logging.getLogger(__name__)

# How often a verifier abstained for each host in this process.
abstentions: Counter[str] = Counter()
_lock = threading.Lock()


def require(module: str, install: str) -> Any:
    """A host's module, imported when it is needed.

    Raises:
        MissingDependencyError: it is not installed; the message says what to install.

    >>> require("no_such_host", "no-such-host==1.0")
    Traceback (most recent call last):
    ...
    hdpo_env.errors.MissingDependencyError: this needs no_such_host: pip install 'no-such-host==1.0'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise MissingDependencyError(f"this needs {missing}: pip install '{install}'") from error


@cache
def _shipped(name: str) -> Verifier:
    return VERIFIERS[name]()


def golds(info: Mapping[str, Any], truth: object = None) -> tuple[str, ...]:
    """A row's accepted ``answers`` as texts; its one ground truth where it has none.

    Each is a text (or its bytes), a number, or a list, a numpy or pyarrow sequence of them. What is
    missing, None or pandas' NaN, is no gold, and neither is a truth value or a mapping: the
    verifier abstains.

    >>> golds({"answers": ["4", "four"]}, "4"), golds({}, 4), golds({"answers": []}, None)
    (('4', 'four'), ('4',), ())
    >>> golds({}, b"4"), golds({}, {"answer": "4"}), golds({}, True)
    (('4',), (), ())
    """
    return _texts(info.get("answers")) or _texts(truth)


def _texts(gold: Any) -> tuple[str, ...]:
    gold = gold.tolist() if hasattr(gold, "tolist") else gold  # numpy, of no dimension too
    if isinstance(gold, (str, bytes, bool, Mapping)) or not isinstance(gold, Iterable):
        gold = (gold,)
    return tuple(text for one in gold if (text := _text(one)) is not None)


def _text(gold: Any) -> str | None:
    """A gold as text; None for what says nothing, or is of a kind that nobody answers with."""
    if isinstance(gold, bytes):
        return gold.decode(errors="replace")
    if gold is None or isinstance(gold, (bool, Mapping)) or gold != gold:
        return None
    return str(gold)


def judged(
    completion: str,
    gold: object,
    *,
    verifier: str = "math",
    finish_reason: str | None = None,
) -> Verdict:
    r"""The verdict on a completion, from any thread, by golds as hosts give them.

    ``gold`` is a text, a number, or a sequence of them, as for `golds`. Without any the verifier
    abstains.

    Raises:
        RegistryError: no verifier has this name.

    >>> judged(r"\boxed{4}", ["4", "four"]).correct
    True
    """
    return _shipped(verifier).verify(completion, _texts(gold), finish_reason=finish_reason)


def number_of(verdict: Verdict, host: str, *, abstention: float = 0.0) -> float:
    """The reward where a host knows only floats: 1.0, 0.0, or ``abstention``, logged and counted.

    The log names the outcome and the count, at counts 1, 2, 4, 8 and so on; never any text.

    >>> from hdpo_env.types import Outcome
    >>> number_of(Verdict(Outcome.CORRECT), "a host"), abstentions["a host"]
    (1.0, 0)
    """
    reward = reward_of(verdict)
    if reward is not None:
        return reward
    with _lock:
        abstentions[host] += 1
        count = abstentions[host]
    if count & (count - 1) == 0:
        log.warning(
            "the verifier abstained (%s); %s gets %s instead of a verdict; %d so far",
            verdict.outcome.name,
            host,
            abstention,
            count,
        )
    return abstention
