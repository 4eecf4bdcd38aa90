"""Commands in simulated containers: a task each, and pipes in memory."""

from __future__ import annotations

import asyncio

from actors import get_logger
from orchestrator.node.pipes import MemoryPipe
from orchestrator.node.sessions import SessionError
from orchestrator.node.simulated_commands import Invocation, Program, run_builtin

KILLED = 137
"""Exit code after SIGKILL."""


class SimulatedSession:
    """A command that a function answers; it owns the function's task."""

    def __init__(
        self, asked: Invocation, program: Program | None, *, stdout: bool, stderr: bool
    ) -> None:
        """Start it; to be called on the loop.

        Args:
            asked: The command with its pipes.
            program: Asked first; None, or its None, leaves it to the built-in commands.
            stdout: Whether the output is wanted; else it is dropped.
            stderr: The same for errors.
        """
        self._asked = asked
        self.stdout = asked.stdout if stdout else None
        self.stderr = asked.stderr if stderr and not asked.tty else None
        for pipe, wanted in ((asked.stdout, stdout), (asked.stderr, stderr or asked.tty)):
            if not wanted:
                pipe.close()  # what is written to a closed pipe is dropped
        self._task = asyncio.get_running_loop().create_task(_run(asked, program))
        # Not in the task itself: one that is cancelled before its first step runs nothing.
        self._task.add_done_callback(self._close_pipes)

    @property
    def task(self) -> asyncio.Task[int]:
        """What runs it."""
        return self._task

    async def write(self, data: bytes) -> None:
        """Write to the command's input."""
        await self._asked.stdin.write(data)

    def end_input(self) -> None:
        """Close the command's input; a terminal stays."""
        if not self._asked.tty:
            self._asked.stdin.close()

    def resize(self, columns: int, rows: int) -> None:
        """Nothing: a simulated terminal has no size."""

    async def wait(self) -> int:
        """Return the exit code once the command has ended."""
        await asyncio.wait((self._task,))
        if self._task.cancelled():
            return KILLED if self._asked.command else 0  # who attached was not killed
        error = self._task.exception()
        if error is not None:
            raise SessionError(f"the simulated command failed: {error}") from error
        return self._task.result()

    def kill(self) -> None:
        """End the command."""
        self._task.cancel()

    async def close(self) -> None:
        """End the command and wait until it has."""
        self._task.cancel()
        self._close_pipes()
        await asyncio.wait((self._task,))

    def _close_pipes(self, *_: object) -> None:
        for pipe in (self._asked.stdin, self._asked.stdout, self._asked.stderr):
            pipe.close()


async def _run(asked: Invocation, program: Program | None) -> int:
    try:
        answer = program(asked) if program is not None else None
        return await (run_builtin(asked) if answer is None else answer)
    except Exception as error:
        log = get_logger("orchestrator.node")
        log.warning("a simulated command failed", command=asked.command, exc_info=error)
        raise


def invocation_pipes(*, stdin: bool, tty: bool) -> tuple[MemoryPipe, MemoryPipe, MemoryPipe]:
    """Return pipes for a command's input, output and errors."""
    given, out = MemoryPipe(), MemoryPipe()
    if not stdin:
        given.close()
    return given, out, out if tty else MemoryPipe()
