"""Bytes over a WebSocket's messages: a tunnel, in which kubectl speaks SPDY."""

from __future__ import annotations

from orchestrator.api.streaming.upgrades import WebSocket


class WebSocketTunnel:
    """Each message is the next bytes, whatever its bounds."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        """Return the next bytes; ``b""`` once the client has left."""
        while (message := await self._socket.receive()) is not None:
            if data := message.get("bytes"):
                return bytes(data)
        return b""

    async def write(self, data: bytes) -> None:
        """Write all of it."""
        await self._socket.send({"type": "websocket.send", "bytes": data})

    async def close(self) -> None:
        """End the connection."""
        await self._socket.close()

    def is_gone(self) -> bool:
        """Tell whether the client has left."""
        return self._socket.is_gone()

    def nudge(self, data: bytes) -> None:  # noqa: ARG002 - a WebSocket has a ping of its own
        """Ping the client."""
        self._socket.nudge()
