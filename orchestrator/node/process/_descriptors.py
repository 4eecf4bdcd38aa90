"""Pipes and terminals on the event loop, read and written as the other end keeps up.

asyncio's own pipe transports push what arrives; these pull, which is what passes a reader's pace
on to the program. They also work for terminals under uvloop.
"""

from __future__ import annotations

import asyncio
import errno
import os

from orchestrator.node.sessions import CHUNK

_LINGER = 0.5
"""Seconds without a byte after which the output of an ended program is taken as complete: what it
left running may hold its pipes open for ever."""


class DescriptorReader:
    """Reads one descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; ``b""`` at the end."""
        while self._descriptor >= 0:
            try:
                return os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                if not await self._readable():
                    return b""
            except OSError as error:
                if error.errno == errno.EIO:  # a terminal that nobody has open any more
                    return b""
                raise
        return b""

    async def _readable(self) -> bool:
        """Wait for bytes; False when the program has ended and none came."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        descriptor, ended = self._descriptor, self._ended
        loop.add_reader(descriptor, self._wake)
        try:
            async with asyncio.timeout(_LINGER if ended else None):
                await waiting
        except TimeoutError:
            return False
        finally:
            if self._descriptor == descriptor:
                loop.remove_reader(descriptor)
            self._waiting = None
        return True

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def note_end(self) -> None:
        """Say that the program has ended: what comes is what is still in the pipe."""
        self._ended = True
        self._wake()

    def close(self) -> None:
        """Close; a waiting reader gets the end."""
        if self._descriptor >= 0:
            if self._waiting is not None:
                self._waiting.get_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        self._wake()


class DescriptorWriter:
    """Writes one descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._waiting: asyncio.Future[None] | None = None

    @property
    def descriptor(self) -> int:
        """The descriptor, or -1 once closed."""
        return self._descriptor

    async def write(self, data: bytes) -> None:
        """Write all of it; what nobody reads any more is dropped."""
        view = memoryview(data)
        while view and self._descriptor >= 0:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await self._writable()
            except OSError:  # EPIPE, or EIO of a terminal: the program has ended
                self.close()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        descriptor = self._descriptor
        loop.add_writer(descriptor, self._wake)
        try:
            await waiting
        finally:
            if self._descriptor == descriptor:
                loop.remove_writer(descriptor)
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Close; a waiting writer gives up."""
        if self._descriptor >= 0:
            if self._waiting is not None:
                self._waiting.get_loop().remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        self._wake()
