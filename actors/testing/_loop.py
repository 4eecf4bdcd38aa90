"""An event loop whose time is virtual: when nothing is ready it jumps to the next timer.

The only file that touches private parts of asyncio: ``_ready``, to put runnable tasks into a seeded
order, and ``_clock_resolution``, so that time does not stand still after half a year. Everything
else goes through the selector, which asyncio lets one choose: the loop asks it to wait until the
next timer, and instead of waiting it moves the time.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
import selectors
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z, the moment at which virtual time begins."""

FOREIGN_MODULES: Final = ("aiosqlite",)
"""Packages whose threads complete futures of the loop; while one is open, time stands still."""


class Deadlock(RuntimeError):  # noqa: N818 - it names what happened
    """Nothing is ready, no timer is set and no thread is at work: this would hang for ever."""


class _Selector(selectors.DefaultSelector):
    """A selector that moves the loop's time instead of waiting."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll; with nothing to report, wait for threads or move the time."""
        events: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        loop = self.loop
        if loop.foreign:
            return super().select(loop.patience) or loop.stuck("a thread does not answer")
        if timeout is not None:
            loop.jump(timeout)
            return []
        alone = len(self.get_map()) <= 1 and threading.active_count() <= 1
        return super().select(loop.grace if alone else 10 * loop.grace) or loop.stuck(
            "nothing will ever be ready"
        )


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting costs no time, for tests and simulations.

    Attributes:
        order: the generator that decides which runnable task or actor goes first; None keeps
            the order of production, first come, first served.
        epoch: what ``RealClock.now`` calls the loop's time 0, in seconds since 1970.
        foreign: futures that a thread will complete; while there are any, time stands still
            and the loop waits for them in real time.
        patience: real seconds to wait for such a thread before giving up.
        grace: real seconds to wait before a deadlock is declared; ten times as long when there
            are threads or sockets that might yet wake the loop.
    """

    def __init__(self, seed: int | None = None) -> None:
        """Make a loop; ``seed`` None keeps the order in which things became ready."""
        self._virtual_now = 0.0
        self.order = None if seed is None else random.Random(seed)  # noqa: S311 - a simulation
        self.epoch = EPOCH
        self.foreign = 0
        self.patience = 30.0
        self.grace = 0.2
        self._witnesses: list[Callable[[], Iterable[str]]] = []
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual_now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run something at a moment; at infinity never, so that nobody waits for it day by day."""
        if when == math.inf:
            return asyncio.TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def jump(self, seconds: float) -> None:
        """Move the time."""
        self._virtual_now += seconds
        # A timer is due within this of now; less than a float's step would be never (194 days on).
        self._clock_resolution = max(1e-9, 2 * math.ulp(self._virtual_now))

    def add_witness(self, describe: Callable[[], Iterable[str]]) -> None:
        """Have somebody say, line by line, what it waits for, should there be a deadlock."""
        self._witnesses.append(describe)

    def stuck(self, why: str) -> Any:
        """Report a deadlock.

        Raises:
            Deadlock: always, out of ``run_until_complete``.
        """
        lines = [_describe(task) for task in asyncio.all_tasks(self)]
        lines += [line for describe in self._witnesses for line in describe()]
        waiting = "\n  ".join(sorted(lines)) or "nothing"
        raise Deadlock(f"{why}, at {self._virtual_now:g} virtual seconds. Waiting:\n  {waiting}")

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future; one that belongs to a thread of a known package holds the time."""
        future = super().create_future()
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - the documented way
        if caller.partition(".")[0] in FOREIGN_MODULES:
            self.expect(future)
        return future

    def expect(self, future: asyncio.Future[Any]) -> None:
        """Hold the time until something outside the loop has completed that future."""
        self.foreign += 1
        future.add_done_callback(self._arrived)

    def _arrived(self, _: asyncio.Future[Any]) -> None:
        self.foreign -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread; time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self.expect(future)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Join the threads, in real time; ``timeout`` is for 3.12 and later, 3.11 has none."""
        del timeout
        self.foreign += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.foreign -= 1

    def _run_once(self) -> None:
        if self.order is not None:
            self._shuffle(self.order)
        super()._run_once()  # type: ignore[misc] # private, and the reason this is one file

    def _shuffle(self, order: random.Random) -> None:
        """Put the runnable tasks into a seeded order, other callbacks staying in their places.

        Transports and future callbacks rely on first come, first served; tasks must not.
        """
        ready: Any = self._ready  # type: ignore[attr-defined] # see _run_once
        if len(ready) < 2:
            return
        places = [i for i, handle in enumerate(ready) if _is_task_step(handle)]
        if len(places) > 1:
            handles = [ready[i] for i in places]
            order.shuffle(handles)
            for i, handle in zip(places, handles, strict=True):
                ready[i] = handle


def _is_task_step(handle: Any) -> bool:
    callback = handle._callback  # noqa: SLF001 - see the module's docstring
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)


def _describe(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    where = f"{frames[0].f_code.co_qualname}:{frames[0].f_lineno}" if frames else "?"
    return f"task {task.get_name()} in {where}"
