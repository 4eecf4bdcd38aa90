"""Connections to addresses that exist in this program only, and to all others."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

import anyio
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

    def __init__(self, dial: Dial | None) -> None:
        """Ask ``dial`` first, if there is one."""
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
            line = await self._dial(host, port) if self._dial is not None else None
        except ConnectionError as error:
            raise httpcore.ConnectError(str(error)) from error
        if line is not None:
            return _Stream(line)
        wire = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Wire(wire)

    async def sleep(self, seconds: float) -> None:
        """Wait, in real time."""
        await self._network.sleep(seconds)


class _Wire(httpcore.AsyncNetworkStream):
    """A connection over the network that is closed, too, if its handshake is cancelled.

    httpcore closes it after errors only, and leaves it to the collector otherwise.
    """

    def __init__(self, wire: httpcore.AsyncNetworkStream) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._wire.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._wire.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._wire.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._wire.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._wire.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._wire.get_extra_info(info)


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
