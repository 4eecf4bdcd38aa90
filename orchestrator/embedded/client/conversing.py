"""Commands in containers, over the API and without a socket: a WebSocket's messages as they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from orchestrator.api.streaming.channels import (
    CLOSE,
    ERROR,
    STDERR,
    STDIN,
    STDOUT,
    V5,
    decode_piece,
    encode_piece,
)
from orchestrator.embedded.client.calls import error_from, error_of

if TYPE_CHECKING:
    from orchestrator.api.server import Application

PROTOCOL: Final = V5.name


class CommandResult(NamedTuple):
    """What became of a command in a container.

    Attributes:
        exit_code: 0 when it succeeded.
        stdout: All it wrote.
        stderr: Its errors.
    """

    exit_code: int
    stdout: str
    stderr: str


class Conversation:
    """A client that says all it has to say, and listens to the end."""

    def __init__(self, stdin: bytes | None) -> None:
        """Have something to say, or nothing: None."""
        self._says = _said(stdin)
        self._heard: dict[int, bytearray] = defaultdict(bytearray)
        self._status: int | None = None
        self._refusal = bytearray()

    async def hold(self, app: Application, scope: dict[str, Any]) -> CommandResult:
        """Ask an application, and return what came of it.

        Raises:
            StatusError: The API refused, or the command could not be started.
            ConnectionResetError: A fault made it break.
        """
        await app(scope, self._receive, self._send)
        if self._status is not None:
            raise error_of(self._status, bytes(self._refusal))
        return CommandResult(self._exit_code(), self._text(STDOUT), self._text(STDERR))

    async def _receive(self) -> dict[str, Any]:
        with contextlib.suppress(StopIteration):
            return next(self._says)
        never: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await never  # this client does not leave

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.http.response.start":
            self._status = message["status"]
        elif message["type"] == "websocket.http.response.body":
            self._refusal += message.get("body", b"")
        elif message["type"] == "websocket.send":
            piece = decode_piece(V5, message)
            if piece is not None:
                self._heard[piece.channel] += piece.data

    def _exit_code(self) -> int:
        status = orjson.loads(self._heard[ERROR] or b"{}")
        if status.get("status") == "Success":
            return 0
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                return int(cause["message"])
        raise error_from(status or {"message": "the connection ended before the command did"})

    def _text(self, channel: int) -> str:
        return self._heard[channel].decode("utf-8", "replace")


def _said(stdin: bytes | None) -> Iterator[dict[str, Any]]:
    yield {"type": "websocket.connect"}
    if stdin is not None:
        for channel, data in ((STDIN, stdin), (CLOSE, bytes((STDIN,)))):
            yield {**encode_piece(V5, channel, data), "type": "websocket.receive"}
