"""The daemon's side of the supervisor's socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.node.process.supervisor import wire
from orchestrator.node.runtime import RuntimeUnavailableError

_SCRIPT = Path(__file__).with_name("supervisor")
_ANSWER = 15.0
"""Seconds the supervisor gets for an answer; it answers within milliseconds or is stuck."""
_START = 20.0
"""Seconds it gets to start, most of them for ending what a killed one left behind."""

_ATTEMPTS = 300
_PAUSE = 0.05
"""How often, and after how many seconds each, a supervisor that runs is tried again."""
_LAUNCH_EVERY = 10
"""Attempts after which it is asked again whether one runs at all."""


class RefusedError(Exception):
    """The supervisor said no; the text is its reason."""


class DisconnectedError(Exception):
    """The connection ended before the answer came."""


class SupervisorClient:
    """One connection; `connect` starts the supervisor when it does not run."""

    def __init__(
        self,
        directory: Path,
        *,
        on_exit: Callable[[wire.Message], None],
        on_lost: Callable[[], None],
        hold: str = "",
    ) -> None:
        """Prepare.

        Args:
            directory: The supervisor's own; made when missing.
            on_exit: Called with the record of each container that ended.
            on_lost: Called once when the connection ends without `close`.
            hold: Abstract socket name that a supervisor started here holds while it lives.
        """
        self._directory = directory.absolute()
        self._hold = hold
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self.pid = 0

    async def connect(self) -> None:
        """Connect, starting the supervisor first where none listens.

        Raises:
            RuntimeUnavailableError: It cannot be started or does not answer.
        """
        try:
            reader, writer = await self._open()
        except OSError:
            reader, writer = await self._launch_and_open()
        self._writer = writer
        self._reader = asyncio.get_running_loop().create_task(self._read(reader))
        hello = await self.ask({"op": "hello"})
        self.pid = int(hello["pid"])

    async def _launch_and_open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Start a supervisor, or wait for the one that holds the directory.

        That one may be ending, or listen anew because its socket was removed, or have been
        started by a daemon that was killed and still be ending what its predecessor left.
        """
        problem: OSError | None = None
        for attempt in range(_ATTEMPTS):
            if attempt % _LAUNCH_EVERY == 0:
                await self._launch()
            try:
                return await self._open()
            except OSError as error:
                problem = error
                await asyncio.sleep(_PAUSE)
        raise RuntimeUnavailableError(
            f"the process supervisor of {self._directory} runs but does not take "
            f"connections ({problem}): end it, then start again"
        ) from problem

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # A socket's path may have 107 bytes at most, so it goes through a descriptor.
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return await asyncio.open_unix_connection(f"/proc/self/fd/{descriptor}/supervisor.sock")
        finally:
            os.close(descriptor)

    async def _launch(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_SCRIPT)),
            *("--directory", str(self._directory), "--hold", self._hold),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START):
                _, problem = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            problem = b"it was not ready in time"
        if process.returncode != 0:
            raise RuntimeUnavailableError(
                f"the process supervisor of {self._directory} did not start: "
                f"{problem.decode(errors='replace').strip()}"
            )

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = wire.Decoder()
        try:
            while data := await reader.read(1 << 18):
                for message in decoder.feed(data):
                    self._take(message)
        except (OSError, ValueError):
            pass
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self._fail_waiting()
            self._on_lost()

    def _take(self, message: wire.Message) -> None:
        if message.get("event") == "exited":
            self._on_exit(message["container"])
            return
        future = self._waiting.pop(message.get("id", -1), None)
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(RefusedError(message["error"]))
        else:
            future.set_result(message["ok"])

    def _fail_waiting(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(DisconnectedError("the process supervisor went away"))

    @property
    def is_connected(self) -> bool:
        """Whether requests can be made."""
        return self._writer is not None

    async def ask(self, request: wire.Message) -> Any:
        """Send a request and wait for the answer.

        Raises:
            RefusedError: The supervisor's error.
            DisconnectedError: The connection is gone; whether the request took effect is unknown.
        """
        if self._writer is None:
            raise DisconnectedError("the process supervisor is not connected")
        self._next += 1
        number = self._next
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._writer.write(wire.encode({"id": number, **request}))
            async with asyncio.timeout(_ANSWER):
                return await future
        except TimeoutError:
            raise DisconnectedError("the process supervisor did not answer") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Disconnect; the supervisor and its containers go on."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self._fail_waiting()

    async def wait_gone(self, seconds: float) -> bool:
        """Wait until the supervisor has ended the connection; False when it has not in time."""
        if self._reader is None:
            return True
        done, _ = await asyncio.wait((self._reader,), timeout=seconds)
        return bool(done)
