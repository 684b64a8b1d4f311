"""The client: OpenEnv's, with our wire types. ``MathClient(url).sync()`` is a blocking one."""

from __future__ import annotations

from typing import Any

from hdpo_plugins.openenv.compat import (
    EnvClient,
    MathAction,
    MathObservation,
    MathState,
    StepResult,
)


class MathClient(EnvClient):
    """One session with a server of `serve.application`."""

    def _step_payload(self, action: MathAction | str) -> dict[str, Any]:
        return {"completion": action if isinstance(action, str) else action.completion}

    def _parse_result(self, payload: dict[str, Any]) -> Any:
        reward, is_over = payload.get("reward"), bool(payload.get("done"))
        shown = MathObservation(**payload["observation"], reward=reward, done=is_over)
        return StepResult(observation=shown, reward=reward, done=is_over)

    def _parse_state(self, payload: dict[str, Any]) -> MathState:
        return MathState(**payload)
