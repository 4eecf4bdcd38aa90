"""A gate in front of the API of an embedded cluster: who comes, and what is under way.

The cluster's clock stands still while a request is answered, and before it moves those outside get
a moment to react to what they were told. Requests without an end (watches, followed logs,
conversations) never hold it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.api._requests import PEER, Receive, Scope, Send, parse_query
from orchestrator.api._responses import PUSH
from orchestrator.api.visitors import GRACE, Visitors
from orchestrator.resources.users import ADMIN

if TYPE_CHECKING:
    from actors import Clock
    from orchestrator.api.faults import ApiFaults
    from orchestrator.api.server import Application

INTERNAL: Final = "orchestrator.internal"
"""Key of the ASGI scope by which a caller in this program says that it waits for its answers."""

SHOWN: Final = "/.token/"
"""Begins a path of which the next part is the caller's token. Programs made with client-go, kubectl
among them, show their tokens over TLS only: without TLS they would come as the administrator."""

_BOOKMARK: Final = b'{"type":"BOOKMARK"'
_HEAD: Final = 40
"""Bytes within which a piece tells its type: the length of a chunk may stand before it."""

_CONVERSATIONS: Final = (["exec"], ["attach"], ["portforward"], ["proxy"])


class Gate:
    """An ASGI application that lets requests through to another.

    Attributes:
        faults: What goes wrong on the way to the API.
        visitors: The clients outside.
    """

    def __init__(
        self, app: Application, clock: Clock, faults: ApiFaults, grace: float = GRACE
    ) -> None:
        """Stand in front of ``app``; ``grace`` is in real seconds."""
        self.faults = faults
        self.visitors = Visitors(grace)
        self._app = app
        self._clock = clock

    def lead_to(self, app: Application) -> None:
        """Let requests through to another application from now on."""
        self._app = app

    def close(self) -> None:
        """End watches and followed logs; no new ones start."""
        self.faults.close()
        self._app.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (the ASGI interface)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope.get(INTERNAL):
            # Known by the way it comes, where others need credentials; unless it shows some.
            scope.setdefault(PEER, ADMIN)
            await self._serve(scope, receive, send)
            return
        if scope["path"].startswith(SHOWN):
            scope = with_token_of_path(scope)
        visitors = self.visitors
        watching = is_watch(scope)
        noted = visitors.ask(reads=not watching and scope.get("method") == "GET")
        try:
            if watching:
                await self._serve_watch(scope, receive, send)
            else:
                await self._serve(scope, receive, send)
        finally:
            if noted:
                visitors.answer()

    async def _serve_watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        self.visitors.open(path)
        try:
            told, telling_send = self._telling(scope, send)
            await self._serve(told, receive, telling_send)
        finally:
            self.visitors.close(path)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_watch(scope):
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

    def _telling(self, scope: Scope, send: Send) -> tuple[Scope, Send]:
        """Note what a watch tells, in both of the ways in which it does."""
        visitors = self.visitors
        extensions = scope.get("extensions") or {}
        push = extensions.get(PUSH)
        if push is not None:

            def telling_push(chunk: bytes) -> bool:
                if not is_bookmark(chunk):
                    visitors.tell()
                more: bool = push(chunk)
                return more

            scope = {**scope, "extensions": {**extensions, PUSH: telling_push}}

        async def telling_send(message: Any) -> None:
            if not is_bookmark(message.get("body", b"")):
                visitors.tell()
            await send(message)

        return scope, telling_send


def with_token_of_path(scope: Scope) -> Scope:
    """Return a request whose path begins with a token as one that shows it in a header."""
    token, slash, path = scope["path"].removeprefix(SHOWN).partition("/")
    header = (b"authorization", f"Bearer {token}".encode("latin-1"))
    others = [each for each in scope["headers"] if each[0] != b"authorization"]
    raw = scope.get("raw_path") or b""
    begun = len(SHOWN) + len(token)
    changed = {"path": slash + path, "raw_path": raw[begun:], "headers": [*others, header]}
    return {**scope, **changed}


def is_bookmark(chunk: bytes) -> bool:
    """Tell whether a piece of a watch is a bookmark only, on which nobody acts."""
    return _BOOKMARK in chunk[:_HEAD] and chunk.count(b'"type":"') == 1


def is_open_ended(scope: Scope) -> bool:
    """Tell whether an answer goes on until somebody ends it."""
    if scope["type"] == "websocket":
        return True
    asked = _asked_of(scope["path"])
    if asked[:1] == ["watch"] or asked[2:3] in _CONVERSATIONS:
        return True
    return _asks(scope, "watch") or _asks(scope, "follow")


def is_watch(scope: Scope) -> bool:
    """Tell whether a request is one over HTTP that watches."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    return _asks(scope, "watch") or _asked_of(scope["path"])[:1] == ["watch"]


def _asked_of(path: str) -> list[str]:
    """Return resource, name and subresource of a path, without its namespace.

    Anything may be called ``watch`` or ``exec``, so it matters where that stands. ``watch`` comes
    first where the path itself asks for one, as it did before there was a parameter.
    """
    parts = path.split("/")
    rest = parts[3:] if parts[1:2] == ["api"] else parts[4:] if parts[1:2] == ["apis"] else []
    return rest[2:] if rest[:1] == ["namespaces"] and len(rest) > 2 else rest


def _asks(scope: Scope, name: str) -> bool:
    raw = scope["query_string"]
    if not raw:
        return False
    return any(value not in ("false", "0") for value in parse_query(raw).get(name, ()))
