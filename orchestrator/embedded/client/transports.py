"""httpx without a socket: its requests reach the cluster's API in this program, streams included.

httpx has an ASGI transport of its own, which hands an answer over once it is whole: a watch never
is. This one hands over each piece as it comes. It serves httpx and its successors (lightkube's
httpx2) alike: whose classes to answer with is handed in.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from orchestrator.api._requests import PEER
from orchestrator.api.gate import INTERNAL
from orchestrator.embedded.turns import end_task

if TYPE_CHECKING:
    from orchestrator.api.server import Application
    from orchestrator.embedded.presence import Presence

_QUEUE: Final = 64
"""Pieces of an answer held for a reader; then the writer waits."""


class ClusterTransport:
    """Answers requests by an ASGI application in the loop of the caller.

    ```python
    async with httpx.AsyncClient(
        transport=cluster.httpx_transport(), base_url="http://cluster"
    ) as client:
        ...
    ```
    """

    def __init__(self, app: Application, library: Any, presence: Presence) -> None:
        """Send requests to ``app`` while it lives, answering with the classes of ``library``."""
        self._app = app
        self._presence = presence
        self._library = library
        self._stream = type("ClusterStream", (_Stream, library.AsyncByteStream), {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Have nothing to close: each answer ends with its reader."""

    async def aclose(self) -> None:
        """Have nothing to close either."""

    async def handle_async_request(self, request: Any) -> Any:
        """Return an answer as soon as it begins."""
        self._presence.require_here()
        body = await request.aread()
        exchange = _Exchange(body, self._library)
        running = asyncio.create_task(
            exchange.run(self._app, _scope(request)), name=f"httpx:{request.url.path}"
        )
        try:
            status, headers = await exchange.began
        except BaseException:
            running.cancel()
            raise
        stream = self._stream(exchange, running)
        return self._library.Response(status, headers=headers, stream=stream)


class _Exchange:
    """A request under way: what is still to be read of its answer."""

    def __init__(self, body: bytes, library: Any) -> None:
        self.began: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = (
            asyncio.get_running_loop().create_future()
        )
        self.pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_QUEUE)
        self.left = asyncio.Event()
        self._body = body
        self._library = library
        self._asked = False

    async def run(self, app: Application, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        except ConnectionResetError as error:
            broken = self._library.ReadError(str(error))
            if not self.began.done():
                self.began.set_exception(broken)
            else:
                await self.pieces.put(broken)
        finally:
            if not self.began.done():
                self.began.set_exception(self._library.RemoteProtocolError("there was no answer"))
            await self.pieces.put(None)

    async def _receive(self) -> dict[str, Any]:
        if self._asked:
            await self.left.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            if not self.began.done():
                self.began.set_result((message["status"], list(message.get("headers", ()))))
        elif data := message.get("body", b""):
            await self.pieces.put(data)


class _Stream:
    def __init__(self, exchange: _Exchange, running: asyncio.Task[None]) -> None:
        self._exchange = exchange
        self._running = running

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._exchange.pieces.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self) -> None:
        self._exchange.left.set()
        await end_task(self._running)


def _scope(request: Any) -> dict[str, Any]:
    url = request.url
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    shown = any(name == b"authorization" for name, _ in headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": url.scheme,
        "method": request.method,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "root_path": "",
        "query_string": url.query,
        "headers": headers,
        "client": None,
        "server": None,
        INTERNAL: True,
        **({PEER: None} if shown else {}),
    }
