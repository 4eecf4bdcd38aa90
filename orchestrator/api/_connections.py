"""One HTTP connection: uvicorn's, with bounds on how large and how slow a request's head may be.

It also knows whom the client's certificate names, once for all requests that come over it.

Anyone who can connect can send a head, so without bounds strangers could fill the memory or hold
connections for ever. Sizes and seconds are those of upstream's API server (``net/http``).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.api._requests import PEER
from orchestrator.api._responses import ABORT, PUSH, RESET
from orchestrator.api.streaming.upgrades import TAKEOVER
from orchestrator.resources.users import User

if TYPE_CHECKING:
    from orchestrator.api._raw_connections import RawConnection

HEAD_LIMIT: Final = 1 << 20
"""Bytes of request line and headers; ``http.DefaultMaxHeaderBytes``."""

HEAD_SECONDS: Final = 32.0
"""Seconds for a head to arrive, from the connection or its first byte on; ``ReadHeaderTimeout``."""

_NO_LINGERING: Final = struct.pack("ii", 1, 0)
"""``struct linger``: on, for no time."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    b"431 Request Header Fields Too Large"
)


class Connection(HttpToolsProtocol):
    """uvicorn's connection that gives up on a head without end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._within_head = True
        self._overdue: asyncio.TimerHandle | None = None
        self._peer: User | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._extensions = {
            PUSH: self.push,
            ABORT: transport.abort,
            RESET: self.reset,
            TAKEOVER: self.take_over,
        }
        tunnel = transport.get_extra_info("ssl_object")
        if tunnel is not None:
            from orchestrator.api._client_certificates import certified_user

            self._peer = certified_user(tunnel.getpeercert(), tunnel.getpeercert(True))
        self._overdue = self.loop.call_later(HEAD_SECONDS, transport.close)
        if getattr(self.server_state, "ended", False):  # uvicorn's own has no such mark
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes as long as the head they may belong to is within its bounds."""
        if self._within_head:
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)
        if self._within_head and self._overdue is None and not self.transport.is_closing():
            self._overdue = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def push(self, chunk: bytes) -> bool:
        """Write a chunk of the answer under way; False when the client does not keep up or left.

        What the transport holds is bounded by its high-water mark and one such chunk, as long as
        the caller heeds that.
        """
        if self.transport.is_closing():
            return False
        self.transport.write(chunk)
        return not self.flow.write_paused

    def reset(self) -> None:
        """End the connection at once, with a TCP reset, whatever is still to be written."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self.transport.abort()

    def take_over(self, headers: list[tuple[bytes, bytes]]) -> RawConnection:
        """Answer 101, and be no connection of HTTP's any more."""
        from orchestrator.api._raw_connections import RawConnection

        self.cycle.disconnected = True  # nothing more is to be sent for this request
        self._arrived()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        return RawConnection(self.transport, headers)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the application answers, as it finds out what is asked for."""

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._within_head = True
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]  # one of our own

    def on_headers_complete(self) -> None:
        """Note that the head has ended."""
        self._within_head = False
        self._head = 0
        self._arrived()
        if self._peer is not None:
            self.scope[PEER] = self._peer  # type: ignore[typeddict-unknown-key]  # ours
        super().on_headers_complete()

    def _should_upgrade_to_ws(self) -> bool:
        """Load what speaks WebSocket when the first one is asked for."""
        if self.ws_protocol_class is None:
            from orchestrator.api._websocket_connections import WebSocketConnection

            self.ws_protocol_class = WebSocketConnection
        return True

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, and whom its certificate names."""
        if self._peer is not None:
            self.app_state = {**self.app_state, PEER: self._peer}
        super().handle_websocket_upgrade()

    def _arrived(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
