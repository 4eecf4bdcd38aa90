"""A listening socket whose connections are uvicorn's, without uvicorn's server around them.

uvicorn's server looks ten times a second whether it should go on, and ends by such looks, which
takes a tenth or two: as long as everything else in the life of a cluster that a test starts. Here
nothing runs at rest, and an end is over as soon as the last connection is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from uvicorn.server import ServerState

from actors import RealClock

if TYPE_CHECKING:
    import uvicorn

CANCELLED_SECONDS: Final = 1.0
"""Seconds that cancelled requests have to end."""

_MADE_TURNS: Final = 3
"""Turns of the loop from accepting somebody to a connection that is known to be open."""


class _Connections(set[Any]):
    """The connections that are open; tells when the last one has gone."""

    def __init__(self) -> None:
        super().__init__()
        self._gone: asyncio.Future[None] | None = None

    def discard(self, connection: Any) -> None:
        """Forget one that has ended or is no longer HTTP's."""
        super().discard(connection)
        if self._gone is not None and not self and not self._gone.done():
            self._gone.set_result(None)

    async def wait_gone(self) -> None:
        """Return when there is none left."""
        if self:
            self._gone = asyncio.get_running_loop().create_future()
            await self._gone


class _State(ServerState):
    """What connections share; its headers tell the time of the second that they are asked in."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = self.open = _Connections()
        self.ended = False
        self._clock = RealClock()
        self._dated: list[tuple[bytes, bytes]] = []
        self._until = float("-inf")

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer."""
        if self._clock.monotonic() >= self._until:
            now = self._clock.now()
            self._dated = [(b"date", formatdate(now, usegmt=True).encode())]
            self._until = self._clock.monotonic() + 1 - now % 1
        return self._dated

    @default_headers.setter
    def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Set by uvicorn's own initialiser only, to nothing."""


class Hosted:
    """An application that is being served."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Prepare; nothing is served before `start`."""
        self._config = config
        self._state = _State()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> Collection[Any]:
        """The connections that are open now."""
        return self._state.open

    async def start(self, listener: socket.socket) -> None:
        """Answer what connects to ``listener``, which belongs to this object from then on.

        Raises:
            OSError: TLS files cannot be read or do not fit (``ssl.SSLError`` is one).
        """
        config, state = self._config, self._state
        if not config.loaded:
            config.load()
        protocol: Any = config.http_protocol_class
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}, _loop=loop),
            sock=listener,
            ssl=config.ssl,
            backlog=config.backlog,
        )

    @staticmethod
    async def _accept_last(server: asyncio.Server) -> None:
        """Let those become connections that were accepted already: asyncio forgets them else.

        Their transports would be made when the server is closed, which fails, and be left to the
        collector.
        """
        loop = asyncio.get_running_loop()
        for listener in server.sockets:
            with contextlib.suppress(RuntimeError):  # uvloop's are its own: it accepts at once
                loop.remove_reader(listener.fileno())
        for _ in range(_MADE_TURNS):
            await asyncio.sleep(0)

    async def stop(self, seconds: float) -> None:
        """Accept nothing more and end idle connections; let requests go on for ``seconds``."""
        server, state = self._server, self._state
        if server is None:
            return
        await self._accept_last(server)
        server.close()
        state.ended = True  # those who still shake hands are let go when they have
        for connection in list(state.open):
            connection.shutdown()
        try:
            async with asyncio.timeout(seconds):
                await state.open.wait_gone()
                if state.tasks:
                    await asyncio.wait(state.tasks)
        except TimeoutError:
            late = list(state.tasks)
            for task in late:
                task.cancel(msg="the server stops")
            if late:
                await asyncio.wait(late, timeout=CANCELLED_SECONDS)
            for connection in list(state.open):
                connection.transport.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CANCELLED_SECONDS):
                    await state.open.wait_gone()
