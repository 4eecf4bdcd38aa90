"""A clock that is moved by hand, beside a loop whose own time is real.

Time moves from one due timer to the next, and only when all that the last one set in motion has
come to rest. Rest is read off the loop: nothing is ready to run but those who ask. What the loop
cannot know, threads and sockets at work, holds the clock (`VirtualClock.held`); what is done by
programs on the other side of a socket is asked of ``courtesy``.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import inspect
import itertools
import math
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from actors._clocks import TimerHandle

Courtesy = Callable[[], Awaitable[bool]]
"""Gives others their chance, in real time; tells whether something may have come of it."""

_TURNS: Final = 2
"""Turns of the loop in a row that have to find nothing ready."""
_BLIND_TURNS: Final = 1000
"""Turns waited for on a loop that neither shows what is ready nor lets it be counted."""
_PATIENCE: Final = 5.0
"""Real seconds after which time moves although there is no rest: somebody never pauses. In the loop
itself they are seconds of work."""
_TIRED: Final = 0.2
"""The same from then on, until there is rest again: who never pauses would otherwise hold up each
moment of a day."""
_STARVED: Final = 12
"""How many times as long it may take a thread to work for so many seconds: on a busy machine it
gets its turn seldom, which says nothing about whether it pauses."""
_PURGE_FROM: Final = 64

_askers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, int] = weakref.WeakKeyDictionary()
"""How many tasks of each loop are waiting for it to be at rest; they are always ready."""


class _Mover:
    """Somebody who lets time pass."""

    __slots__ = ("end", "look", "looked")

    def __init__(self, end: float) -> None:
        self.end = end
        self.look = end
        """When it wants to look again, though nothing is due."""
        self.looked = -1
        """After which step it has last asked its condition in vain."""


_asked_by: ContextVar[frozenset[_Mover]] = ContextVar("asked_by", default=frozenset())
"""Those whose conditions have called what runs here, and who wait for its answer."""


class _Timer:
    __slots__ = ("args", "callback", "clock")

    def __init__(
        self, clock: VirtualClock, callback: Callable[..., None], args: tuple[Any, ...]
    ) -> None:
        self.clock: VirtualClock | None = clock
        self.callback = callback
        self.args = args

    def cancel(self) -> None:
        """Forget it."""
        clock, self.clock = self.clock, None
        if clock is not None:
            clock._note_cancelled()  # noqa: SLF001 - both are this module's


class _Hold:
    """Counts who works in real time; entered and left as often as one likes."""

    __slots__ = ("count", "released")

    def __init__(self) -> None:
        self.count = 0
        self.released: asyncio.Event | None = None

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.count -= 1
        if self.released is not None:
            self.released.set()
            self.released = None

    async def wait(self, seconds: float, own: float = 0) -> None:
        """Wait until nobody does, but for ``own`` of them, or that many real seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self.count > own:
                    if self.released is None:
                        self.released = asyncio.Event()
                    await self.released.wait()
        except TimeoutError:
            return


class VirtualClock:
    """A clock that stands still until told to advance, on a real event loop.

    For a system that has sockets or threads and still wants to pass a day in milliseconds.

    Attributes:
        courtesy: Asked each time when all is at rest, before time moves; while it answers True
            the loop is looked at again. None where nobody outside the loop takes part.
    """

    __slots__ = (
        "_cancelled",
        "_hold",
        "_looked",
        "_movers",
        "_moving",
        "_now",
        "_numbers",
        "_start",
        "_steps",
        "_timers",
        "_tired",
        "courtesy",
    )

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        """Start at that many seconds since the epoch (by default 2026-01-01T00:00:00Z)."""
        self.courtesy: Courtesy | None = None
        self._start = start
        self._now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._hold = _Hold()
        self._moving: asyncio.Lock | None = None
        self._movers: list[_Mover] = []
        self._looked: asyncio.Event | None = None
        self._steps = 0
        self._tired = False

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + self._now

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._now

    @property
    def next_due(self) -> float | None:
        """The monotonic moment of the next timer; None when there is none."""
        timers = self._timers
        while timers and timers[0][2].clock is None:
            heapq.heappop(timers)
            self._cancelled -= 1
        return timers[0][0] if timers else None

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
        """Run the callback during the ``advance`` that passes that moment; after infinity never.

        Raises:
            ValueError: The seconds are not a number.
        """
        timer = _Timer(self, callback, args)
        if not seconds < math.inf:
            if math.isnan(seconds):
                raise ValueError(f"a timer of {seconds} seconds: give a number, or infinity")
            timer.clock = None  # time never comes to it, and must not be moved there
            return timer
        heapq.heappush(self._timers, (self._now + max(0.0, seconds), next(self._numbers), timer))
        return timer

    def held(self) -> _Hold:
        """Let no time pass while the block is at work, in a thread or over a socket."""
        return self._hold

    async def settle(self, *, courteous: bool = True, own: float = 0) -> None:
        """Wait until all that is set in motion at this moment has come to rest.

        That is: nothing in the loop is ready, nobody holds the clock, ``courtesy`` knows of
        nothing. Where somebody never pauses, five real seconds are enough, and fewer from then on
        until there is rest again; where it is a task of this loop, five seconds of its work.

        Args:
            courteous: Ask ``courtesy``; otherwise this is over in a moment.
            own: How many of those who hold the clock wait for this themselves.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        patience = _TIRED if self._tired else _PATIENCE
        spare, work = loop.time() + patience, _Work(loop, patience)
        while True:
            if not await _at_rest(loop, work):
                break
            if self._hold.count > own and (now := loop.time()) < end:
                await self._hold.wait(end - now, own)
                spare += loop.time() - now  # who works in real time says when it is done
            elif not courteous or self.courtesy is None or not await self.courtesy():
                self._tired = False
                return
            elif loop.time() >= spare:
                break
        self._tired = True

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, moment by moment, everything coming to rest in between."""
        await self.advance_until(_never, within=seconds)

    async def advance_until(
        self, condition: Callable[[], Any], *, within: float, looks: int = 1
    ) -> Any:
        """Let time pass until something holds, ``within`` seconds at most.

        Of several tasks that advance one clock each gets what it asked for, and sees each moment
        to which any of them moves.

        Args:
            condition: Asked whenever all has come to rest, at first at this moment. What has to be
                awaited is, and time stands for the others meanwhile (for five real seconds); it may
                move time itself.
            within: Seconds. When they are over, all of them have passed.
            looks: How often to ask where nothing is due until the end; for conditions that are
                about the time itself.

        Returns:
            What the condition said last.
        """
        mover = _Mover(self._now + within)
        pause = within / looks
        self._movers.append(mover)
        try:
            while True:
                await self.settle()
                asked = self._now
                found = condition()
                if inspect.isawaitable(found):
                    found = await self._answer(found, mover)
                if found or (asked >= mover.end and not self._is_due()):
                    return found
                mover.looked, mover.look = self._steps, min(asked + pause, mover.end)
                self._note_look()
                await self._step(mover)
        finally:
            self._movers.remove(mover)
            self._note_look()

    async def _answer(self, question: Awaitable[Any], mover: _Mover) -> Any:
        """Await what a condition has to say, and what comes of it: that belongs to this moment."""
        before = _asked_by.set(_asked_by.get() | {mover})
        try:
            found = await question
        finally:
            _asked_by.reset(before)
        if not found:
            await self.settle()
        return found

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Let time not move while the block is at work; whoever moves it waits for its end.

        Unlike `held`, the block may `settle`; it cannot `advance`.
        """
        if self._moving is None:
            self._moving = asyncio.Lock()
        async with self._moving:
            yield

    async def _step(self, mover: _Mover) -> None:
        """Move to the next moment that anybody may want to see; run what is due."""
        before = self._steps
        others = [each for each in self._movers if each not in _asked_by.get()]
        if len(others) > 1:
            await self._wait_for_looks(before)
        stood = self._moving is not None and self._moving.locked()
        async with self.still():
            if stood or self._steps != before:
                # What was done while it stood comes to rest first, or another has moved it.
                return
            self._steps += 1
            end = min(each.look for each in self._movers if each.looked == before or each is mover)
            due = self.next_due
            if due is None or due > end:
                self._now = max(self._now, end)
                return
            self._now = max(self._now, due)
            self._run_due()

    async def _wait_for_looks(self, step: int) -> None:
        """Wait until all who move time have looked at this moment, or one of them has moved on."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while self._steps == step and any(
                    each.looked != step for each in self._movers if each not in _asked_by.get()
                ):
                    if self._looked is None:
                        self._looked = asyncio.Event()
                    await self._looked.wait()
        except TimeoutError:
            return

    def _note_look(self) -> None:
        if self._looked is not None:
            self._looked.set()
            self._looked = None

    def _run_due(self) -> None:
        """Run what is due, in the order in which it was set.

        What it sets for this same moment comes when it has come to rest.
        """
        ready = []
        while (found := self.next_due) is not None and found <= self._now:
            ready.append(heapq.heappop(self._timers)[2])
        failed: list[Exception] = []
        for timer in ready:
            if timer.clock is not None:  # not cancelled by one before it
                timer.clock = None
                try:
                    timer.callback(*timer.args)
                except Exception as error:  # noqa: BLE001 - the others of the moment are due too
                    failed.append(error)
        if failed:
            raise failed[0]

    def _is_due(self) -> bool:
        due = self.next_due
        return due is not None and due <= self._now

    def _note_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > _PURGE_FROM and self._cancelled > len(self._timers) // 2:
            self._timers = [item for item in self._timers if item[2].clock is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0


class _Work:
    """So many seconds of a thread's work."""

    __slots__ = ("_end", "_loop", "_real_end")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._end = time.thread_time() + seconds
        self._real_end = loop.time() + _STARVED * seconds

    def is_done(self) -> bool:
        return time.thread_time() >= self._end or self._loop.time() >= self._real_end


async def _at_rest(loop: asyncio.AbstractEventLoop, work: _Work) -> bool:
    """Give the loop turns until it has nothing ready; False when it has not after that work."""
    ready: Any = getattr(loop, "_ready", None)
    soon = None if ready is not None else _Soon.on(loop)
    needed = _BLIND_TURNS if ready is None and soon is None else _TURNS
    _askers[loop] = _askers.get(loop, 0) + 1
    quiet = 0
    try:
        while quiet < needed:
            before = 0 if soon is None else soon.count
            await asyncio.sleep(0)
            # The others who ask are always ready: each of them waits as this one does.
            if ready is not None:
                rests = len(ready) < _askers[loop]
            else:
                rests = soon is None or soon.count - before <= _askers[loop]
            if rests:
                quiet += 1
            else:
                quiet = 0
                if work.is_done():
                    return False
    finally:
        _askers[loop] -= 1
        if soon is not None and not _askers[loop]:
            soon.leave(loop)
    return True


class _Soon:
    """Counts what is made ready on a loop that does not show it (uvloop), while somebody asks."""

    def __init__(self, call_soon: Callable[..., asyncio.Handle]) -> None:
        self.count = 0
        self._call_soon = call_soon

    def __call__(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.count += 1
        return self._call_soon(*args, **options)

    @classmethod
    def on(cls, loop: asyncio.AbstractEventLoop) -> _Soon | None:
        """Return the one of a loop; None where nothing can be put in its method's place."""
        own: dict[str, Any] | None = getattr(loop, "__dict__", None)
        if own is None:
            return None
        there = own.get("call_soon")
        if isinstance(there, cls):
            return there
        made = own["call_soon"] = cls(loop.call_soon)
        return made

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the loop have its method back."""
        if vars(loop).get("call_soon") is self:
            del vars(loop)["call_soon"]


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _never() -> bool:
    return False
