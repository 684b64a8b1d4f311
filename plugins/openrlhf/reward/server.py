"""An HTTP server that speaks OpenRLHF's remote-reward protocol, judged by our verifier's workers.

    python -m hdpo_plugins.openrlhf.reward.server --port 5000 --workers 8
    ... --reward.remote_url http://127.0.0.1:5000/get_reward

It needs ``pip install fastapi uvicorn``. There is no authentication: keep it on a private network.
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.hosting import require
from hdpo_plugins.openrlhf.reward.judging import Judge, Settings, scored
from hdpo_plugins.openrlhf.reward.protocol import RefusalError, body_of, columns_of

INSTALL = "fastapi>=0.115"


@dataclass(frozen=True)
class Limits:
    """What one request and all waiting requests together may cost.

    Raises:
        ConfigError: a limit is below 1.
    """

    max_bytes: int = 32 * 2**20  # of one request's body; more is refused with 413
    max_waiting: int = 4096  # completions accepted and not yet judged; more is refused with 429

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or self.max_waiting < 1:
            raise ConfigError(
                f"max_bytes={self.max_bytes}, max_waiting={self.max_waiting}: give at least 1 each"
            )


@dataclass
class State:
    """What the health check tells."""

    waiting: int = 0
    judged: int = 0
    abstained: int = 0


def create_app(settings: Settings, limits: Limits | None = None) -> Any:
    """The application: ``POST /get_reward``, also at ``/``, and ``GET /health``.

    A request is ``{"query": [...], "prompts": [...], "labels": [...]}``, a reply ``{"rewards":
    [...], "scores": [...], "extra_logs": {...}}`` in the same order. OpenRLHF's client tries five
    times, a second apart, so 429 makes it wait.

    Raises:
        MissingDependencyError: FastAPI is not installed.
    """
    require("fastapi", INSTALL)
    from fastapi import FastAPI, HTTPException, Request

    judge, limits, state = Judge(settings), limits or Limits(), State()

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        yield
        judge.pool.close()

    app = FastAPI(lifespan=lifespan, title="rewards")

    @app.post("/")
    @app.post("/get_reward")
    async def get_reward(request: Request) -> dict[str, Any]:
        try:
            return await _rewards(request, judge, limits, state)
        except RefusalError as no:
            raise HTTPException(no.status, no.detail, headers=no.headers) from None

    @app.get("/health")
    async def health() -> dict[str, Any]:
        verifier = f"{judge.pool.name} {judge.pool.version}"
        return {"status": "ok", "verifier": verifier, **asdict(state)}

    return app


async def _rewards(request: Any, judge: Judge, limits: Limits, state: State) -> dict[str, Any]:
    columns = columns_of(await body_of(request, limits.max_bytes))
    count = len(columns[0])
    if state.waiting and state.waiting + count > limits.max_waiting:
        raise RefusalError(429, f"{state.waiting} completions are waiting", {"Retry-After": "1"})
    state.waiting += count
    try:
        verdicts = await judge.acall(*columns)
    finally:
        state.waiting -= count
    state.judged += count
    state.abstained += sum(verdict.is_abstention for verdict in verdicts)
    return scored(verdicts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    settings, limits = Settings(), Limits()
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--verifier", default=settings.verifier, help="a verifier's name, or boxed")
    parser.add_argument("--workers", type=int, default=settings.workers, help="judging processes")
    parser.add_argument("--timeout-s", type=float, default=settings.timeout_s)
    parser.add_argument("--end-marks", nargs="*", default=list(settings.end_marks))
    parser.add_argument("--max-bytes", type=int, default=limits.max_bytes)
    parser.add_argument("--max-waiting", type=int, default=limits.max_waiting)
    parser.add_argument("--grace-s", type=int, default=30, help="for open requests at the end")
    return parser


def main() -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests that are open."""
    uvicorn = require("uvicorn", "uvicorn>=0.30")
    args = _parser().parse_args()
    settings = Settings(args.verifier, args.workers, args.timeout_s, tuple(args.end_marks))
    app = create_app(settings, Limits(args.max_bytes, args.max_waiting))
    uvicorn.run(app, host=args.host, port=args.port, timeout_graceful_shutdown=args.grace_s)


if __name__ == "__main__":
    main()
