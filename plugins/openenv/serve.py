"""The server: one `MathEnv` per WebSocket session, and a verifier behind ``POST /verify``."""

from __future__ import annotations

from functools import partial
from typing import Any

from hdpo_env.env import MathEnv
from hdpo_env.env.parts import source_of
from hdpo_env.errors import ConfigError
from hdpo_env.hosting import require
from hdpo_env.problems.source import ProblemSource
from hdpo_env.verifiers import VERIFIERS, Verifier, VerifierPool
from hdpo_plugins.openenv.compat import (
    Environment,
    MathAction,
    MathObservation,
    MathState,
    create_app,
)


class MathEnvironment(Environment):
    """`hdpo_env.env.MathEnv` by OpenEnv's names.

    ``reset`` takes ``seed``, or ``index`` or ``problem_id`` to choose a problem. An abstention of
    the verifier ends the episode with reward None and ``correct`` None.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, problems: str | ProblemSource = "linear", **settings: Any) -> None:
        super().__init__()
        self.env = MathEnv(problems, **settings)
        self.episode_id: str | None = None

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        *,
        index: int | None = None,
        problem_id: str | None = None,
        **unknown: Any,
    ) -> MathObservation:
        """A new episode and its prompt.

        Raises:
            ConfigError: it is asked for by something else.
        """
        if unknown:
            raise ConfigError(
                f"reset takes no {', '.join(sorted(unknown))}: give seed, index or problem_id"
            )
        wanted = {"index": index, "id": problem_id}
        options = {name: value for name, value in wanted.items() if value is not None}
        text, info = self.env.reset(seed=seed, options=options)
        self.episode_id = episode_id
        return MathObservation(text=text, problem_id=info["problem_id"])

    def step(self, action: MathAction, timeout_s: float | None = None, **_: Any) -> MathObservation:
        """Judge one attempt."""
        text, reward, is_over, _truncated, info = self.env.step(action.completion)
        abstained = info["abstained"]
        return MathObservation(
            text=text,
            problem_id=info["problem_id"],
            turn=info["turn"],
            outcome=info["outcome"],
            correct=None if abstained else info["outcome"] == "correct",
            reward=None if abstained else reward,
            done=is_over,
        )

    @property
    def state(self) -> MathState:
        """Public state."""
        now = self.env.get_state()
        return MathState(
            episode_id=self.episode_id,
            step_count=now.turn,
            problem_id=now.problem.id if now.problem else "",
            is_over=now.is_over,
        )


def application(
    problems: str | ProblemSource = "linear",
    *,
    max_sessions: int = 16,
    max_turns: int = 1,
    template: str | None = None,
    verifier: Verifier | str | None = None,
    **settings: Any,
) -> Any:
    """The ASGI application: at most ``max_sessions`` sessions at a time, each with its own episode.

    The problems are opened once, by name and ``settings`` or as they are; all sessions have them.

    Raises:
        HdpoError: nothing has this name, or a setting cannot be; here and not in each session.
    """
    source = source_of(problems, settings)
    how = {"max_turns": max_turns, "template": template, "verifier": verifier}
    MathEnvironment(source, **how)
    return create_app(
        partial(MathEnvironment, source, **how),
        MathAction,
        MathObservation,
        env_name="hdpo",
        max_concurrent_envs=max_sessions,
    )


def add_verifier(
    app: Any, *, verifier: str = "math", workers: int = 2, timeout_s: float = 5
) -> Any:
    """Add ``POST /verify {completion, gold}`` to an application; returns the pool that judges.

    At most 64 items wait at a time; texts above a million characters are refused with 422. The
    answer has ``correct`` (true, false, or null for an abstention), ``outcome`` and ``extracted``.
    """
    pydantic = require("pydantic", "pydantic")
    pool = VerifierPool(VERIFIERS[verifier](), workers, timeout_s, max_pending=64)
    text = pydantic.constr(max_length=1_000_000)
    item_type = pydantic.create_model("Item", completion=(text, ...), gold=(text | list[text], ...))

    async def verify(item: Any) -> dict[str, Any]:
        (verdict,) = await pool.amap([(item.completion, item.gold)])
        return {
            "correct": verdict.correct,
            "outcome": verdict.outcome.value,
            "extracted": verdict.extracted,
        }

    verify.__annotations__["item"] = item_type  # FastAPI reads the model from the annotation
    app.post("/verify")(verify)
    return pool
