"""The reward server's application: every request is held until there is room, then judged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from hdpo_env.errors import ConfigError
from hdpo_env.hosting import require
from hdpo_plugins.openrlhf.reward.judging import Judge, scored
from hdpo_plugins.openrlhf.reward.line import Line
from hdpo_plugins.openrlhf.reward.protocol import RefusalError, body_of, columns_of, size_of

INSTALL = "fastapi>=0.115"


@dataclass(frozen=True)
class Limits:
    """What one request and all requests together may cost.

    OpenRLHF's client gives a request up after 180 s, and a rollout after five tries.

    Raises:
        ConfigError: a limit that nothing could keep to.
    """

    max_bytes: int = 32 * 2**20  # of one request's body; more is refused with 413
    max_memory: int = 256 * 2**20  # of all bodies that are read and not answered; more waits
    max_waiting: int = 4096  # completions with the judges; more waits, in one request is 413
    max_connections: int = 8192  # open at one time; one more is refused with 503
    answer_s: float = 170.0  # from a request to its answer; what takes longer is refused with 503

    def __post_init__(self) -> None:
        least = {"max_bytes": 1, "max_memory": self.max_bytes, "max_waiting": 1}
        for name, low in {**least, "max_connections": 1}.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}: give at least {low}")
        if not self.answer_s > 0:
            raise ConfigError(f"answer_s is {self.answer_s}: give a time above 0")


@dataclass
class State:
    """What the health check tells."""

    held: int = 0  # requests that are not answered
    refused: int = 0
    waiting: int = 0  # completions with the judges
    judged: int = 0
    abstained: int = 0


class Rewards:
    """Requests through the two lines, for memory and for the judges, to their answers."""

    def __init__(self, judge: Judge, limits: Limits) -> None:
        self._judge, self._limits, self.state = judge, limits, State()
        self._memory, self._judges = Line(limits.max_memory), Line(limits.max_waiting)

    async def answer(self, request: Any) -> dict[str, Any]:
        """OpenRLHF's reply, or a refusal, after ``answer_s`` at the latest."""
        self.state.held += 1
        try:
            return await asyncio.wait_for(self._judged(request), self._limits.answer_s)
        except asyncio.TimeoutError:
            seconds = self._limits.answer_s
            detail = f"not judged within {seconds:g} s: try again, or give the server more workers"
            raise RefusalError(503, detail, {"Retry-After": "1"}) from None
        finally:
            self.state.held -= 1

    async def _judged(self, request: Any) -> dict[str, Any]:
        limits, state = self._limits, self.state
        async with self._memory.place(size_of(request, limits.max_bytes)):
            body = await body_of(request, limits.max_bytes)
            columns = columns_of(body, limits.max_waiting)
            count = len(columns[0])
            async with self._judges.place(count):
                state.waiting += count
                try:
                    verdicts = await self._judge.acall(*columns)
                finally:
                    state.waiting -= count
        state.judged += count
        state.abstained += sum(verdict.is_abstention for verdict in verdicts)
        return scored(verdicts)

    async def fault(self) -> str:
        """Why nothing can be judged, or "": workers that are at it need not be asked."""
        is_at_it = self.state.waiting and self._judge.pool.worker_pids()
        return "" if is_at_it else await self._judge.afault()


def create_app(judge: Judge, limits: Limits | None = None) -> Any:
    """The application: ``POST /get_reward``, also at ``/``, and ``GET /health``.

    A request is ``{"query": [...], "prompts": [...], "labels": [...]}``, a reply ``{"rewards":
    [...], "scores": [...], "extra_logs": {...}}`` in the same order.

    Raises:
        MissingDependencyError: FastAPI is not installed.
    """
    require("fastapi", INSTALL)
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.responses import JSONResponse
    from starlette.requests import ClientDisconnect

    rewards = Rewards(judge, limits or Limits())

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        yield
        judge.pool.close()

    app = FastAPI(lifespan=lifespan, title="rewards")

    @app.post("/")
    @app.post("/get_reward")
    async def get_reward(request: Request) -> dict[str, Any]:
        try:
            return await rewards.answer(request)
        except RefusalError as no:
            rewards.state.refused += 1
            raise HTTPException(no.status, no.detail, headers=no.headers) from None
        except ClientDisconnect:
            raise HTTPException(400, "the client is gone") from None

    @app.get("/health")
    async def health() -> Any:
        fault = await rewards.fault()
        verifier = f"{judge.pool.name} {judge.pool.version}"
        told = {"status": fault or "ok", "verifier": verifier, **asdict(rewards.state)}
        return JSONResponse(told, 503 if fault else 200)

    return app
