"""GEM's environment: the same episodes as `hdpo_env.env.MathEnv`, with GEM's state and spawning.

GEM's rewards are floats: an abstention of the verifier is 0.0, logged and counted, and
``info["abstained"]`` says so. GEM's synchronous vector environments drop the last info of an
episode; count abstentions with `hdpo_env.hosting.abstentions` there.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from hdpo_env.env import EnvState, MathEnv
from hdpo_env.hosting import number_of, require
from hdpo_env.problems.source import PROBLEMS, ProblemSource
from hdpo_env.types import Outcome, Verdict, derive_seed

TESTED = ("0.1.0",)
gem = require("gem", f"gem-llm=={TESTED[0]}")
_core = require("gem.core", f"gem-llm=={TESTED[0]}")


class MathGemEnv(_core.Env):
    """One problem an episode. ``seed`` is of this environment's own random numbers."""

    def __init__(
        self, problems: str | ProblemSource = "linear", seed: int = 0, **settings: Any
    ) -> None:
        super().__init__()
        self._made = {"problems": problems, **settings}
        self._begin(MathEnv(problems, **settings), seed)

    def _begin(self, env: MathEnv, seed: int) -> None:
        self._env, self._seed, self._spawned = env, seed, 0
        self._env.reset(seed=seed)

    def reset(self, seed: int | None = None) -> tuple[str, dict[str, Any]]:
        """A new episode. Global random numbers stay as they are, unlike in GEM's own classes."""
        return self._env.reset(seed=seed)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge one attempt."""
        text, _, terminated, truncated, info = self._env.step(action)
        reward = number_of(Verdict(Outcome(info["outcome"])), "gem")
        return text, reward, terminated, truncated, info

    def get_state(self) -> EnvState:
        """What decides how the episode goes on."""
        return self._env.get_state()

    def set_state(self, state: EnvState) -> None:
        """Go on from a state of an environment of this kind."""
        self._env.set_state(state)

    def spawn(self, same_state: bool = False, **kwargs: Any) -> MathGemEnv:
        """A second environment with problems in an order of its own, or as ``kwargs`` say.

        With ``same_state`` it is in the same episode, and its next ones are this one's too.
        """
        self._spawned += 1
        seed = kwargs.pop("seed", derive_seed("gem-spawn", self._seed, self._spawned))
        if kwargs:
            twin = MathGemEnv(**{**self._made, **kwargs}, seed=seed)
        else:  # a file is not read again
            twin = copy(self)
            twin._begin(self._env.fork(), seed)
        if same_state:
            twin.set_state(self.get_state())
        return twin

    def sample_random_action(self) -> str:
        """Some text."""
        return self._env.action_space.sample()


def register_all() -> list[str]:
    """Register ``hdpo:<source>`` for every named problem source; existing ids are left alone.

    ``hdpo:problems`` has the bundled sample, or the file or data set that ``problems=`` names.
    """
    known = gem.envs.registration.ENV_REGISTRY
    ids = {f"hdpo:{name}": name for name in PROBLEMS} | {"hdpo:problems": "sample"}
    for env_id, name in ids.items():
        if env_id not in known:
            gem.register(env_id, "hdpo_plugins.gem.environment:MathGemEnv", problems=name)
    return list(ids)
