"""The only module that reads the clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable


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

    def held(self) -> contextlib.AbstractContextManager[object]:
        """Work inside takes real time, in a thread or over a socket: no other time passes."""


_NOT_HELD: Final = contextlib.nullcontext()


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

    def held(self) -> contextlib.AbstractContextManager[object]:
        """Real time cannot be held: this changes nothing."""
        return _NOT_HELD
