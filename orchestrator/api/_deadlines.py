"""Deadlines of requests, which nearly all of them meet: one timer for many.

``asyncio.timeout`` sets and cancels a timer of the loop each time. Requests with the same patience
fall due in the order they came, so one insertion-ordered dictionary is their queue, from which one
that is done is taken out at once, and one timer, set for the oldest, serves all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlines:
    """Everything that has the same number of seconds to be done. Belongs to one event loop."""

    def __init__(self, seconds: float) -> None:
        """Give everything ``seconds``."""
        self.seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Awaitable[T]) -> T:
        """Await ``work``, and cancel it when its time is up. Not to be nested.

        Raises:
            TimeoutError: It took too long.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        due = self._due[task] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._sweep, loop)
        try:
            return await work
        except asyncio.CancelledError:
            # Somebody else may have cancelled it at the same time, which then goes first.
            if task in self._late and task.cancelling() == 1:
                raise TimeoutError from None
            raise
        finally:
            if self._due.pop(task, None) is None:
                self._late.discard(task)
                task.uncancel()

    def close(self) -> None:
        """Set no more timers until there is something new."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = None
        while self._due:
            task, due = next(iter(self._due.items()))
            if due > now:
                self._timer = loop.call_at(due, self._sweep, loop)
                return
            del self._due[task]
            self._late.add(task)
            task.cancel()
