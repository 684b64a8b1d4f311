"""A reward function for any TRL trainer: 1.0, 0.0, or None where the verifier abstained."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hdpo_env.errors import DataError
from hdpo_env.types import Completion, Problem, Verdict, by_id
from hdpo_env.verifiers import VERIFIERS, VerifierPool
from hdpo_env.verifiers.rewards import reward_of
from hdpo_plugins.trl.data import text_of

# TRL logs a whole row of the dataset, privileged columns included, when no reward function gave it
# a reward. These are the loggers that do.
_ROW_LOGGERS = ("trl.trainer.grpo_trainer", "trl.trainer.rloo_trainer")
_ROW_MESSAGE = "All reward functions returned None for the following kwargs"


class VerdictReward:
    r"""Judges completions by the dataset's column ``problem_id``; callable from any thread.

    The golds stay in this object, so no gold passes through a dataset, a log or a completions
    table. Judging happens in killable worker processes (`VerifierPool`), one pool a verifier. An
    abstention is None: HDPOTrainer and SDPGTrainer leave the completion out of its group. So does
    GRPOTrainer where this is the only reward function; beside a second one it adds up what is left,
    which makes the abstention a 0. (SDPO always counts None as 0.) The share of abstentions in a
    batch is logged as ``verdict/abstention_rate``.

    Args:
        problems: all problems of the train and eval datasets.
        workers: processes of each verifier; 0 judges in this process without limits.
        timeout_s: seconds for one completion.
        memory_mb: address space of one worker.

    >>> problem = Problem("1+1=?", ("2",))
    >>> reward = VerdictReward([problem], workers=0)
    >>> reward([r"\boxed{2}", r"\boxed{3}"], [problem.id] * 2)
    [1.0, 0.0]
    """

    __name__ = "verdict"  # how TRL logs it: rewards/verdict/mean

    def __init__(
        self,
        problems: Iterable[Problem],
        *,
        workers: int = 2,
        timeout_s: float = 5.0,
        memory_mb: int = 1024,
    ) -> None:
        self.problems = by_id(problems)
        self._settings = (workers, timeout_s, memory_mb)
        self._pools: dict[str, VerifierPool] = {}
        self._lock = threading.Lock()
        keep_rows_out_of_logs()

    def __call__(
        self,
        completions: Sequence[Any],
        problem_id: Sequence[str] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """One reward a completion, in order.

        Raises:
            DataError: the dataset has no such column, or a row's is none of the problems.
        """
        if problem_id is None:
            raise DataError("the dataset has no column problem_id: build it with to_dataset")
        pairs = [
            (self.problem(name), Completion((), text_of(completion), finish_reason=""))
            for name, completion in zip(problem_id, completions, strict=True)
        ]
        rewards = [reward_of(verdict) for verdict in self.judge(pairs)]
        if log_metric is not None and rewards:
            log_metric("verdict/abstention_rate", rewards.count(None) / len(rewards))
        return rewards

    def problem(self, problem_id: str) -> Problem:
        """The problem with this id.

        Raises:
            DataError: there is none.
        """
        try:
            return self.problems[problem_id]
        except KeyError:
            raise DataError(
                f"problem_id {problem_id!r} is none of the {len(self.problems)} problems of this "
                "VerdictReward: build it and the dataset from the same problems"
            ) from None

    def judge(self, pairs: Sequence[tuple[Problem, Completion]]) -> list[Verdict]:
        """Verdicts in order, each by the verifier that its problem names."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, (problem, _) in enumerate(pairs):
            places[problem.verifier].append(place)
        verdicts: dict[int, Verdict] = {}
        for name, where in places.items():
            asked = [pairs[place] for place in where]
            items = [(c.text, problem.answers, c.finish_reason) for problem, c in asked]
            verdicts |= zip(where, self.pool(name).map(items), strict=True)
        return [verdicts[place] for place in range(len(pairs))]

    def pool(self, verifier: str) -> VerifierPool:
        """The worker processes of one verifier, started when they are first needed."""
        with self._lock:
            if verifier not in self._pools:
                self._pools[verifier] = VerifierPool(VERIFIERS[verifier](), *self._settings)
            return self._pools[verifier]

    def __getstate__(self) -> dict[str, Any]:
        """A pickled copy starts workers of its own."""
        return {"problems": self.problems, "_settings": self._settings, "_pools": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Locks do not travel."""
        self.__dict__ |= state
        self._lock = threading.Lock()
        keep_rows_out_of_logs()


class _NoRows(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and _ROW_MESSAGE in record.msg:  # after a rank
            record.msg = "no reward for a completion: every verifier abstained (row not shown)"
            record.args = ()
        return True


def keep_rows_out_of_logs() -> None:
    """Make TRL's warning about completions without a reward leave out the dataset's row."""
    for name in _ROW_LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(f, _NoRows) for f in logger.filters):
            logger.addFilter(_NoRows())
