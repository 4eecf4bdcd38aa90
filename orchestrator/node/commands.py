"""Running a command in a container to its end: what exec probes and hooks need."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from actors import Clock
from orchestrator.node.runtime import Runtime
from orchestrator.node.sessions import ExecRequest, ReadStream

OUTPUT_LIMIT = 10 * 1024
"""Bytes of output that are kept, the kubelet's ``maxReadLength`` of probes."""


class CommandResult(NamedTuple):
    """How a command ended.

    Attributes:
        exit_code: 128 + n after signal n; None when the time was up first.
        output: What it wrote to stdout and stderr, in the order in which it came, cut to the limit.
    """

    exit_code: int | None
    output: bytes


async def run_command(
    runtime: Runtime,
    container: str,
    command: tuple[str, ...],
    *,
    clock: Clock,
    seconds: float,
    limit: int = OUTPUT_LIMIT,
) -> CommandResult:
    """Run a command and return its end; one that takes too long is killed.

    Args:
        runtime: What runs the container.
        container: Its id.
        command: Program and arguments.
        clock: Counts ``seconds``.
        seconds: After which the command is killed.
        limit: Bytes of output to keep; what comes after them is read and dropped.

    Raises:
        SessionError: It could not be started, or what became of it is not known.
    """
    session = await runtime.execute(container, ExecRequest(command=command))
    kept = bytearray()

    async def keep(stream: ReadStream | None) -> None:
        while stream is not None and (data := await stream.read()):
            kept.extend(data[: limit - len(kept)])

    async def finish() -> int:
        await asyncio.gather(keep(session.stdout), keep(session.stderr))
        return await session.wait()

    overdue = False

    def expire() -> None:
        nonlocal overdue
        overdue = True
        running.cancel()

    running = asyncio.get_running_loop().create_task(finish())
    alarm = clock.call_later(seconds, expire)
    try:
        code: int | None = await running
    except asyncio.CancelledError:
        me = asyncio.current_task()
        if not overdue or (me is not None and me.cancelling()):
            raise
        code = None
    finally:
        alarm.cancel()
        running.cancel()
        session.kill()
        await asyncio.gather(running, return_exceptions=True)
        await session.close()
    return CommandResult(code, bytes(kept))
