"""Deadlines of asks: exact, and far cheaper than a loop timer each.

Asks with the same timeout fall due in the order they were made, so one insertion-ordered
dictionary for each timeout is a queue from which an answered ask can be taken out at once, and
one loop timer, set for the oldest, serves all of them. (A ``call_later`` for each ask was a
third of the cost of asking.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Expire = Callable[[float], BaseException]


class Deadlines:
    """All asks with one timeout that are not answered yet."""

    __slots__ = ("_group", "_timeout", "_timer", "loop", "waiting")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeout: float, group: dict[float, Deadlines]
    ) -> None:
        self.loop = loop
        self.waiting: dict[asyncio.Future[Any], tuple[float, Expire]] = {}
        self._timeout = timeout
        self._group = group
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], expire: Expire) -> None:
        """Fail the future with ``expire(timeout)`` when its time has come.

        Whoever added it takes it out of ``waiting`` when it is done.
        """
        due = self.loop.time() + self._timeout
        self.waiting[future] = (due, expire)
        if self._timer is None:
            self._timer = self.loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        now = self.loop.time()
        late: list[tuple[asyncio.Future[Any], Expire]] = []
        for future, (due, expire) in self.waiting.items():
            if due > now:
                self._timer = self.loop.call_at(due, self._sweep)
                break
            late.append((future, expire))
        else:
            self._timer = None
            self._group.pop(self._timeout, None)
        for future, expire in late:
            del self.waiting[future]
            if not future.done():
                future.set_exception(expire(self._timeout))

    def close(self) -> None:
        """Set no more timers; what waits is answered in another way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
