"""Commands in containers of the process runtime: the daemon's side."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.node.process._descriptors import DescriptorReader, DescriptorWriter
from orchestrator.node.process.supervisor import wire
from orchestrator.node.sessions import (
    AttachRequest,
    CommandNotStartedError,
    ExecRequest,
    NotRunningError,
    SessionError,
)

_ANSWER = 15.0
"""Seconds the supervisor gets for an answer; it answers within milliseconds or is stuck."""
_BUSY = 0.01
"""Seconds to wait when the supervisor has not taken all earlier connections yet."""
_DESCRIPTORS = 4
"""Most descriptors that come with an answer."""
_ERRORS: dict[str, Callable[[str], SessionError]] = {
    "gone": NotRunningError,
    "refused": CommandNotStartedError,
}


class Channel:
    """A connection to the supervisor that is one session's."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket: socket.socket | None = connection
        self._decoder = wire.Decoder()
        self._descriptors: list[int] = []
        self._messages: list[wire.Message] = []
        self._listener: Callable[[wire.Message | None], None] | None = None

    @classmethod
    async def open(cls, directory: Path) -> Channel:
        """Connect; SessionError where there is nobody."""
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            raise SessionError(f"the process supervisor cannot be reached: {error}") from error
        # A socket's path may have 107 bytes at most, so it goes through a descriptor.
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                while True:
                    try:
                        connection.connect(f"/proc/self/fd/{descriptor}/supervisor.sock")
                        return cls(connection)
                    except BlockingIOError:
                        await asyncio.sleep(_BUSY)
            finally:
                os.close(descriptor)
        except OSError as error:
            connection.close()
            raise SessionError(f"the process supervisor cannot be reached: {error}") from error
        except BaseException:
            connection.close()
            raise

    async def ask(self, request: wire.Message) -> tuple[wire.Message, list[int]]:
        """Send the first request; return its answer and the descriptors that came with it."""
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        try:
            await loop.sock_sendall(self._socket, wire.encode(request))
            arrived: asyncio.Future[None] = loop.create_future()

            def note(message: wire.Message | None) -> None:
                if message is not None and "id" not in message:
                    # News for all: to the supervisor, this is no session before it reads on.
                    return
                if not arrived.done():
                    arrived.set_result(None)
                if message is not None:
                    self._messages.append(message)

            self.listen(note)
            await arrived
        except OSError as error:
            raise SessionError(f"the process supervisor went away: {error}") from error
        if not self._messages:
            raise SessionError("the process supervisor went away")
        descriptors, self._descriptors = self._descriptors, []
        return self._messages.pop(0), descriptors

    def listen(self, listener: Callable[[wire.Message | None], None]) -> None:
        """Pass on what comes from now on; None once nothing more can come."""
        first = self._listener is None
        self._listener = listener
        earlier, self._messages = self._messages, []
        for message in earlier:
            listener(message)
        if self._socket is None:
            listener(None)
        elif first:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def _read(self) -> None:
        assert self._socket is not None
        assert self._listener is not None
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._socket, 1 << 16, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
            self._descriptors += descriptors
            messages = self._decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, messages = b"", []
        for message in messages:
            self._listener(message)
        if not data:
            self.close()
            self._listener(None)

    def send(self, message: wire.Message) -> None:
        """Send a short message; a supervisor that is gone needs none."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send(wire.encode(message))

    def close(self) -> None:
        """Disconnect, and close the descriptors that nobody took."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []


class ProcessSession:
    """A command, with the ends of its pipes or its terminal's master."""

    def __init__(
        self,
        channel: Channel,
        stdin: DescriptorWriter | None,
        stdout: DescriptorReader | None,
        stderr: DescriptorReader | None,
        *,
        tty: bool,
        writes: bool,
        is_console: bool = False,
    ) -> None:
        self._writes = writes
        self._is_console = is_console
        self.stdout = stdout
        self.stderr = stderr
        self._channel = channel
        self._stdin = stdin
        self._tty = tty
        self._writing = asyncio.Lock()
        self._ended = asyncio.Event()
        self._code: int | None = None
        channel.listen(self._take)

    def _take(self, message: wire.Message | None) -> None:
        if message is not None and message.get("event") == "ended":
            self._code = int(message["exit_code"])
        elif message is not None:
            if message.get("event") == "input_ended" and self._stdin is not None:
                self._stdin.close()
            return
        for reader in (self.stdout, self.stderr):
            if reader is not None:
                reader.note_end()
        self._ended.set()

    async def write(self, data: bytes) -> None:
        """Write to the program's input."""
        if self._stdin is not None and self._writes:
            async with self._writing:
                await self._stdin.write(data)

    def end_input(self) -> None:
        """Close the program's input; a terminal stays, and a console's may have other writers."""
        if self._stdin is not None and not self._tty:
            self._stdin.close()
            if self._is_console:
                self._channel.send({"op": "end_input"})

    def resize(self, columns: int, rows: int) -> None:
        """Change the terminal's size."""
        if self._tty and self._stdin is not None and self._stdin.descriptor >= 0:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._stdin.descriptor, termios.TIOCSWINSZ, size)

    async def wait(self) -> int:
        """Return the exit code once the command has ended."""
        await self._ended.wait()
        if self._code is None:
            raise SessionError("the process supervisor went away, and the command with it")
        return self._code

    def kill(self) -> None:
        """SIGKILL the command and its process group."""
        if self._code is None:
            self._channel.send({"op": "kill"})

    async def close(self) -> None:
        """Let go of everything; a command that runs is hung up on."""
        for stream in (self._stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self._channel.close()
        self._ended.set()


async def attach(directory: Path, container: str, request: AttachRequest) -> ProcessSession:
    """Ask the supervisor of ``directory`` for a container's streams."""
    wanted = {"stdin": request.stdin, "stdout": request.stdout, "stderr": request.stderr}
    question = {
        "id": 1,
        "op": "attach",
        "container": container,
        "streams": [name for name, given in wanted.items() if given],
    }
    channel, answer, descriptors = await _ask(directory, question)
    ends = _ends(channel, answer["streams"], descriptors)
    # A terminal is given for its size alone where no input is wanted.
    stdin = ends.get("stdin", ends.get("terminal"))
    return ProcessSession(
        channel,
        None if stdin is None else DescriptorWriter(stdin),
        DescriptorReader(ends["stdout"]) if "stdout" in ends else None,
        DescriptorReader(ends["stderr"]) if "stderr" in ends else None,
        tty="terminal" in ends,
        writes=bool(answer["input"]),
        is_console=True,
    )


async def execute(directory: Path, container: str, request: ExecRequest) -> ProcessSession:
    """Ask the supervisor of ``directory`` for a command; see `Runtime.execute`."""
    streams = [
        name
        for name, wanted in (
            ("stdin", request.stdin),
            ("stdout", request.stdout),
            ("stderr", request.stderr),
        )
        if wanted
    ]
    question: dict[str, Any] = {
        "id": 1,
        "op": "exec",
        "container": container,
        "argv": request.command,
        "streams": streams,
        "tty": request.tty,
    }
    channel, _, descriptors = await _ask(directory, question)
    ends = _ends(channel, ["terminal"] if request.tty else streams, descriptors)
    if request.tty:
        master = ends["terminal"]
        return ProcessSession(
            channel,
            DescriptorWriter(os.dup(master)),
            DescriptorReader(master),
            None,
            tty=True,
            writes=request.stdin,
        )
    return ProcessSession(
        channel,
        DescriptorWriter(ends["stdin"]) if "stdin" in ends else None,
        DescriptorReader(ends["stdout"]) if "stdout" in ends else None,
        DescriptorReader(ends["stderr"]) if "stderr" in ends else None,
        tty=False,
        writes=request.stdin,
    )


def _ends(channel: Channel, names: list[str], descriptors: list[int]) -> dict[str, int]:
    """Return descriptors by name; SessionError when the kernel had no room for all of them."""
    if len(descriptors) == len(names):
        return dict(zip(names, descriptors, strict=True))
    channel.close()
    for descriptor in descriptors:
        os.close(descriptor)
    raise SessionError("too many open files: the daemon may have no more descriptors")


async def _ask(directory: Path, question: wire.Message) -> tuple[Channel, wire.Message, list[int]]:
    try:
        async with asyncio.timeout(_ANSWER):
            channel = await Channel.open(directory)
            try:
                answer, descriptors = await channel.ask(question)
            except BaseException:
                channel.close()
                raise
    except TimeoutError:
        raise SessionError("the process supervisor did not answer") from None
    if "error" in answer:
        channel.close()
        raise _ERRORS.get(answer.get("kind", ""), SessionError)(str(answer["error"]))
    return channel, answer["ok"], descriptors
