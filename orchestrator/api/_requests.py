"""One HTTP request: what handlers need of it, read from the ASGI scope once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from orchestrator.api._deadlines import Deadlines
from orchestrator.api._negotiation import Accepted, negotiate
from orchestrator.api._routing import Target
from orchestrator.api.streaming.upgrades import TAKEOVER, WEBSOCKET, Takeover, WebSocket
from orchestrator.resources.errors import StatusError, bad_request, too_large
from orchestrator.resources.kinds import Kind
from orchestrator.resources.users import ADMIN, User

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_LIMIT: Final = 3 * 1024 * 1024
"""Bytes of a request body; upstream's ``MaxRequestBodyBytes``."""

PEER: Final = "orchestrator.peer"
"""Key of the ASGI scope under which a connection tells whom its client's certificate names."""

APPLY_PATCH: Final = "application/apply-patch+yaml"
"""The type of a patch that applies."""

_PRETTY_AGENTS: Final = ("curl", "Wget", "Mozilla/5.0")
_FALSE: Final = ("false", "0")
_DIGITS: Final = 40
"""More digits are not worth counting with: no number of 64 bits has them."""


def has_protobuf(kind: Kind | None) -> bool:
    """Tell whether objects of a kind have a protobuf form; what has no kind is a Status, say."""
    if kind is None:
        return True
    if kind.custom is not None:
        return False
    from orchestrator.api.protobuf import message_of

    return message_of(kind.api_version, kind.kind) is not None


class DisconnectedError(Exception):
    """The client went away before its request was read."""


@lru_cache(maxsize=1024)
def parse_query(raw: bytes) -> dict[str, tuple[str, ...]]:
    """Parse a query string; the result is shared between requests and must not be changed."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in found.items()}


class Request:
    """A request as the handlers see it.

    Attributes:
        method: Upper-case HTTP method.
        path: Decoded path.
        query: Every parameter with all its values; shared, read-only.
        target: What the path names, None where that is no resource.
        headers: Lower-case names as bytes; of repeated headers the last.
        identifier: The ``Audit-Id`` of the answer: the client's or a new one.
        kind: The kind that the path names, None where it names none.
        peer: Whom the client's certificate names, if it showed one of the cluster's CA.
        user: Who asks, as authentication found out.
        warnings: Texts for ``Warning`` headers, in order.
    """

    __slots__ = (
        "_all_headers",
        "_patience",
        "_receive",
        "_scope",
        "headers",
        "identifier",
        "kind",
        "method",
        "path",
        "peer",
        "query",
        "target",
        "user",
        "warnings",
    )

    def __init__(self, scope: Scope, receive: Receive, patience: Deadlines) -> None:
        """Read a request whose body has to arrive within ``patience``."""
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._scope = scope
        raw = scope["query_string"]
        self.query: dict[str, tuple[str, ...]] = parse_query(raw) if raw else {}
        self._all_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self._all_headers)
        self.identifier = self.headers.get(b"audit-id") or _next_uuid()
        self.kind: Kind | None = None
        self.target: Target | None = None
        self.user: User = ADMIN
        self.peer: User | None = scope.get(PEER)
        self.warnings: list[str] = []
        self._receive = receive
        self._patience = patience

    @property
    def websocket(self) -> WebSocket | None:
        """The WebSocket that the request came over, or None."""
        found: WebSocket | None = (self._scope.get("extensions") or {}).get(WEBSOCKET)
        return found

    @property
    def spdy(self) -> Takeover | None:
        """What takes the connection over, where the client asks for SPDY; or None."""
        if self.headers.get(b"upgrade", b"").lower() != b"spdy/3.1":
            return None
        found: Takeover | None = (self._scope.get("extensions") or {}).get(TAKEOVER)
        return found

    @property
    def raw_path(self) -> str:
        """The path as it came, still quoted."""
        return (self._scope.get("raw_path") or b"").decode("latin-1") or quote(self.path)

    @property
    def raw_query(self) -> str:
        """The query as it came, without the question mark."""
        query: bytes = self._scope["query_string"]
        return query.decode("latin-1")

    def repeated(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every header whose name begins so, in order, also those given several times."""
        return (header for header in self._all_headers if header[0].startswith(prefix))

    def parameter(self, name: str) -> str:
        """Return the first value of a query parameter, or ``""``."""
        values = self.query.get(name)
        return values[0] if values else ""

    def flag(self, name: str) -> bool:
        """Read a boolean as apimachinery does: present and neither ``false`` nor ``0``."""
        values = self.query.get(name)
        return values is not None and values[0].lower() not in _FALSE

    def number(self, name: str) -> int | None:
        """Read an integer; None when absent or empty.

        Raises:
            StatusError: 400 in the words of Go's parser, which is what clients see upstream.
        """
        text = self.parameter(name)
        if not text:
            return None
        digits = text[1:] if text[0] in "+-" else text
        if not (digits.isascii() and digits.isdigit()):
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        if len(digits) > _DIGITS or not -(1 << 63) <= int(text) < 1 << 63:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
        return int(text)

    @property
    def accepted(self) -> Accepted:
        """Encoding and shape of the answer; raises 406."""
        header = self.headers.get(b"accept", b"")
        accepted = negotiate(header)
        if accepted.shape == "Table" and self.kind is not None and "get" not in self.kind.verbs:
            return negotiate(header, tables=False)
        if accepted.encoding != "protobuf" or accepted.shape or has_protobuf(self.kind):
            return accepted
        return negotiate(header, protobuf=False)

    @property
    def pretty(self) -> bool:
        """Whether JSON is indented: asked for, or the client is a person's."""
        if self.query and "pretty" in self.query:
            return self.flag("pretty")
        return self.user_agent.startswith(_PRETTY_AGENTS)

    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header, or ``""``."""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        """Media type of the body in lower case, without parameters; ``""`` when not given."""
        raw = self.headers.get(b"content-type", b"")
        return raw.split(b";", 1)[0].strip().lower().decode("latin-1")

    async def body(self) -> bytes:
        """Read the whole body.

        Raises:
            StatusError: 413, over `BODY_LIMIT`. What follows is left to the HTTP server to discard.
                504, not there in time.
            DisconnectedError: The client left.
        """
        try:
            return await self._patience.run(self._body())
        except TimeoutError:
            seconds = self._patience.seconds
            raise StatusError(
                504, "Timeout", f"the body of the request did not arrive within {seconds:g} s"
            ) from None

    async def _body(self) -> bytes:
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > BODY_LIMIT:
            raise _over_limit()
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        data: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(data) > BODY_LIMIT:
                raise _over_limit()
            return data
        pieces = [data]
        size = len(data)
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            piece = message.get("body", b"")
            size += len(piece)
            if size > BODY_LIMIT:
                raise _over_limit()
            pieces.append(piece)
        return b"".join(pieces)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, for whoever passes it on; it has no limit then.

        Raises:
            DisconnectedError: The client left.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def disconnected(self) -> None:
        """Return once the client has gone; for streams, whose request has no more to say."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return


def _over_limit() -> Exception:
    return too_large(f"Request entity too large: limit is {BODY_LIMIT}")


def _random_uuids() -> Iterator[bytes]:
    """Yield random (version 4) UUIDs: one system call for 256, and no ``uuid.UUID`` in between."""
    while True:
        pool = os.urandom(16 * 256).hex()
        for at in range(0, len(pool), 32):
            d = pool[at : at + 32]
            variant = "89ab"[int(d[16], 16) & 3]
            yield f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{variant}{d[17:20]}-{d[20:]}".encode()


_next_uuid: Final = _random_uuids().__next__
