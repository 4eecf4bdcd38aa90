"""A connection that is no longer HTTP's: taken over after ``101 Switching Protocols``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

from orchestrator.api._leaving import has_left

_READ: Final = 64 * 1024
_CLOSE_SECONDS: Final = 10.0
"""Seconds that a client has to take what was written last."""


class RawConnection:
    """Bytes both ways, at the client's pace."""

    def __init__(
        self, transport: asyncio.Transport, headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Answer the request that asked for it, and take ``transport`` over.

        Args:
            transport: HTTP's until now.
            headers: Of the answer.
        """
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(_READ, loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self._transport = transport
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)
        lines = [b"HTTP/1.1 101 Switching Protocols", *(b": ".join(one) for one in headers)]
        transport.write(b"\r\n".join((*lines, b"", b"")))

    async def read(self) -> bytes:
        """Return the next bytes; ``b""`` once the client has left."""
        try:
            return await self._reader.read(_READ)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Write all of it; OSError when the client has left."""
        if self._writer.is_closing():
            raise ConnectionError("the client has left")
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                with contextlib.suppress(OSError):
                    await self._writer.wait_closed()
        except TimeoutError:
            self._transport.abort()

    def is_gone(self) -> bool:
        """Tell whether the client has left, also while nothing is read."""
        return has_left(self._transport)

    def nudge(self, data: bytes) -> None:
        """Send something harmless, unless the client has not taken all that was sent before."""
        if not self._writer.is_closing() and not self._transport.get_write_buffer_size():
            self._writer.write(data)
