"""Ports of simulated pods: answered by a caller's functions, if at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from actors import get_logger
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.sessions import SessionError
from orchestrator.resources.objects import Object

if TYPE_CHECKING:
    from orchestrator.node.simulated_processes import SimulatedProcess


class Visit(NamedTuple):
    """A connection to a simulated pod.

    Attributes:
        pod: The pod.
        port: The port that was asked for.
        incoming: What the other side sends; read it.
        outgoing: Write here what it gets.
        process: Main process of the container that listens, None where that is not known.
    """

    pod: Object
    port: int
    incoming: MemoryPipe
    outgoing: MemoryPipe
    process: SimulatedProcess | None = None


Server: TypeAlias = Callable[[Visit], Awaitable[None] | None]
"""Serves a connection until it returns; None refuses it, as when nobody listens."""


class SimulatedConnection:
    """A connection that a function answers; it owns the function's task."""

    def __init__(self, visit: Visit, answer: Awaitable[None]) -> None:
        self._visit = visit
        self._answer = answer
        self._task = asyncio.ensure_future(_serve(visit, answer))
        self._task.add_done_callback(self._end)

    async def read(self) -> bytes:
        """Return what the function wrote; ``b""`` at the end."""
        return await self._visit.outgoing.read()

    async def write(self, data: bytes) -> None:
        """Write, as the function reads."""
        if self._visit.incoming.is_closed:
            raise SessionError("write tcp: broken pipe")
        await self._visit.incoming.write(data)

    def end(self) -> None:
        """Say no more."""
        self._visit.incoming.close()

    async def close(self) -> None:
        """End the function, and wait until it has ended."""
        self._task.cancel()
        self._end()
        await asyncio.wait((self._task,))

    def _end(self, *_: object) -> None:
        self._visit.incoming.close()
        self._visit.outgoing.close()
        if self._task.done() and isinstance(self._answer, Coroutine):
            self._answer.close()  # of one that was cancelled before its first step


async def _serve(visit: Visit, answer: Awaitable[None]) -> None:
    try:
        await answer
    except Exception as error:
        log = get_logger("orchestrator.node")
        log.warning("a simulated server failed", port=visit.port, exc_info=error)


def connect(
    server: Server, pod: Object, port: int, process: SimulatedProcess | None = None
) -> SimulatedConnection | None:
    """Let ``server`` answer a new connection; None when it refuses."""
    visit = Visit(pod, port, MemoryPipe(), MemoryPipe(), process)
    answer = server(visit)
    return None if answer is None else SimulatedConnection(visit, answer)
