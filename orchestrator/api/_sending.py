"""Answers on their way out: whole ones, and streams that end with their client or the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from actors import get_logger
from orchestrator.api._custom_streams import CustomStreams
from orchestrator.api._requests import Request, Send
from orchestrator.api._responses import (
    GZIP_FROM,
    Response,
    Stream,
    accepts_gzip,
    compressed,
    start_message,
    warning_headers,
)
from orchestrator.api.streaming.upgrades import Upgrade

if TYPE_CHECKING:
    from orchestrator.store import Store

STUCK_SECONDS: Final = 60.0
"""Seconds after its end for which a stream may still wait for its client to take the rest."""


async def send_whole(request: Request, response: Response, send: Send) -> None:
    """Send an answer in one piece, compressed where it is large and the client takes that."""
    more = warning_headers(request.warnings) if request.warnings else []
    if len(response.body) > GZIP_FROM and accepts_gzip(
        request.headers.get(b"accept-encoding", b"")
    ):
        response.body = compressed(response.body)
        more += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
    await send(start_message(response, request.identifier, more))
    await send({"type": "http.response.body", "body": response.body})


class Sender:
    """Sends streams, and ends them all when the server closes."""

    def __init__(self, store: Store) -> None:
        """Begin with none; the definitions in ``store`` end those of their kinds."""
        self._streams: set[asyncio.Task[Any]] = set()
        self._custom = CustomStreams(store)
        self._closing = False
        self._log = get_logger("orchestrator.api")

    def close(self) -> None:
        """End every stream; new ones end at once."""
        self._closing = True
        for stream in tuple(self._streams):
            stream.cancel()

    async def converse(self, request: Request, upgrade: Upgrade) -> None:
        """Hold a conversation until it is over, the client leaves or the server closes."""
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            if not self._closing:
                await upgrade.serve()
        except OSError:  # the client has left
            return
        except asyncio.CancelledError:
            if not self._closing:
                raise
            task.uncancel()
        except Exception as error:  # noqa: BLE001 - the connection is no longer HTTP: it can only end
            self._log.error("conversation failed", path=request.path, exc_info=error)
        finally:
            self._streams.discard(task)

    async def stream(
        self, request: Request, stream: Stream, send: Send, abort: Callable[[], None] | None
    ) -> None:
        """Send pieces as they come, until they end, the client leaves or the server closes.

        A client that takes nothing until long after the stream's end is dropped by ``abort``.
        """
        task = asyncio.current_task()
        assert task is not None
        ended = False
        overdue: asyncio.TimerHandle | None = None

        def end(_: asyncio.Task[None] | None = None) -> None:
            nonlocal ended
            if not ended:
                ended = True
                task.cancel()

        gone = asyncio.create_task(request.disconnected())
        gone.add_done_callback(end)
        if stream.seconds is not None and abort is not None:
            later = max(stream.seconds, 0.0) + STUCK_SECONDS
            overdue = asyncio.get_running_loop().call_later(later, abort)
        self._streams.add(task)
        if stream.custom:
            self._custom.add(stream.custom, end)
        chunks = stream.chunks
        try:
            more = warning_headers(request.warnings) if request.warnings else []
            await send(start_message(stream, request.identifier, more))
            if not self._closing:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except asyncio.CancelledError:
            if not (ended or self._closing):
                raise
            task.uncancel()
        except Exception as error:  # noqa: BLE001 - the answer has begun: it can only be cut short
            self._log.error("stream failed", path=request.path, exc_info=error)
        finally:
            ended = True
            if overdue is not None:
                overdue.cancel()
            self._streams.discard(task)
            self._custom.discard(stream.custom, end)
            gone.cancel()
            close = getattr(chunks, "aclose", None)
            if close is not None:
                with contextlib.suppress(Exception):
                    await close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
