"""Connections to what listens on a pod's own address."""

from __future__ import annotations

import asyncio
import contextlib
import os

from orchestrator.node.sessions import CHUNK, SessionError

_CONNECT_SECONDS = 10.0
"""To reach an address of this machine; refused at once where nobody listens."""


class TcpConnection:
    """A connection to a program."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Return the next bytes; ``b""`` at the end, and when the program broke it off."""
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Write all of it, as the program takes it."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise SessionError(f"write tcp: {_words(error)}") from error

    def end(self) -> None:
        """Say no more."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    async def close(self) -> None:
        """End it in both directions."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def connect(address: str, port: int) -> TcpConnection:
    """Connect to a port; SessionError in Go's words where nobody listens."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        raise SessionError(f"dial tcp {address}:{port}: i/o timeout") from None
    except OSError as error:
        raise SessionError(f"dial tcp {address}:{port}: connect: {_words(error)}") from error
    return TcpConnection(reader, writer)


def _words(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
