"""Answers that are conversations, and the connections they are held over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from typing import Any, Final, Protocol

from orchestrator.records import dataclass

WEBSOCKET: Final = "orchestrator.websocket"
"""Key of the ASGI extensions under which a request that came over a WebSocket has it."""

TAKEOVER: Final = "orchestrator.takeover"
"""The ASGI extension by which an application takes over a connection that is to speak something
else than HTTP: a `Takeover`."""

GONE: Final = "orchestrator.gone"
"""The ASGI extension by which a connection tells whether its client has left, also while nothing
is read from it."""

NUDGE: Final = "orchestrator.nudge"
"""The ASGI extension by which a WebSocket sends its client something that asks for no answer of the
application's. The end of a client whose bytes nobody reads is hidden behind them; whatever is sent
to it then is answered by its kernel with a reset."""

IDLE_SECONDS: Final = 4 * 3600.0
"""Seconds without a byte in either direction after which a conversation ends; the kubelet's
``streamingConnectionIdleTimeout``."""


@dataclass(slots=True)
class Upgrade:
    """An answer that takes the connection over.

    Attributes:
        serve: Holds the conversation; returns or raises OSError when it is over.
        headers: For the answer that accepts it.
    """

    serve: Callable[[], Awaitable[None]]
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class ByteConnection(Protocol):
    """Bytes both ways."""

    async def read(self) -> bytes:
        """Return the next bytes; ``b""`` once the client has left."""

    async def write(self, data: bytes) -> None:
        """Write all of it, as the client takes it; OSError when it has left."""

    async def close(self) -> None:
        """End the connection; what was written before arrives."""

    def is_gone(self) -> bool:
        """Tell whether the client has left, also while nothing is read."""

    def nudge(self, data: bytes) -> None:
        """Send something harmless, so that a client that has left is noticed; see `NUDGE`.

        Args:
            data: What is harmless in what is spoken over this connection.
        """


Takeover = Callable[[list[tuple[bytes, bytes]]], ByteConnection]
"""Answers 101 with these headers and takes the connection over."""


class WebSocket(Protocol):
    """A WebSocket whose handshake is not answered yet."""

    @property
    def offered(self) -> Sequence[str]:
        """Subprotocols that the client offers, without that of its token."""

    async def accept(self, protocol: str) -> None:
        """Answer the handshake; ``""`` agrees on no subprotocol."""

    async def send(self, message: dict[str, Any]) -> None:
        """Send an ASGI message, as the connection takes it.

        Raises:
            OSError: The client has left.
        """

    async def receive(self) -> dict[str, Any] | None:
        """Return the next ASGI message, or None once the client has left."""

    async def close(self) -> None:
        """Say that all is said; what was sent before arrives before."""

    def is_gone(self) -> bool:
        """Tell whether the client has left, also while nothing is received."""

    def nudge(self) -> None:
        """Ping the client, so that one that has left is noticed; see `NUDGE`."""
