"""One WebSocket connection: uvicorn's, which tells whether its client has left."""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Ping

from orchestrator.api._leaving import has_left
from orchestrator.api.streaming.upgrades import GONE, NUDGE

FINISH_SECONDS: Final = 15 * 60.0
"""Seconds that a client has, once all is said, to take the rest and close; upstream's
``finishTimeout``. Closing at once would have the kernel drop what a slow reader has not taken yet,
as soon as the next frame of its arrives."""


class WebSocketConnection(WSProtocol):
    """uvicorn's connection with the patience that streams need."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = FINISH_SECONDS

    def handle_connect(self, event: Any) -> None:
        """Offer `GONE` to the application, which starts later."""
        super().handle_connect(event)
        ours = {GONE: self.is_gone, NUDGE: self.nudge}
        extensions: dict[str, Any] = {**(self.scope["extensions"] or {}), **ours}
        self.scope["extensions"] = extensions

    def is_gone(self) -> bool:
        """Tell whether the client has closed, also while reading is paused."""
        return has_left(self.transport)

    def nudge(self) -> None:
        """Ping the client, unless it has not taken all that was sent before."""
        if self.writable.is_set() and not self.close_sent and not self.transport.is_closing():
            self.transport.write(self.conn.send(Ping()))
