"""Running evaluations without holding up the loop.

Most take microseconds and run where they are. One that turns out to be long is broken off and done
again in a thread, which is right since evaluations change nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

PATIENCE: Final = 20_000
"""Units of cost that may be spent in the loop: some milliseconds."""
_Result = TypeVar("_Result")
Threads = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function in a thread."""


class TooLongError(Exception):
    """An evaluation that is too long for the loop."""


class Evaluator:
    """Runs evaluations in the loop, and long ones in a thread."""

    def __init__(self, threads: Threads = asyncio.to_thread) -> None:
        """Prepare.

        Args:
            threads: Runs a function in a thread; clusters on a virtual clock run it at once.
        """
        self._threads = threads
        # Threads share the interpreter: more of them would only slow the loop down.
        self._room = asyncio.Semaphore(2)

    async def evaluate(self, decide: Callable[[int | None], _Result]) -> _Result:
        """Return what ``decide`` makes of patience: `PATIENCE` in the loop, None in a thread."""
        try:
            return decide(PATIENCE)
        except TooLongError:
            async with self._room:
                result: _Result = await self._threads(lambda: decide(None))
                return result
