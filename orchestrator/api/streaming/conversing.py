"""Between a client and a command: bytes both ways at the slower one's pace, then how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.api.streaming.channels import CLOSE, RESIZE, STDERR, STDIN, STDOUT, Piece
from orchestrator.api.streaming.upgrades import IDLE_SECONDS
from orchestrator.node.sessions import (
    CommandNotStartedError,
    NotConnectedError,
    ReadStream,
    Session,
    SessionError,
)
from orchestrator.resources.errors import internal_error
from orchestrator.resources.objects import Object

_LOOK: Final = 10.0
"""Seconds between looks at whether a client whose input waits has left, or all is silent."""

SUCCESS: Final[Object] = {"metadata": {}, "status": "Success"}


class Ends(Protocol):
    """The client's side."""

    async def send(self, channel: int, data: bytes) -> None:
        """Send to a channel, as the client takes it; OSError when it has left."""

    async def receive(self) -> Piece | None:
        """Return what the client says next; None once it has left."""

    async def finish(self, status: Object) -> None:
        """Say how it ended, and end the connection."""

    def is_gone(self) -> bool:
        """Tell whether the client has left, also while nothing is received."""

    def nudge(self) -> None:
        """Send something harmless, so that a client that has left is noticed."""


class Conversation(NamedTuple):
    """What is talked about.

    Attributes:
        begin: Starts the command, or attaches.
        failed: Begins the sentence when that fails.
        describe: How the command is called in the sentence about its exit code.
    """

    begin: Callable[[], Awaitable[Session]]
    failed: str
    describe: str


class _Silence:
    """Tells how long nothing was said.

    Attributes:
        held: Whether the program does not take what the client says: it is not read from then.
    """

    def __init__(self) -> None:
        self.held = False
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    def end(self) -> None:
        self._since = self._loop.time()

    def seconds(self) -> float:
        return self._loop.time() - self._since


async def converse(about: Conversation, ends: Ends) -> None:
    """Hold a conversation to its end; a client that leaves ends the session.

    Raises:
        OSError: The client left.
    """
    try:
        session = await about.begin()
    except SessionError as error:
        await ends.finish(failure_of(about, error))
        return
    silence = _Silence()
    taking = asyncio.create_task(_take(ends, session, silence))
    giving = asyncio.create_task(_give(ends, session, silence))
    try:
        if not await _wait(taking, giving, ends, silence):
            return
        try:
            status = exit_status(giving.result(), about.describe)
        except SessionError as error:
            status = failure_of(about, error)
        await ends.finish(status)
    finally:
        taking.cancel()
        giving.cancel()
        await asyncio.gather(taking, giving, return_exceptions=True)
        await session.close()


async def _wait(
    taking: asyncio.Task[None], giving: asyncio.Task[int], ends: Ends, silence: _Silence
) -> bool:
    """Wait for the end; True when it is the command's and not the client's."""
    while not giving.done():
        if taking.done() or ends.is_gone() or silence.seconds() > IDLE_SECONDS:
            return False
        if silence.held:
            ends.nudge()
        await asyncio.wait((taking, giving), timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
    return True


async def _take(ends: Ends, session: Session, silence: _Silence) -> None:
    """Pass on what the client says, until it leaves."""
    while (piece := await ends.receive()) is not None:
        silence.end()
        if piece.channel == STDIN:
            silence.held = True
            await session.write(piece.data)
            silence.held = False
        elif piece.channel == RESIZE:
            if (size := parse_size(piece.data)) is not None:
                session.resize(*size)
        elif piece.channel == CLOSE and piece.data[:1] == bytes((STDIN,)):
            session.end_input()


async def _give(ends: Ends, session: Session, silence: _Silence) -> int:
    """Pass on what the program says, until it has ended; return its exit code."""

    async def pump(stream: ReadStream | None, channel: int) -> None:
        while stream is not None and (data := await stream.read()):
            await ends.send(channel, data)
            silence.end()

    pumps = [
        asyncio.create_task(pump(session.stdout, STDOUT)),
        asyncio.create_task(pump(session.stderr, STDERR)),
    ]
    try:
        await asyncio.gather(*pumps)
        return await session.wait()
    finally:
        for task in pumps:
            task.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


def parse_size(data: bytes) -> tuple[int, int] | None:
    """Read ``{"Width": columns, "Height": rows}``; None for what is none, or has no extent."""
    try:
        size: Any = json.loads(data)
        columns, rows = int(size["Width"]), int(size["Height"])
    except (ValueError, TypeError, KeyError):
        return None
    return (columns, rows) if 0 < columns < 1 << 16 and 0 < rows < 1 << 16 else None


def exit_status(code: int, command: str) -> Object:
    """Return the ``Status`` that ends a command; kubelet's words, containerd's inside."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: error executing command "
        f"{command}, exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_of(about: Conversation, error: SessionError) -> Object:
    """Return the ``Status`` of what could not begin or go on."""
    text = error.in_full if isinstance(error, CommandNotStartedError) else str(error)
    # What could not be connected to never reached the node, whose word for it the prefix is.
    prefix = "" if isinstance(error, NotConnectedError) or not about.failed else f"{about.failed}: "
    status = internal_error(f"{prefix}{text}").status()
    return {key: value for key, value in status.items() if key not in ("kind", "apiVersion")}
