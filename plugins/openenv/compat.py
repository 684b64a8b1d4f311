"""What we know of OpenEnv: the tested version, its base classes, and our three wire types."""

from __future__ import annotations

from hdpo_env.hosting import require

TESTED = ("0.3.0",)
_INSTALL = f"openenv-core=={TESTED[0]}"
_server = require("openenv.core.env_server", _INSTALL)

Action = _server.Action
Environment = _server.Environment
Observation = _server.Observation
State = _server.State
create_app = require("openenv.core.env_server.http_server", _INSTALL).create_app
EnvClient = require("openenv.core.env_client", _INSTALL).EnvClient
StepResult = require("openenv.core.client_types", _INSTALL).StepResult


class MathAction(Action):
    """One attempt."""

    completion: str


class MathObservation(Observation):
    """What the policy sees. ``correct`` and ``reward`` are None when the verifier abstained."""

    text: str = ""
    problem_id: str = ""
    turn: int = 0
    outcome: str = ""
    correct: bool | None = None


class MathState(State):
    """The episode's public state: nothing that the student may not see."""

    problem_id: str = ""
    is_over: bool = False
