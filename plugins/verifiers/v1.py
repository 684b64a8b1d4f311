"""verifiers 0.4: a taskset with `validate`. prime-rl reads it, and its ``demonstration`` too.

The host loads tasksets by the name of a top-level module that exports exactly one:

    # my_math.py
    from hdpo_plugins.verifiers.v1 import HdpoTaskset
    __all__ = ["HdpoTaskset"]

An abstention of the verifier raises inside the reward: the host records the error on the trace and
leaves the reward unset (None), so trainers leave the rollout out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hdpo_env.env.parts import prompt_of
from hdpo_env.errors import HdpoError
from hdpo_env.exports import CARRIERS
from hdpo_env.hosting import judged, require
from hdpo_env.privileged import privileged_context
from hdpo_env.problems import open_source
from hdpo_env.types import Problem, Verdict
from hdpo_env.verifiers import VERIFIERS, check_gold

TESTED = ("0.4.0",)
_INSTALL = f"verifiers=={TESTED[0]}"
vf = require("verifiers.v1", _INSTALL)
Field = require("pydantic", _INSTALL).Field

__all__ = ["HdpoTaskset"]


class AbstentionError(HdpoError):
    """The verifier could not judge a rollout."""


class HdpoData(vf.TaskData):
    """A problem on the wire. The host writes it into its traces; gold texts stay out of a repr."""

    answers: tuple[str, ...] = Field(repr=False)
    verifier: str = "math"
    demonstration: str | None = Field(default=None, repr=False)


class HdpoTask(vf.Task[HdpoData]):
    """Scoring of one problem."""

    @property
    def key(self) -> str:
        """The problem's id: the same on every machine."""
        return self.data.id

    @vf.reward(weight=1.0)
    async def correct(self, trace: Any) -> float:
        """1.0 if the last reply's final answer is right, else 0.0."""
        verdict = self.judge(trace.last_reply)
        if verdict.correct is None:
            raise AbstentionError(f"the verifier abstained: {verdict.outcome.name}")
        return float(verdict.correct)

    async def validate(self, runtime: Any = None) -> bool:
        """Whether the gold can be judged, and judging nothing does not pass."""
        verifier = VERIFIERS[self.data.verifier]()
        return check_gold(verifier, self.data.answers) is None and not self.judge("").correct

    def judge(self, text: str) -> Verdict:
        """The verdict on a reply."""
        return judged(text, self.data.answers, verifier=self.data.verifier)


class HdpoConfig(vf.TasksetConfig):
    """Which problems: a named source, a file or a data set, and its settings.

    ``size`` None is the source's own, all of a file; a file has no ``seed``. The setting
    ``field_map`` may also be a carrier, such as ``prime-rl``, for what ``hdpo export`` wrote.
    """

    problems: str = "linear"
    split: str = "train"
    size: int | None = None
    seed: int | None = None
    view: str = "none"
    settings: dict[str, Any] = {}  # noqa: RUF012 (pydantic copies defaults)


def data_of(problem: Problem, *, view: str = "none") -> HdpoData:
    """The wire form of a problem; a ``view`` adds the teacher's text as ``demonstration``."""
    teacher = privileged_context(problem, view, "sdft") if view != "none" else None
    return HdpoData(
        id=problem.id,
        prompt=prompt_of(problem, None).messages[-1].content,
        answers=problem.answers,
        verifier=problem.verifier,
        demonstration=teacher,
    )


class HdpoTaskset(vf.Taskset[HdpoTask, HdpoConfig]):
    """Every problem of a source, as a task."""

    def load(self) -> Iterator[HdpoTask]:
        """The tasks in the order of the source."""
        asked = self.config
        given = {"size": asked.size, "seed": asked.seed}
        asked_for = {name: value for name, value in given.items() if value is not None}
        settings = {"split": asked.split, **asked_for, **asked.settings}
        columns = settings.get("field_map")
        if isinstance(columns, str) and columns in CARRIERS:
            settings["field_map"] = CARRIERS[columns].fields
        for problem in open_source(asked.problems, **settings):
            yield HdpoTask(data_of(problem, view=asked.view), asked.task)
