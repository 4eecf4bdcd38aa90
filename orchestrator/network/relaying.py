"""Relaying one accepted connection to an endpoint, both ways, with back-pressure.

Plain protocols instead of streams: bytes go from one transport to the other without a task or a
copy between them. A side that can't write fast enough pauses the other side's reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Side(asyncio.Protocol):
    """One end of a relayed connection."""

    __slots__ = ("_closed", "_early", "_ended", "peer", "transport")

    def __init__(self, closed: Callable[[Side], None] | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer: Side | None = None
        self._closed = closed
        self._early = b""
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hold still until there is a peer to send to."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on, or keep them: uvloop still delivers what it had read before the pause."""
        if self.peer is None:
            self._early += data
        elif self.peer.transport is not None:
            self.peer.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of this direction on; the other direction may go on."""
        self._ended = True
        return self.peer is None or self._pass_end(self.peer)

    @staticmethod
    def _pass_end(peer: Side) -> bool:
        """End the peer's sending direction; tell whether its other direction is still open."""
        if peer.transport is None or peer._ended:
            return False
        if peer.transport.can_write_eof():
            peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Stop reading from the peer while this side's buffer is full."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read from the peer again."""
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the peer: what is in its buffer is still sent, unless this end broke."""
        self.transport = None
        peer = self.peer
        if peer is not None and peer.transport is not None:
            if exc is None:
                peer.transport.close()
            else:
                peer.transport.abort()
        if self._closed is not None:
            self._closed(self)

    def abort(self) -> None:
        """Break this connection and its peer's at once."""
        for side in (self, self.peer):
            if side is not None and side.transport is not None:
                side.transport.abort()

    def join(self, peer: Side) -> None:
        """Connect two sides and let the bytes flow; if one is closed already, close the other."""
        self.peer, peer.peer = peer, self
        if self.transport is None or peer.transport is None:
            self.abort()
            return
        for side, other in ((self, peer), (peer, self)):
            if side._early and other.transport is not None:  # noqa: SLF001 - same class
                other.transport.write(side._early)  # noqa: SLF001 - same class
                side._early = b""  # noqa: SLF001 - same class
            if side._ended:  # noqa: SLF001 - same class
                self._pass_end(other)
            elif side.transport is not None:
                side.transport.resume_reading()
