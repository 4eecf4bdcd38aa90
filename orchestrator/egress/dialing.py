"""Connections to addresses that exist in this program only."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

import httpcore


class Line(Protocol):
    """A connection that needs no socket."""

    async def read(self) -> bytes:
        """Return the next bytes; ``b""`` at the end."""

    async def write(self, data: bytes) -> None:
        """Write all of it."""

    async def close(self) -> None:
        """End it."""


Dial: TypeAlias = Callable[[str, int], Awaitable[Line | None]]
"""Connects to an address and a port; None where the network has to be asked. ConnectionError where
nobody listens."""


class DialingBackend(httpcore.AsyncNetworkBackend):
    """Connects within the program where it can, and over the network elsewhere."""

    def __init__(self, dial: Dial) -> None:
        """Ask ``dial`` first."""
        self._dial = dial
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        try:
            line = await self._dial(host, port)
        except ConnectionError as error:
            raise httpcore.ConnectError(str(error)) from error
        if line is not None:
            return _Stream(line)
        return await self._network.connect_tcp(host, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait, in real time."""
        await self._network.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, line: Line) -> None:
        self._line = line
        self._rest = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - httpcore's protocol; calls have deadlines
        data = self._rest or await self._line.read()
        self._rest = data[max_bytes:]
        return data[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        try:
            await self._line.write(buffer)
        except Exception as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        await self._line.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del ssl_context, server_hostname, timeout
        raise httpcore.ConnectError("simulated containers speak no TLS")

    def get_extra_info(self, info: str) -> Any:
        """Tell nothing, but that it is not to be used again: nobody watches it while it idles."""
        return True if info == "is_readable" else None
