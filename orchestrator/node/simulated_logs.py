"""Logs of simulated containers: in memory, as entries of the same form as in files."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import Final, Literal

from orchestrator.node._logfiles import BLOCK, LAST_BYTES, LAST_LINES, EntryFormatter, cri_time

LIMIT: Final = 10 * 1024 * 1024
"""Bytes kept of a container's log, the newest: the kubelet's ``containerLogMaxSize``."""
_PART: Final = 16 * 1024
"""Bytes after which a line goes on in the next entry, as container runtimes write them."""

StreamName = Literal["stdout", "stderr"]


class MemoryLog:
    """The log of one attempt of a container; its oldest entries go when there are too many."""

    __slots__ = ("_changed", "_entries", "_first", "_size", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        """Begin empty; ``limit`` is in bytes."""
        self.limit = limit
        self._entries: deque[bytes] = deque()
        self._first = 0
        self._size = 0
        self._changed: asyncio.Event | None = None

    def write(self, text: str, now: float, stream: StreamName = "stdout") -> None:
        """Add the lines of a text.

        Args:
            text: One line or several; the end of the last one may be left out.
            now: Seconds since the epoch.
            stream: Where it was written to.
        """
        head = b"%s %s " % (cri_time(now), stream.encode())
        for line in text.removesuffix("\n").split("\n"):
            data = line.encode("utf-8", "replace")
            for begin in range(0, max(1, len(data)), _PART):
                tag = b"F " if begin + _PART >= len(data) else b"P "
                self._add(head + tag + data[begin : begin + _PART])
        self.wake()

    def _add(self, entry: bytes) -> None:
        self._entries.append(entry)
        self._size += len(entry) + 1
        while self._size > self.limit and len(self._entries) > 1:
            self._size -= len(self._entries.popleft()) + 1
            self._first += 1

    def wake(self) -> None:
        """Let those look again who wait for more: there is more, or there will be none."""
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()

    async def wait_changed(self) -> None:
        """Wait for the next `wake`."""
        if self._changed is None:
            self._changed = asyncio.Event()
        await self._changed.wait()

    def last_words(self) -> str:
        """Return the last 80 lines, of those at most the last 2048 bytes."""
        cursor, formatter, words = MemoryCursor(self), EntryFormatter(), b""
        cursor.seek_tail(LAST_LINES)
        while entries := cursor.read():
            words = (words + formatter.format(entries))[-LAST_BYTES:]
        return words.decode(errors="replace")

    def after(self, place: int) -> tuple[list[bytes], int]:
        """Return about a block of entries from a place on, and the place after them."""
        begin = max(place, self._first)
        found, size = [], 0
        for entry in islice(self._entries, begin - self._first, None):
            found.append(entry)
            size += len(entry)
            if size >= BLOCK:
                break
        return found, begin + len(found)

    @property
    def end(self) -> int:
        """The place after the newest entry."""
        return self._first + len(self._entries)


class MemoryCursor:
    """A place in a `MemoryLog`; what is gone when it comes there is passed over."""

    __slots__ = ("_log", "_place")

    def __init__(self, log: MemoryLog, place: int = 0) -> None:
        """Stand at a place, at first that of the oldest entry."""
        self._log = log
        self._place = place

    def seek_tail(self, lines: int) -> None:
        """Stand before the last ``lines`` entries."""
        self._place = max(0, self._log.end - max(0, lines))

    def read(self) -> list[bytes]:
        """Return the next entries; [] at the end."""
        found, self._place = self._log.after(self._place)
        return found

    async def wait_more(self) -> None:
        """Wait until it is worth reading again."""
        await self._log.wait_changed()

    def close(self) -> None:
        """Nothing to let go of."""
