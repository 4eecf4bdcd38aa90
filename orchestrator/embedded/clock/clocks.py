"""The clock of an embedded cluster: real, moved by hand, or moved by whoever waits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import inspect
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, Literal, TypeAlias

from actors import Clock, RealClock, VirtualClock
from orchestrator.embedded.arguments import number_of, span_of
from orchestrator.embedded.clock.lingering import RATE, Lingering, pass_by_itself
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.presence import Presence
from orchestrator.embedded.turns import end_task
from orchestrator.embedded.webhooks.answering import asked_of, refuse_to_wait

Mode: TypeAlias = Literal["real", "manual", "auto"]
"""``real``: time passes by itself. ``manual``: it stands until told to advance. ``auto``: it moves
to the next thing that is due whenever all is at rest and somebody waits."""

_IDLE: Final = 0.001
"""Real seconds between looks whether something is due, while somebody waits for what is not."""

_LONGEST: Final = 1e11
"""Seconds that may pass at once: some 3,000 years."""
_LOOKS: Final = 60
"""Times that a condition is asked at least, by which it may be late where nothing happens."""
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


def make_clock(mode: Mode, epoch: float | None) -> tuple[Clock, bool]:
    """Return the clock for a mode on the running loop, and whether who waits has to move it.

    A loop whose own time is virtual (`actors.testing`) already moves by itself: on it, ``auto`` is
    the loop's time.

    Args:
        mode: How time passes.
        epoch: Where it begins, in seconds since 1970; None for now.
    """
    loop = asyncio.get_running_loop()
    virtual = hasattr(loop, "epoch")
    if mode == "real" or (mode == "auto" and virtual):
        if epoch is not None and not virtual:
            raise ClusterError(
                "a cluster on real time begins now: leave epoch out, or choose time='manual'"
            )
        if epoch is not None:
            loop.epoch = epoch - loop.time()  # type: ignore[attr-defined] # a virtual one has it
        return RealClock(), False
    return VirtualClock(RealClock().now() if epoch is None else epoch), mode == "auto"


def _span(seconds: float, minutes: float, hours: float, days: float) -> float:
    """Add up a time to pass; one part may be taken from another."""
    parts = ((seconds, 1), (minutes, 60), (hours, _HOUR), (days, _DAY))
    span = sum(number_of(given, "advance") * unit for given, unit in parts)
    if span > _LONGEST:
        raise ValueError(f"advance: {span:.0f} seconds go beyond all dates (the year 9999)")
    return span_of(span, "advance")


def _running_task() -> asyncio.Task[Any] | None:
    """Return who runs; None in a thread of its own."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class ClusterClock:
    """Tells a cluster's time, and moves it.

    Attributes:
        mode: How time passes.
        lingering: Waits in both times, where clients outside live in the other one.
    """

    def __init__(self, clock: Clock, mode: Mode, presence: Presence) -> None:
        """Wrap a clock from `make_clock`, of a cluster that lives so long."""
        self.mode: Mode = mode
        self.lingering: Lingering | None = None
        self._clock = clock
        self._presence = presence
        self._waiting = 0
        self._someone = asyncio.Event()
        self._holding: Counter[asyncio.Task[Any] | None] = Counter()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now()

    @property
    def time(self) -> dt.datetime:
        """The same as a moment in UTC."""
        return dt.datetime.fromtimestamp(self.now(), dt.UTC)

    async def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass, and everything that falls due in it happen.

        On real time this waits.

        Raises:
            ValueError: The time is negative, or without an end.
        """
        span = _span(seconds, minutes, hours, days)
        async with self._presence.lasting():
            if isinstance(self._clock, VirtualClock):
                self._refuse_standing()
                await self._clock.advance(span)
            else:
                await self._clock.sleep(span)

    async def advance_until(
        self,
        condition: Callable[[], Any],
        *,
        seconds: float = 0.0,
        minutes: float = 0.0,
        hours: float = 0.0,
        days: float = 0.0,
    ) -> Any:
        """Let time pass until something holds, at most so long (an hour, if nothing is said).

        The condition is asked at each moment at which something happens, when all has come to
        rest, and sixty times at least, since it may be about the time. It may be an async function,
        such as one that asks the API; time stands until it answers. When that time is over and
        clients outside may still act, it goes on in real time.

        Returns:
            What the condition said: something true, as soon as it was.

        Raises:
            TimeoutError: It did not hold within that time.
        """
        if not callable(condition):
            raise TypeError(f"give a function that says when to end, not {condition!r}")
        span = _span(seconds, minutes, hours, days) or _HOUR
        async with self._presence.lasting():
            if isinstance(self._clock, VirtualClock):
                found = await self.until(condition, span, _LOOKS)
            else:
                found = await self._poll(condition, span)
        if not found:
            raise TimeoutError(
                f"the condition did not hold within {span:g} s of the cluster's time"
            )
        return found

    async def until(self, condition: Callable[[], Any], seconds: float, looks: int = 1) -> Any:
        """Do as `advance_until`, but return what the condition said last when it never held."""
        self._refuse_standing()
        clock = self._clock
        assert isinstance(clock, VirtualClock), "real time is not moved"
        if self.lingering is not None:
            return await self.lingering.until(condition, seconds, looks)
        return await clock.advance_until(condition, within=seconds, looks=looks)

    @contextlib.asynccontextmanager
    async def running(self, rate: float = RATE) -> AsyncIterator[None]:
        """Let time pass by itself while the block is at work; on real time it does so anyway.

        For a block that waits, in real time, for a client which waits for the cluster: a
        ``kubectl rollout status``, a library's own ``wait``. What falls due happens in order, and
        clients outside get their turns as when time is advanced.

        Args:
            rate: Seconds of the cluster's time in a real second, at most.
        """
        self._presence.require_here()
        if span_of(rate, "rate") == 0:
            raise ValueError("rate: at 0 no time would pass; clock.held() lets it stand")
        if not isinstance(self._clock, VirtualClock):
            yield
            return
        passing = asyncio.create_task(pass_by_itself(self._clock, rate), name="cluster-time")
        try:
            yield
        finally:
            await end_task(passing)

    def held(self) -> contextlib.AbstractContextManager[Any]:
        """Let no time pass while the block is at work in real time, in a thread or a socket.

        For code of a test or an operator that others cannot see being busy. The block itself can't
        advance, or wait for what takes time.
        """
        return self._held_by(_running_task())

    @contextlib.contextmanager
    def _held_by(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        self._holding[task] += 1
        try:
            with self._clock.held():
                yield
        finally:
            self._holding[task] -= 1
            self._holding += Counter()  # forgets those that are done

    def _refuse_standing(self) -> None:
        """Refuse to wait for time where it cannot pass before the caller goes on."""
        refuse_to_wait()
        if self._holding and self._holding[_running_task()]:
            raise ClusterError(
                "this block holds the clock (clock.held()), so no time can pass in it: advance and "
                "wait after it"
            )

    async def _poll(self, condition: Callable[[], Any], span: float) -> Any:
        end = self._clock.monotonic() + span
        while True:
            found = condition()
            if inspect.isawaitable(found):
                found = await found
            if found or self._clock.monotonic() >= end:
                return found
            await self._clock.sleep(min(0.02, span))

    async def settle(self) -> None:
        """Wait until all that can happen at this moment has happened; on real time, a moment."""
        self._presence.require_here()
        if isinstance(self._clock, VirtualClock):
            # Who holds the clock, or is asked by who does, need not wait for itself.
            own = math.inf if asked_of() else self._holding.get(_running_task(), 0)
            await self._clock.settle(own=own)
        else:
            await asyncio.sleep(0)

    async def sleep(self, seconds: float) -> None:
        """Wait for so much of the cluster's time; with ``manual``, for somebody to advance it.

        For ever after infinity, or until it is cancelled.

        Raises:
            ValueError: It is not a number.
        """
        if seconds != math.inf:
            number_of(seconds, "sleep")
        async with self._presence.lasting():
            if seconds > 0 and isinstance(self._clock, VirtualClock):
                self._refuse_standing()
            with self.waiting():
                await self._clock.sleep(seconds)

    def shown_to(
        self, *packages: str, skew: float = 0.0
    ) -> contextlib.AbstractContextManager[None]:
        """Let modules that read the computer's clock read this one for the block.

        For libraries that compare timestamps of their own (kopf's retries, leases), above all on a
        loop of virtual time.

        ```python
        import kopf

        with cluster.clock.shown_to("kopf"):  # and your operator's own package
            ...
        ```

        Args:
            *packages: Names of loaded packages and modules.
            skew: Seconds by which they see it wrong: ahead, or behind if negative.

        Raises:
            ValueError: Nothing of that name is loaded.
        """
        from orchestrator.embedded.clock.wall_clocks import shown_to

        number_of(skew, "skew")
        if not packages or not all(isinstance(each, str) for each in packages):
            raise TypeError(f"name packages by text, shown_to('kopf'), not {packages!r}")

        return shown_to(packages, lambda: self.now() + skew)

    @contextlib.contextmanager
    def waiting(self) -> Any:
        """Say that the block waits for something of the cluster: with ``auto``, time moves on."""
        self._waiting += 1
        self._someone.set()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._someone.clear()

    @contextlib.asynccontextmanager
    async def driven(self, drives: bool) -> AsyncIterator[None]:
        """With ``auto`` on a loop of real time, move the clock as long as somebody waits."""
        if not drives:
            yield
            return
        driving = asyncio.create_task(self._drive(), name="cluster-clock")
        try:
            yield
        finally:
            await end_task(driving)

    async def _drive(self) -> None:
        clock = self._clock
        assert isinstance(clock, VirtualClock), "only a virtual clock is moved"
        while True:
            await self._someone.wait()
            await clock.settle()
            due = clock.next_due
            try:
                if self._waiting and due is not None:
                    await clock.advance(max(0.0, due - clock.monotonic()))
                else:
                    await asyncio.sleep(_IDLE if self._waiting else 0)
            except Exception as error:  # noqa: BLE001 - nobody who waits has asked for what failed
                told = {"message": "a timer of the cluster failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
