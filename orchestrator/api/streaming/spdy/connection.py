"""The server's side of a SPDY connection: streams over anything that carries bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.api.streaming.spdy.frames import (
    CANCEL,
    PROTOCOL_ERROR,
    REFUSED,
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    Pinged,
    StreamBegun,
    StreamReset,
    data_frame,
    ping_frame,
    reset_frame,
)
from orchestrator.api.streaming.upgrades import ByteConnection
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.sessions import CHUNK

STREAMS_LIMIT: Final = 2048
"""Streams at once on one connection: kubectl opens two for each connection it forwards."""


class SpdyStream:
    """One stream that the client began.

    Attributes:
        number: An odd number that grows.
        headers: Of its beginning, names in lower case.
        is_reset: Whether the client wants nothing more of it.
    """

    def __init__(self, number: int, headers: Mapping[str, str], connection: SpdyConnection) -> None:
        self.number = number
        self.headers = headers
        self.is_reset = False
        self._connection = connection
        self.incoming = MemoryPipe()
        self.finished = False

    async def read(self) -> bytes:
        """Return what comes next; ``b""`` once the client says no more."""
        return await self.incoming.read()

    async def write(self, data: bytes) -> None:
        """Send bytes as the client takes them; after the end they are dropped."""
        for at in range(0, len(data), CHUNK):
            if self.finished or self.is_reset:
                return
            await self._connection.write(data_frame(self.number, data[at : at + CHUNK]))

    async def finish(self) -> None:
        """Say no more on it."""
        if not self.finished and not self.is_reset:
            self.finished = True
            await self._connection.write(data_frame(self.number, b"", fin=True))
            self._connection.forget(self)

    async def reset(self, status: int = CANCEL) -> None:
        """End it in both directions."""
        if not self.is_reset:
            self.drop()
            await self._connection.write(reset_frame(self.number, status))

    def drop(self) -> None:
        """Note that it has ended in both directions."""
        self.is_reset = True
        self.incoming.close()
        self._connection.forget(self)


class SpdyConnection:
    """Reads frames, keeps streams, answers pings.

    While a stream's reader is behind by what a pipe holds, nothing is read from the connection: as
    upstream, streams of one connection wait for one another.

    Attributes:
        is_held: Whether that is so.
    """

    def __init__(
        self,
        carrier: ByteConnection,
        check: Callable[[Mapping[str, str]], str],
        begun: Callable[[SpdyStream], None],
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        """Speak over ``carrier``.

        Args:
            carrier: Its owner closes it.
            check: Tells why a stream of these headers is refused, or ``""``.
            begun: Takes a new stream.
            heard: Called whenever bytes come or go.
        """
        self._carrier = carrier
        self._check = check
        self._begun = begun
        self._heard = heard
        self._reader = FrameReader()
        self._writer = FrameWriter()
        self._streams: dict[int, SpdyStream] = {}
        self._last = 0
        self.is_held = False

    async def run(self) -> None:
        """Serve until the client leaves or speaks something else.

        Raises:
            ValueError: It is no SPDY.
            OSError: The client left while it was written to.
        """
        try:
            while data := await self._carrier.read():
                self._heard()
                for frame in self._reader.feed(data):
                    await self._take(frame)
        finally:
            for stream in tuple(self._streams.values()):
                stream.drop()

    async def _take(self, frame: Frame) -> None:
        match frame:
            case StreamBegun(stream=number, headers=headers, fin=fin):
                await self._begin(number, headers, fin)
            case Data(stream=number, data=data, fin=fin):
                stream = self._streams.get(number)
                if stream is not None:
                    if data:
                        self.is_held = True
                        await stream.incoming.write(data)
                        self.is_held = False
                    if fin:
                        stream.incoming.close()
                        self.forget(stream)
            case StreamReset(stream=number):
                stream = self._streams.get(number)
                if stream is not None:
                    stream.drop()
            case Pinged(number=number):
                if number % 2:  # the client's own numbers are odd
                    await self.write(ping_frame(number))
            case _:
                return

    async def _begin(self, number: int, headers: Mapping[str, str], fin: bool) -> None:
        if number <= self._last or number % 2 == 0:
            await self.write(reset_frame(number, PROTOCOL_ERROR))
            return
        self._last = number
        if len(self._streams) >= STREAMS_LIMIT:
            await self.write(reset_frame(number, REFUSED))
            return
        if self._check(headers):
            await self.write(reset_frame(number, CANCEL))
            return
        stream = self._streams[number] = SpdyStream(number, headers, self)
        # Before anything is sent on it: the client drops what comes before the reply.
        await self.write(self._writer.reply(number))
        if fin:
            stream.incoming.close()
        self._begun(stream)

    async def write(self, data: bytes) -> None:
        """Write a frame; OSError once the client has left."""
        await self._carrier.write(data)
        self._heard()

    def forget(self, stream: SpdyStream) -> None:
        """Let go of a stream that has ended in both directions."""
        if stream.is_reset or (stream.finished and stream.incoming.is_closed):
            self._streams.pop(stream.number, None)

    def nudge(self) -> None:
        """Ping the client, so that one that has left is noticed; its answer is not looked at."""
        self._carrier.nudge(ping_frame(2))
