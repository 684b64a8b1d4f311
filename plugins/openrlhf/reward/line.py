"""Room for requests of different sizes; what does not fit waits its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """Units of room on one event loop, first come, first served.

    Nobody who fits overtakes somebody who does not yet, so that large requests get their turn. Who
    is cancelled while it waits leaves the line.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """Wait until there are ``size`` units, hold them, and give them back.

        More than the whole room would wait for ever: refuse it before.
        """
        await self._enter(size)
        try:
            yield
        finally:
            self._leave(size)

    async def _enter(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            # Let in at the last moment it has room to give back, else a place in the line.
            self._leave(0 if turn.cancelled() else size)
            raise

    def _leave(self, size: int) -> None:
        self._room += size
        self._let_in()

    def _let_in(self) -> None:
        while self._line and (self._line[0][1].done() or self._line[0][0] <= self._room):
            size, turn = self._line.popleft()
            if not turn.done():
                self._room -= size
                turn.set_result(None)
