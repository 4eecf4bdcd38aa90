"""Commands and connections that functions answer in simulated containers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from orchestrator.embedded.containers.containers import Container, container_for
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.simulated_commands import Invocation, Program, run_builtin
from orchestrator.node.simulated_ports import Visit
from orchestrator.node.simulated_processes import Exit


class Command:
    """A command in a container, as ``kubectl exec`` or a probe asks for it.

    Attributes:
        argv: Program and arguments.
        container: Where it runs.
        tty: Whether it has a terminal.
    """

    def __init__(self, asked: Invocation, container: Container) -> None:
        """Made for each command."""
        self.argv = list(asked.command)
        self.container = container
        self.tty = asked.tty
        self._asked = asked

    async def read(self) -> bytes:
        """Return the next bytes of its input as soon as there are any; ``b""`` at the end."""
        return await self._asked.stdin.read()

    async def read_all(self) -> str:
        """Return all of its input."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces).decode("utf-8", "replace")

    async def write(self, data: str | bytes) -> None:
        """Write to its output, as it is."""
        await self._asked.stdout.write(_bytes(data))

    async def write_error(self, data: str | bytes) -> None:
        """Write to its errors, as it is."""
        await self._asked.stderr.write(_bytes(data))

    async def sleep(self, seconds: float) -> None:
        """Wait for so much of the cluster's time."""
        await self.container.sleep(seconds)

    def held(self) -> AbstractContextManager[object]:
        """See `Container.held`."""
        return self._asked.clock.held()


ExecFunction: TypeAlias = Callable[[Command], Awaitable[object] | object]
"""Answers a command: with its exit code (None is 0), with a text that it writes and 0, or with
``NotImplemented``, which leaves it to the built-in commands."""


class Connection:
    """A connection to a port of a container.

    Attributes:
        container: Whose port it is.
        port: Which.
    """

    def __init__(self, visit: Visit, container: Container) -> None:
        """Made for each connection."""
        self.container = container
        self.port = visit.port
        self._incoming: MemoryPipe = visit.incoming
        self._outgoing: MemoryPipe = visit.outgoing

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; ``b""`` at the end."""
        return await self._incoming.read()

    async def write(self, data: str | bytes) -> None:
        """Write; the other side gets it as it reads."""
        await self._outgoing.write(_bytes(data))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over what comes, until the end."""
        while data := await self.read():
            yield data


PortFunction: TypeAlias = Callable[[Connection], Awaitable[object]]
"""Serves a connection, which is closed when it returns."""


def program_of(function: ExecFunction) -> Program:
    """Return what answers commands by a user's function."""

    async def run(asked: Invocation) -> int:
        assert asked.process is not None, "who answers stands behind an image"
        command = Command(asked, container_for(asked.process))
        try:
            answer = function(command)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exit as error:
            return error.code & 0xFF
        except Exception as error:  # noqa: BLE001 - who asked for the command sees it
            await command.write_error(f"{type(error).__name__}: {error}\n")
            return 1
        if answer is NotImplemented:
            return await run_builtin(asked)
        if isinstance(answer, str | bytes):
            await command.write(answer)
            return 0
        if answer is None or isinstance(answer, int):
            return int(answer or 0) & 0xFF
        await command.write_error(f"the function returned {answer!r}, which is no exit code\n")
        return 1

    return lambda asked: run(asked) if asked.command else None


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
