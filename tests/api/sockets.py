"""A WebSocket client, and nothing more of a client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, Event, Request, TextMessage

from orchestrator.api import ApiServer


class Socket:
    """A WebSocket client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    def send(self, event: Event) -> None:
        self._writer.write(self._connection.send(event))

    def vanish(self) -> None:
        """Leave as a killed process does: what is not sent yet never is."""
        self._writer.transport.abort()

    async def next(self) -> Event:
        async with asyncio.timeout(10):
            while not self._events:
                data = await self._reader.read(65536)
                self._connection.receive_data(data or None)
                self._events += self._connection.events()
        return self._events.pop(0)

    async def text(self) -> str:
        """The next message."""
        text = ""
        while True:
            event = await self.next()
            assert isinstance(event, TextMessage), event
            text += event.data
            if event.message_finished:
                return text

    async def data(self) -> bytes:
        """The next binary message."""
        data = b""
        while True:
            event = await self.next()
            assert isinstance(event, BytesMessage), event
            data += bytes(event.data)
            if event.message_finished:
                return data

    async def event(self) -> dict[str, Any]:
        """The next message as a watch event."""
        found: dict[str, Any] = json.loads(await self.text())
        return found


@asynccontextmanager
async def opened(
    server: ApiServer,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    subprotocols: list[str] | None = None,
) -> AsyncIterator[Socket]:
    """Ask for a WebSocket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    client = Socket(reader, writer)
    more = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    client.send(
        Request(
            host=f"127.0.0.1:{server.port}",
            target=path,
            extra_headers=more,
            subprotocols=subprotocols or [],
        )
    )
    try:
        yield client
    finally:
        writer.close()
