"""What we promise to OpenEnv: its own server and client over a real local WebSocket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hdpo_env.conformance import Host

_LINEAR = {"size": 20, "level": 1}


@contextmanager
def running(app: Any) -> Iterator[str]:
    """Serve an application on a free local port while the block runs; its base URL."""
    import uvicorn

    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ready = threading.Event()
    while not server.started and thread.is_alive():
        ready.wait(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def _gold(problem_id: str) -> str:
    from hdpo_env.problems import PROBLEMS

    return next(p.gold for p in PROBLEMS["linear"](**_LINEAR) if p.id == problem_id)


def sessions() -> None:
    """Two clients, two episodes: each its own session; nothing but prompts and verdicts comes."""
    from hdpo_plugins.openenv.client import MathClient
    from hdpo_plugins.openenv.serve import application

    app = application("linear", max_sessions=2, max_turns=2, **_LINEAR)
    with running(app) as url, MathClient(url).sync() as one, MathClient(url).sync() as two:
        first, second = one.reset(index=0), two.reset(index=1)
        ids = [r.observation.problem_id for r in (first, second)]
        assert (ids[0] != ids[1], first.reward) == (True, None)
        wrong = one.step("I do not know")
        assert (wrong.reward, wrong.done, wrong.observation.correct) == (0.0, False, False)
        right = two.step(rf"\boxed{{{_gold(ids[1])}}}")
        assert (right.reward, right.done, right.observation.correct) == (1.0, True, True)
        state = one.state()
        assert (state.step_count, state.problem_id) == (1, ids[0])
        assert one.reset(seed=4).observation == two.reset(seed=4).observation
        assert one.reset(problem_id=ids[1]).observation.problem_id == ids[1]


def too_many() -> None:
    """A session beyond the limit is refused, and a closed one makes room."""
    from hdpo_plugins.openenv.client import MathClient
    from hdpo_plugins.openenv.serve import application

    def enter(url: str) -> str:
        with MathClient(url).sync() as client:
            try:
                return client.reset(index=0).observation.problem_id
            except Exception as refusal:  # the library's own class differs between its versions
                return f"refused: {type(refusal).__name__}: {refusal}"

    with running(application("linear", max_sessions=1, **_LINEAR)) as url:
        with MathClient(url).sync() as one:
            one.reset(index=0)
            assert enter(url).startswith("refused"), "a second session was let in"
        pause = threading.Event()  # the server learns of a closed connection a moment later
        tries = (enter(url) for _ in range(20) if not pause.wait(0.1))
        assert any(not found.startswith("refused") for found in tries), "no room after closing"


def abstention() -> None:
    """A verifier's fault: reward None, correct None, the episode over."""
    from hdpo_env.env import MathEnv
    from hdpo_env.types import Problem
    from hdpo_plugins.openenv.compat import MathAction
    from hdpo_plugins.openenv.serve import MathEnvironment

    environment = MathEnvironment()
    environment.env = MathEnv([Problem("q", (" \\frac{1}{",))])
    environment.reset()
    found = environment.step(MathAction(completion=r"\boxed{1}"))
    assert (found.reward, found.correct, found.done) == (None, None, True), found


HOSTS = (
    Host(
        "openenv",
        distribution="openenv-core",
        tested=("0.3.0",),
        abstention="reward None and `correct` None; the episode ends",
        exercises={
            "server and client over a WebSocket": sessions,
            "the limit of sessions": too_many,
            "abstention": abstention,
        },
    ),
)
