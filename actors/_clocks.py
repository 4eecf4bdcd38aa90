"""The only module that reads the clock."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable


class TimerHandle(Protocol):
    """A callback that is due later."""

    def cancel(self) -> None:
        """Forget it; does nothing when it has already run."""


@runtime_checkable
class Clock(Protocol):
    """Where an actor system takes its time from."""

    def now(self) -> float:
        """Seconds since the epoch, as a person would tell the time."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Suspend for that long."""

    def call_later(self, seconds: float, callback: Callable[..., None], *args: Any) -> TimerHandle:
        """Run ``callback(*args)`` on the loop after that long."""


class RealClock:
    """The time of the running event loop.

    It belongs to the loop on which it is first used. On a loop of ``actors.testing`` that is
    virtual time, for ``now`` as well: such a loop has an attribute ``epoch``, the moment at
    which its own time was 0.
    """

    __slots__ = ("_epoch", "_loop")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._epoch: float | None = None

    def _running(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            self._epoch = getattr(loop, "epoch", None)
        return loop

    def now(self) -> float:
        """Seconds since the epoch; may jump when the machine's clock is set."""
        if self._loop is None:
            try:
                self._running()
            except RuntimeError:  # asked outside of any loop
                return time.time()
        if self._epoch is None or self._loop is None:
            return time.time()
        return self._epoch + self._loop.time()

    def monotonic(self) -> float:
        """The loop's own time, in seconds."""
        return self._running().time()

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[..., None], *args: Any) -> TimerHandle:
        """Run the callback on the loop after that many seconds."""
        return self._running().call_later(seconds, callback, *args)


class _VirtualTimer:
    __slots__ = ("args", "callback", "cancelled")

    def __init__(self, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.cancelled = False

    def cancel(self) -> None:
        """Forget it."""
        self.cancelled = True


class VirtualClock:
    """A clock that stands still until told to advance, on a real event loop.

    For a system that has sockets or threads and still wants to pass a day in milliseconds.
    """

    __slots__ = ("_now", "_numbers", "_start", "_timers")

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        """Start at that many seconds since the epoch (by default 2026-01-01T00:00:00Z)."""
        self._start = start
        self._now = 0.0
        self._timers: list[tuple[float, int, _VirtualTimer]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + self._now

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Suspend until somebody has advanced the clock that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, _wake, future)
        try:
            await future
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[..., None], *args: Any) -> TimerHandle:
        """Run the callback during the ``advance`` that passes that moment."""
        timer = _VirtualTimer(callback, args)
        heapq.heappush(self._timers, (self._now + max(0.0, seconds), next(self._numbers), timer))
        return timer

    async def advance(self, seconds: float, *, settle: int = 20) -> None:
        """Let that much time pass, timer by timer in the order they are due.

        After each timer the loop gets ``settle`` turns, so that what the timer set in motion can
        set further timers inside the same span. Work in threads or sockets is not waited for.
        """
        end = self._now + seconds
        await self._settle(settle)
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self._now = max(self._now, due)
            timer.callback(*timer.args)
            await self._settle(settle)
        self._now = end
        await self._settle(settle)

    @staticmethod
    async def _settle(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
