"""Commands and consoles inside containers: handles on streams that carry their own back-pressure.

Bytes do not travel as messages. Whoever asks a runtime for a command gets a handle: reading is
pulling, so that a program waits while nobody reads, and writing suspends while the program does
not read. Nothing here says where the program runs; a handle on another machine's looks the same.
"""

from __future__ import annotations

from typing import Protocol

from orchestrator.records import dataclass
from orchestrator.resources.objects import Object

CHUNK = 32 * 1024
"""Bytes that one read returns at most: what upstream's servers copy at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A command to run in a container.

    Attributes:
        command: Program and arguments, not a shell's line; the program is looked up in the
            container's ``PATH``.
        stdin: Whether the command reads what is written to the session; else it reads nothing.
        stdout: Whether output is wanted; else it is discarded.
        stderr: The same for errors. With ``tty`` they come with the output.
        tty: Give the command a terminal of its own.
        pod: The pod as the asker sees it, for runtimes that keep nothing of it.
    """

    command: tuple[str, ...]
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False
    pod: Object | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRequest:
    """Which streams of a container's main process are wanted.

    Attributes:
        stdin: Write to it, if the container has ``stdin``.
        stdout: Read what it writes from now on.
        stderr: The same for errors; a container with a ``tty`` has none of its own.
    """

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True


class ReadStream(Protocol):
    """One direction of bytes, for one reader."""

    async def read(self) -> bytes:
        """Return the next bytes, at most `CHUNK`, as soon as there are any; ``b""`` at the end."""


class Session(Protocol):
    """A running command, or a container's console.

    Whoever got it must `close` it, also when cancelled. Nothing waits for ever for a session that
    was closed.

    Attributes:
        stdout: None where it was not asked for.
        stderr: None where it was not asked for, or comes with ``stdout`` (a terminal).
    """

    @property
    def stdout(self) -> ReadStream | None:
        """What the program writes to its output."""

    @property
    def stderr(self) -> ReadStream | None:
        """What the program writes to its errors."""

    async def write(self, data: bytes) -> None:
        """Write to the program's input; suspends while the program does not read.

        What comes after the program's end, or was not asked for, is dropped.
        """

    def end_input(self) -> None:
        """Tell the program that no more input follows; a terminal has no such end."""

    def resize(self, columns: int, rows: int) -> None:
        """Change the terminal's size; without a terminal nothing happens."""

    async def wait(self) -> int:
        """Return the exit code once the program has ended, 128 + n after signal n.

        Of a console: 0 once it has ended or there is nothing more to come. Output may still be
        there to read.

        Raises:
            SessionError: What became of the program is not known.
        """

    def kill(self) -> None:
        """End the command and its process group at once (SIGKILL); a console: nothing."""

    async def close(self) -> None:
        """Let go of all streams; safe to call twice.

        A command that still runs is hung up on (SIGHUP, and SIGKILL two seconds later), as the
        kernel does with a terminal's; a container goes on.
        """


class PortConnection(Protocol):
    """A connection to a port of a pod. Whoever got it must `close` it."""

    async def read(self) -> bytes:
        """Return the next bytes, as soon as there are any; ``b""`` at the end."""

    async def write(self, data: bytes) -> None:
        """Write all of it, as the other side takes it; SessionError when it has closed."""

    def end(self) -> None:
        """Say no more; what the other side says can still be read."""

    async def close(self) -> None:
        """End it in both directions; safe to call twice."""


class SessionError(Exception):
    """A session can't begin or go on; the text is upstream's where upstream has one."""


class NotRunningError(SessionError):
    """The container does not run (any more)."""


class NotConnectedError(SessionError):
    """Nothing was begun, since there is nothing to connect to; the text says all."""


class CommandNotStartedError(SessionError):
    """The command could not be executed; the text is the reason in runc's words."""

    @property
    def in_full(self) -> str:
        """What containerd makes of it, and what a kubelet passes on."""
        return (
            "failed to exec in container: failed to start exec: OCI runtime exec failed: exec "
            f"failed: unable to start container process: {self}: unknown"
        )
