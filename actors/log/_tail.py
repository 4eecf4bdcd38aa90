"""Waiting for the log to grow."""

from __future__ import annotations

import asyncio


class Tail:
    """The end of a log, which subscribers wait at. Waking them never suspends the writer."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    async def wait_growth(self) -> None:
        """Wait until the log has grown or closed since this call."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def wake(self) -> None:
        """Let all who wait look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
