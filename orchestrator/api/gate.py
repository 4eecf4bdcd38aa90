"""A gate in front of the API of an embedded cluster: who comes, and what is under way.

The cluster's clock stands still while a request is answered, and before it moves those outside get
a moment to react to what they were told. Requests without an end (watches, followed logs,
conversations) never hold it up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._requests import Receive, Scope, Send, parse_query
from orchestrator.api._responses import PUSH

if TYPE_CHECKING:
    from actors import Clock
    from orchestrator.api.faults import ApiFaults
    from orchestrator.api.server import Application

INTERNAL: Final = "orchestrator.internal"
"""Key of the ASGI scope by which a caller in this program says that it waits for its answers."""

GRACE: Final = 0.05
"""Real seconds without a word from outside after which nobody there is taken to be at work."""

_CONVERSATIONS: Final = ("/exec", "/attach", "/portforward")


class Gate:
    """An ASGI application that lets requests through to another.

    Attributes:
        activity: How often something was said to, or heard from, clients outside.
        faults: What goes wrong on the way to the API.
        visited: Whether there ever was one.
    """

    def __init__(
        self, app: Application, clock: Clock, faults: ApiFaults, grace: float = GRACE
    ) -> None:
        """Stand in front of ``app``; ``grace`` is in real seconds."""
        self.activity = 0
        self.faults = faults
        self._app = app
        self._clock = clock
        self._grace = grace
        self._seen = 0

    @property
    def visited(self) -> bool:
        """Whether a client outside ever asked anything."""
        return self.activity > 0

    def close(self) -> None:
        """End watches and followed logs; no new ones start."""
        self._app.close()

    async def courtesy(self) -> bool:
        """Wait a moment for clients outside, if they were told something since last asked."""
        if self.activity == self._seen:
            return False
        self._seen = self.activity
        await asyncio.sleep(self._grace)
        return True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not scope.get(INTERNAL):
            scope, send = self._noting(scope, send)
        if scope["type"] == "http" and is_watch(scope):
            await self.faults.watch(scope, receive, send, self._app)
        elif self.faults.active:
            await self.faults.serve(scope, receive, send, self._forward)
        else:
            await self._forward(scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_open_ended(scope):
            await self._app(scope, receive, send)
        else:
            with self._clock.held():
                await self._app(scope, receive, send)

    def _noting(self, scope: Scope, send: Send) -> tuple[Scope, Send]:
        self.activity += 1
        extensions = scope.get("extensions") or {}
        push = extensions.get(PUSH)
        if push is not None:

            def noting_push(chunk: bytes) -> bool:
                self.activity += 1
                more: bool = push(chunk)
                return more

            scope = {**scope, "extensions": {**extensions, PUSH: noting_push}}

        async def noting_send(message: Any) -> None:
            self.activity += 1
            await send(message)

        return scope, noting_send


def is_open_ended(scope: Scope) -> bool:
    """Tell whether an answer goes on until somebody ends it."""
    if scope["type"] == "websocket":
        return True
    path: str = scope["path"]
    if path.endswith(_CONVERSATIONS) or "/proxy" in path or "/watch/" in path:
        return True
    return _asks(scope, "watch") or _asks(scope, "follow")


def is_watch(scope: Scope) -> bool:
    """Tell whether an HTTP request watches."""
    if scope["method"] != "GET":
        return False
    path: str = scope["path"]
    return _asks(scope, "watch") or ("/watch/" in path and "/proxy" not in path)


def _asks(scope: Scope, name: str) -> bool:
    raw = scope["query_string"]
    if not raw:
        return False
    return any(value not in ("false", "0") for value in parse_query(raw).get(name, ()))
