"""WebSockets: whatever is streamed over HTTP, as messages, for browsers and those who prefer them.

A WebSocket request is the GET it would be otherwise. A stream is sent as one message for each event
(watches) or piece (logs); any other answer refuses the upgrade and is sent as it is. What a client
sends is not looked at. Only conversations with pods (`orchestrator.api.streaming`) take the
WebSocket as it is. Source of the rules: k8s.io/apimachinery/pkg/util/httpstream/wsstream and
k8s.io/apiserver (handlers/watch.go, request/websocket/protocol.go).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.api._requests import PEER, Receive, Scope, Send
from orchestrator.api.streaming.upgrades import GONE, NUDGE, WEBSOCKET

TOKEN_PROTOCOL: Final = "base64url.bearer.authorization.k8s.io."  # noqa: S105 - a prefix, no secret
"""Browsers cannot set headers on a WebSocket, so they pass their bearer token as a subprotocol."""

_BINARY: Final = "binary.k8s.io"
_BASE64: Final = "base64.binary.k8s.io"

Http = Callable[[Scope, Receive, Send], Awaitable[None]]


async def serve_websocket(http: Http, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a WebSocket request with what ``http`` answers to the same GET."""
    exchange = _Exchange(scope, receive, send)
    if await exchange.opened():
        await http(exchange.http_scope(), exchange.receive, exchange.send)


class _Exchange:
    """One WebSocket connection, seen from the application as an HTTP exchange."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._streams = False
        self._split: Callable[[bytes], Iterable[bytes]] = _whole
        offered: list[str] = list(scope.get("subprotocols") or ())
        self._token = next((name for name in offered if name.startswith(TOKEN_PROTOCOL)), None)
        self.offered = [name for name in offered if name != self._token]
        self._protocol = next(iter(self.offered), None)

    async def opened(self) -> bool:
        """Await the handshake's request; False for one that is refused or was given up."""
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return False
        if self._is_foreign():
            await self._refuse(403, b"the page that asks is another site's, and shows no token")
            return False
        return True

    def http_scope(self) -> Scope:
        """Return the scope of the GET that this is otherwise."""
        headers = list(self._scope["headers"])
        if self._token is not None and not any(name == b"authorization" for name, _ in headers):
            headers.append((b"authorization", b"Bearer " + _decoded(self._token)))
        http: dict[str, Any] = {
            **self._scope,
            "type": "http",
            "method": "GET",
            "headers": headers,
            "extensions": {WEBSOCKET: _Socket(self, self._scope, self._receive, self._send)},
        }
        peer = (self._scope.get("state") or {}).get(PEER)
        if peer is not None:
            http[PEER] = peer
        return http

    async def receive(self) -> dict[str, Any]:
        """Return once the client has gone; what it sends is ignored."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._streams:
            await self._pass(message["body"])
            if not message.get("more_body"):
                await self._send({"type": "websocket.close", "code": 1000})
        else:
            await self._send({**message, "type": "websocket.http.response.body"})

    async def _start(self, message: Any) -> None:
        headers = dict(message["headers"])
        self._streams = message["status"] == 200 and b"content-length" not in headers
        if not self._streams:
            await self._send({**message, "type": "websocket.http.response.start"})
            return
        content_type = headers.get(b"content-type", b"")
        if content_type == b"application/json":
            self._split = bytes.splitlines
        elif content_type.startswith(b"application/vnd.kubernetes.protobuf"):
            self._split = _frames
        accepted: dict[str, Any] = {
            "type": "websocket.accept",
            "subprotocol": self._protocol,
            "headers": [],
        }
        await self._send(accepted)

    async def _pass(self, data: bytes) -> None:
        if not data:
            return
        for piece in self._split(data):
            part: dict[str, Any] = {"type": "websocket.send"}
            if self._protocol == _BINARY or self._split is _frames:
                part["bytes"] = piece
            elif self._protocol == _BASE64:
                part["text"] = base64.b64encode(piece).decode()
            else:
                part["text"] = piece.decode(errors="replace")
            await self._send(part)

    def _is_foreign(self) -> bool:
        """Tell whether a page of another site asks with nothing but the way to this server.

        Browsers let any page open a WebSocket to anywhere. Without a token, being able to connect
        is all that a server for its own machine asks for; a page on the web must not have that.
        """
        headers = dict(self._scope["headers"])
        origin = headers.get(b"origin")
        if origin is None or self._token is not None or b"authorization" in headers:
            return False
        host = headers.get(b"host", b"").decode("latin-1")
        return bool(urlsplit(origin.decode("latin-1")).netloc != host)

    async def _refuse(self, status: int, text: bytes) -> None:
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
        ]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        await self._send(start)
        await self._send({"type": "websocket.http.response.body", "body": text})


class _Socket:
    """The same connection for who speaks over it both ways."""

    def __init__(self, exchange: _Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self.offered = exchange.offered
        self._receive = receive
        self._send = send
        extensions = scope.get("extensions") or {}
        self._gone: Callable[[], bool] | None = extensions.get(GONE)
        self._nudge: Callable[[], None] | None = extensions.get(NUDGE)
        self._left = False

    async def accept(self, protocol: str) -> None:
        """Answer the handshake."""
        await self._send(
            {"type": "websocket.accept", "subprotocol": protocol or None, "headers": []}
        )

    async def send(self, message: dict[str, Any]) -> None:
        """Send an ASGI message; OSError once the client has left."""
        if self._left:
            raise ConnectionError("the client has left")
        await self._send(message)

    async def receive(self) -> dict[str, Any] | None:
        """Return the next ASGI message, or None once the client has left."""
        if self._left:
            return None
        message = await self._receive()
        self._left = message["type"] == "websocket.disconnect"
        return None if self._left else dict(message)

    async def close(self) -> None:
        """Say that all is said."""
        if not self._left:
            await self._send({"type": "websocket.close", "code": 1000})

    def is_gone(self) -> bool:
        """Tell whether the client has left."""
        return self._left or (self._gone is not None and self._gone())

    def nudge(self) -> None:
        """Ping the client."""
        if self._nudge is not None:
            self._nudge()


def _decoded(protocol: str) -> bytes:
    """Return the token in a subprotocol; nobody's token where it is malformed."""
    text = protocol.removeprefix(TOKEN_PROTOCOL)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _whole(data: bytes) -> Iterable[bytes]:
    return (data,)


def _frames(data: bytes) -> Iterator[bytes]:
    """Split length-delimited frames; a message tells its length itself."""
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end
