"""Verdicts for OpenRLHF: one pool of verifier workers a process, used from any thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.hosting import number_of
from hdpo_env.types import Outcome, Verdict
from hdpo_env.verifiers import VERIFIERS, MathVerifier, Verifier, VerifierPool
from hdpo_plugins.openrlhf.labels import read_label
from hdpo_plugins.openrlhf.reward.texts import completion_of, without_marks

_WITHOUT_PROMPT = Verdict(Outcome.ERROR, reason="the query does not begin with its prompt")
_PROBE = (r"\boxed{0}", "0")
# What chat models write after their last word; OpenRLHF decodes with special tokens.
END_MARKS = ("<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<eos>", "</s>")


@dataclass(frozen=True)
class Settings:
    """How completions are judged; `from_environ` reads them where OpenRLHF loads a file by path.

    ``verifier`` is a name of `hdpo_env.verifiers.VERIFIERS`, or "boxed": the math verifier that
    reads only boxed answers, which leaves a policy fewer ways to be right by accident.

    Raises:
        ConfigError: no verifier has this name.
    """

    verifier: str = "boxed"
    workers: int = 2  # processes a trainer or server process
    timeout_s: float = 5.0  # for one completion; then the verifier abstains
    end_marks: tuple[str, ...] = END_MARKS  # cut off the end of a completion before it is judged

    @classmethod
    def from_environ(cls) -> Settings:
        """From HDPO_REWARD_VERIFIER, _WORKERS, _TIMEOUT_S and _END_MARKS (separated by spaces)."""
        given = {
            name: os.environ[key]
            for name in ("verifier", "workers", "timeout_s", "end_marks")
            if (key := f"HDPO_REWARD_{name.upper()}") in os.environ
        }
        read = {"workers": int, "timeout_s": float, "end_marks": lambda text: tuple(text.split())}
        try:
            return cls(**{name: read.get(name, str)(text) for name, text in given.items()})
        except ValueError as error:
            raise ConfigError(
                f"HDPO_REWARD_WORKERS and HDPO_REWARD_TIMEOUT_S are numbers: {error}"
            ) from None

    def judge(self) -> VerifierPool:
        """A pool of workers with this verifier."""
        boxed = self.verifier == "boxed"
        verifier: Verifier = MathVerifier("boxed_only") if boxed else VERIFIERS[self.verifier]()
        return VerifierPool(verifier, workers=self.workers, timeout_s=self.timeout_s)


class Judge:
    r"""Judges what OpenRLHF hands to a reward: decoded queries, prompts and labels.

    >>> judge = Judge(Settings(workers=0))
    >>> verdicts = judge([r"1+1=\boxed{2}</s>", "?"], ["1+1=", "1+1="], ["2", "2"])
    >>> [verdict.outcome.value for verdict in verdicts]
    ['correct', 'error']
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = settings.judge()

    def __call__(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> list[Verdict]:
        """One verdict a query, in order; only the answers of a label are read.

        A query that does not begin with its prompt is an abstention: what would be judged might
        hold the prompt, and a privileged prompt holds the answer.
        """
        items = self._items(queries, prompts, labels)
        return _by_row(len(queries), items, self.pool.map(items.values()))

    async def acall(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> list[Verdict]:
        """The same for asyncio."""
        items = self._items(queries, prompts, labels)
        return _by_row(len(queries), items, await self.pool.amap(items.values()))

    def fault(self) -> str:
        """Why the pool cannot judge, asked of it with an answer of its own, or ""."""
        return _fault_of(self.pool.map([_PROBE])[0])

    async def afault(self) -> str:
        """The same for asyncio, for a pool that may be closed."""
        try:
            return _fault_of((await self.pool.amap([_PROBE]))[0])
        except ConfigError as error:
            return str(error)

    def _items(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[int, tuple[str, tuple[str, ...]]]:
        """Row -> (completion, golds), without the rows whose query lacks its prompt."""
        marks = self.settings.end_marks
        return {
            row: (without_marks(completion, marks), read_label(label).answers)
            for row, (query, prompt, label) in enumerate(zip(queries, prompts, labels, strict=True))
            if (completion := completion_of(query, prompt)) is not None
        }


def scored(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """OpenRLHF's reply with lists: rewards and scores 1.0 or 0.0, and what is logged beside them.

    OpenRLHF has no word for "not judged": an abstention scores 0.0 and is marked ``abstained``,
    which the plugin reads and plain OpenRLHF shows as a metric.

    >>> scored([Verdict(Outcome.CORRECT), Verdict(Outcome.TIMEOUT)])["extra_logs"]["abstained"]
    [0.0, 1.0]
    """
    rewards = [number_of(verdict, "openrlhf") for verdict in verdicts]
    logs = {
        "abstained": [float(verdict.is_abstention) for verdict in verdicts],
        "answered": [float(verdict.extracted is not None) for verdict in verdicts],
    }
    return {"rewards": rewards, "scores": list(rewards), "extra_logs": logs}


def _fault_of(verdict: Verdict) -> str:
    """Why a pool gave this verdict without its verifier's word, or ""."""
    return verdict.reason if verdict.stage == "pool" else ""


def _by_row(count: int, rows: Iterable[int], verdicts: Sequence[Verdict]) -> list[Verdict]:
    judged = dict(zip(rows, verdicts, strict=True))
    return [judged.get(row, _WITHOUT_PROMPT) for row in range(count)]


_lock = threading.Lock()
_judges: dict[Settings, Judge] = {}


def shared_judge() -> Judge:
    """This process's judge, with the settings of its environment."""
    settings = Settings.from_environ()
    with _lock:
        if settings not in _judges:
            _judges[settings] = Judge(settings)
        return _judges[settings]
