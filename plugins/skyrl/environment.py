"""SkyRL-gym's environment: one attempt or several, verdict first.

SkyRL's rewards are floats: an abstention of the verifier is 0.0, logged and counted, and
``abstained`` in the step's metadata and in the episode's metrics says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from hdpo_env.env import FEEDBACK
from hdpo_env.env.parts import prompt_of
from hdpo_env.errors import DataError
from hdpo_env.hosting import golds, judged, number_of, require
from hdpo_env.types import Problem, Verdict

TESTED = ("0.4.0",)
ENV_CLASS = "hdpo"
gym = require("skyrl_gym", f"skyrl-gym=={TESTED[0]}")
_text = require("skyrl_gym.envs.base_text_env", f"skyrl-gym=={TESTED[0]}")


class MathTextEnv(_text.BaseTextEnv):
    """Judges the completions of one dataset row; ``env_config`` may hold ``max_turns``.

    A row without a gold is one that the verifier abstains from.

    Raises:
        DataError: the row has no ``reward_spec`` mapping, or ``max_turns`` is no whole number. It
            names columns only, and is no TypeError: to one of those SkyRL adds the row, gold too.
    """

    def __init__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        row = extras or {}
        info = _mapping(row, "extra_info") if row.get("extra_info") else {}
        self._golds = golds(info, _mapping(row, "reward_spec").get("ground_truth"))
        self._verifier = info.get("verifier") or "math"
        self.max_turns = row.get("max_turns") or (env_config or {}).get("max_turns") or 1
        if not isinstance(self.max_turns, Integral):
            kind = type(self.max_turns).__name__
            raise DataError(f"max_turns is a {kind}: give a whole number")
        self.verdict: Verdict | None = None

    def step(self, action: str) -> Any:
        """Judge one attempt; a failed one may be retried while turns are left."""
        self.turns += 1
        self.verdict = judged(action, self._golds, verifier=self._verifier)
        is_over = self.verdict.correct is not False or self.turns >= self.max_turns
        say = [] if is_over else [{"role": "user", "content": FEEDBACK[self.verdict.outcome]}]
        return _text.BaseTextEnvStepOutput(
            observations=say,
            reward=number_of(self.verdict, "skyrl-gym"),
            done=is_over,
            metadata=self.get_metrics(),
        )

    def get_metrics(self) -> dict[str, float]:
        """``acc`` (only if judged), ``abstained`` and ``turns`` of the episode."""
        if self.verdict is None:
            return {}
        metrics = {"abstained": float(self.verdict.is_abstention), "turns": float(self.turns)}
        if self.verdict.correct is not None:
            metrics["acc"] = float(self.verdict.correct)
        return metrics


def _mapping(row: Mapping[str, Any], column: str) -> Mapping[str, Any]:
    if isinstance(found := row.get(column), Mapping):
        return found
    kind = "missing" if found is None else f"a {type(found).__name__}"
    raise DataError(
        f"column {column!r} of the row is {kind}: write rows as "
        "hdpo_plugins.skyrl.environment.row_of does"
    )


def register() -> str:
    """Make ``env_class="hdpo"`` known to SkyRL-gym; calling it again changes nothing."""
    if ENV_CLASS not in gym.envs.registration.registry:
        gym.register(ENV_CLASS, entry_point="hdpo_plugins.skyrl.environment:MathTextEnv")
    return ENV_CLASS


def row_of(problem: Problem) -> dict[str, Any]:
    """A dataset row that the environment reads."""
    prompt = [{"role": m.role, "content": m.content} for m in prompt_of(problem, None).messages]
    return {
        "prompt": prompt,
        "env_class": ENV_CLASS,
        "reward_spec": {"method": "rule", "ground_truth": problem.gold},
        "extra_info": {
            "problem_id": problem.id,
            "verifier": problem.verifier,
            "answers": list(problem.answers),
        },
    }
