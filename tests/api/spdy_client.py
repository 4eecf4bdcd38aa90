"""A SPDY client: in a WebSocket, or in place of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from orchestrator.api import ApiServer
from orchestrator.api.streaming.spdy.frames import (
    Data,
    Frame,
    FrameReader,
    FrameWriter,
)


class Spdy:
    """Streams over whatever carries bytes."""

    def __init__(self, send: Callable[[bytes], None], receive: Callable[[], Awaitable[bytes]]):
        self.send = send
        self._receive = receive
        self._writer = FrameWriter()
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self._next = 1

    def begin(self, **headers: str) -> int:
        number, self._next = self._next, self._next + 2
        self.send(self._writer.begin(number, headers))
        return number

    def connect(self, port: int, request: str = "0") -> tuple[int, int]:
        """Begin a pair of streams; return the error stream's number and the data stream's."""
        common = {"port": str(port), "requestid": request}
        return (
            self.begin(streamtype="error", **common),
            self.begin(streamtype="data", **common),
        )

    async def frame(self) -> Frame:
        while not self._frames:
            async with asyncio.timeout(10):
                self._frames += self._reader.feed(await self._receive())
        return self._frames.pop(0)

    async def ends(self, *streams: int) -> dict[int, bytes]:
        """What streams get until each has ended."""
        found = dict.fromkeys(streams, b"")
        open_streams = set(streams)
        while open_streams:
            frame = await self.frame()
            if isinstance(frame, Data):
                found[frame.stream] += frame.data
                if frame.fin:
                    open_streams.discard(frame.stream)
        return found


@asynccontextmanager
async def upgraded(
    server: ApiServer, path: str, headers: Iterable[tuple[str, str]]
) -> AsyncIterator[tuple[str, Spdy]]:
    """Ask for SPDY in place of HTTP; yield the answer's head and, if it is 101, a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    writer.write("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
    try:
        async with asyncio.timeout(10):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if not head.startswith("HTTP/1.1 101"):
                length = next(
                    int(line.split(":")[1])
                    for line in head.lower().splitlines()
                    if line.startswith("content-length:")
                )
                head += (await reader.readexactly(length)).decode()

        async def receive() -> bytes:
            data = await reader.read(65536)
            assert data, "the server closed the connection"
            return data

        yield head, Spdy(writer.write, receive)
    finally:
        writer.close()
