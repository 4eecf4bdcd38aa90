"""A pipe in memory: bounded, for one writer and one reader of the same loop."""

from __future__ import annotations

import asyncio

from orchestrator.node.sessions import CHUNK

CAPACITY = 64 * 1024
"""Bytes that wait for a reader before the writer has to: what a Linux pipe holds."""


class MemoryPipe:
    """Bytes from a writer to a reader; each waits for the other."""

    __slots__ = ("_buffer", "_changed", "_closed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        """Whether no more is written."""
        return self._closed

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; ``b""`` at the end."""
        while not self._buffer and not self._closed:
            await self._change()
        data = bytes(self._buffer[:CHUNK])
        del self._buffer[:CHUNK]
        self._note()
        return data

    async def write(self, data: bytes) -> None:
        """Write all of it, as the reader keeps up; after the end it is dropped."""
        rest = memoryview(data)
        while rest and not self._closed:
            room = CAPACITY - len(self._buffer)
            if room <= 0:
                await self._change()
                continue
            self._buffer += rest[:room]
            rest = rest[room:]
            self._note()

    def close(self) -> None:
        """End it: a reader gets what is left and then the end, a writer waits no more."""
        self._closed = True
        self._note()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()
