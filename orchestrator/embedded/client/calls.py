"""Requests to the API inside this program: the same application, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

import orjson

from orchestrator.api.gate import INTERNAL
from orchestrator.embedded.turns import end_task
from orchestrator.resources.errors import StatusError

if TYPE_CHECKING:
    from orchestrator.api.server import Application
    from orchestrator.embedded.client.conversing import CommandResult
    from orchestrator.embedded.presence import Presence

JSON: Final = "application/json"
_QUEUE: Final = 64
"""Pieces of a stream held for a reader; then the writer waits."""


class Caller:
    """Sends requests to one application, as one user.

    A request is answered in the calling task; a stream has a task of its own, which ends with the
    block that reads it.
    """

    def __init__(
        self,
        app: Application,
        *,
        presence: Presence,
        user: str | None = None,
        groups: tuple[str, ...] = (),
    ) -> None:
        """Call ``app`` as the administrator, or impersonating a user, while its cluster lives."""
        self._app = app
        self._presence = presence
        self._headers: list[tuple[bytes, bytes]] = [(b"user-agent", b"orchestrator-library")]
        if user is not None:
            self._headers.append((b"impersonate-user", user.encode()))
            self._headers += [(b"impersonate-group", group.encode()) for group in groups]

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Any:
        """Return the decoded answer to one request.

        Args:
            method: ``GET`` and so on.
            path: From ``/api`` or ``/apis`` on.
            query: Parameters; those that are None are left out.
            body: JSON data, or None.
            content_type: Of the body.

        Raises:
            StatusError: The API refused the request; code, reason and message are its.
            ConnectionResetError: A fault made it break.
        """
        data = await self.text(method, path, query=query, body=body, content_type=content_type)
        return orjson.loads(data) if data else None

    async def text(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> bytes:
        """Return the answer to one request as it is; see `call`."""
        self._presence.require_here()
        scope = self._scope(method, path, query, content_type)
        given = b"" if body is None else _encoded(body)
        pieces: list[bytes] = []
        status = 500
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.get_running_loop().create_future()  # this client does not leave
            asked = True
            return {"type": "http.request", "body": given, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, send)
        data = b"".join(pieces)
        if status >= 400:
            raise error_of(status, data)
        return data

    async def run(self, path: str, query: Mapping[str, Any], stdin: bytes | None) -> CommandResult:
        """Run a command in a container, over a WebSocket as kubectl does.

        Args:
            path: Of a pod's ``exec``.
            query: Which command, and what of it is wanted.
            stdin: All that it reads; None leaves its input closed.

        Raises:
            StatusError: The API refused, or the command could not be started.
            ConnectionResetError: A fault made it break.
        """
        from orchestrator.embedded.client.conversing import PROTOCOL, Conversation

        self._presence.require_here()
        scope = self._scope("GET", path, query, JSON)
        socket = {**scope, "type": "websocket", "scheme": "ws", "subprotocols": [PROTOCOL]}
        return await Conversation(stdin).hold(self._app, socket)

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, Any] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a GET without an end; the block gets its pieces as they come.

        Raises:
            StatusError: It was refused.
        """
        self._presence.require_here()
        scope = self._scope("GET", path, query, JSON)
        pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_QUEUE)
        began: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        left = asyncio.Event()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await left.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                if not began.done():  # who asked has left meanwhile
                    began.set_result(message["status"])
            elif data := message.get("body", b""):
                await pieces.put(data)

        restarts = self._presence.restarts

        async def run() -> None:
            try:
                await self._app(scope, receive, send)
            except ConnectionResetError as error:
                if not began.done():
                    began.set_exception(error)
                await pieces.put(error)
            else:
                if self._presence.restarts != restarts:  # over a socket it is reset, too
                    text = "Connection reset by peer: the control plane went down"
                    await pieces.put(ConnectionResetError(text))
            finally:
                if not began.done():
                    began.set_result(500)
                with contextlib.suppress(asyncio.QueueFull):
                    pieces.put_nowait(None)

        running = asyncio.create_task(run(), name=f"stream:{path}")
        try:
            status = await began
            if status >= 400:
                raise error_of(
                    status, b"".join([piece async for piece in _Pieces(pieces, running)])
                )
            yield _Pieces(pieces, running)
        finally:
            left.set()
            await end_task(running)

    def _scope(
        self, method: str, path: str, query: Mapping[str, Any] | None, content_type: str
    ) -> dict[str, Any]:
        told = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(told, doseq=True).encode(),
            "headers": [
                *self._headers,
                (b"accept", JSON.encode()),
                (b"content-type", content_type.encode()),
            ],
            "client": None,
            "server": None,
            INTERNAL: True,
        }


class _Pieces:
    """What a stream's task has written, until it ends."""

    def __init__(
        self, pieces: asyncio.Queue[bytes | Exception | None], running: asyncio.Task[None]
    ) -> None:
        self._pieces = pieces
        self._running = running

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._running.done() and self._pieces.empty():
            raise StopAsyncIteration
        piece = await self._pieces.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, Exception):
            raise piece
        return piece


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _encoded(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise TypeError(f"what is sent has to be plain JSON data: {error}") from None


def error_of(status: int, body: bytes) -> StatusError:
    """Read an answer that is an error."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = {}
    if not isinstance(found, dict) or found.get("kind") != "Status":
        return StatusError(status, "", body.decode("utf-8", "replace").strip())
    return error_from(found, status)


def error_from(status: Mapping[str, Any], code: int = 500) -> StatusError:
    """Return what a ``Status`` object tells.

    Args:
        status: The object.
        code: Where it has none.
    """
    return StatusError(
        status.get("code", code),
        status.get("reason", ""),
        status.get("message", ""),
        status.get("details"),
    )
