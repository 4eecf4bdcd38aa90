"""The actor system: the root of the tree, the run queue and everything actors share."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import random
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from actors import _lifecycle as lifecycle
from actors._actors import Actor
from actors._bus import Bus, LocalBus
from actors._cells import Cell
from actors._clocks import Clock, RealClock
from actors._dead_letters import DeadLetters
from actors._deadlines import Deadlines
from actors._errors import ActorStopped, NameTaken, SystemFailed
from actors._logging import get_logger
from actors._refs import ActorRef
from actors._states import CLOSING, IDLE
from actors._supervision import DEFAULT_SUPERVISION, Exhausted, Supervision

if TYPE_CHECKING:
    from actors._statistics import SystemStatistics

N = TypeVar("N")
T = TypeVar("T")

BUDGET: Final = 512
"""Messages handled in one go before the loop's other callbacks get their chance. Counted, not
timed, so that a simulation repeats; a pass through the loop costs some ten microseconds."""


class _Root(Actor[Any]):
    """Holds the actors at the top; handles nothing."""

    __slots__ = ()


class ActorSystem:
    """All actors of one purpose in one event loop. Use as an async context manager.

    Leaving it stops every actor, the youngest first, children before their parents. A failure
    that reaches the root stops them as well, cancels the body, and leaves as ``SystemFailed``.

    Attributes:
        clock: where all actors take their time from.
        random: the system's own generator; actors have theirs, derived from the same seed.
        seed: what the generators began with; pass it again to repeat a run.
        failure: the error that reached the root and stopped the system, if one did.
        ending: set it when the end begins, if actors are stopped before the system is left: who
            still tells those that are gone something does nothing worth a line in the log.
    """

    def __init__(
        self,
        name: str = "system",
        *,
        clock: Clock | None = None,
        seed: int | None = None,
        bus: Bus | None = None,
    ) -> None:
        """Prepare a system; ``seed`` None takes one from the operating system."""
        self.name = name
        self.clock: Clock = clock if clock is not None else RealClock()
        self.seed = seed if seed is not None else int.from_bytes(os.urandom(8), "big")
        self.random = random.Random(self.seed)  # noqa: S311 - simulation, not secrets
        self.bus: Bus = bus if bus is not None else LocalBus()
        self.log: Any = get_logger("actors", system=name)
        self.dead_letters = DeadLetters(self)
        self.failure: BaseException | None = None
        self.restarts = 0
        self.failures = 0
        self.last_error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self.deadlines: dict[float, Deadlines] = {}
        self._actors = 0
        self._ready: deque[Cell[Any]] = deque()
        self._armed = False
        self._order: random.Random | None = None
        self._context = contextvars.Context()
        self._root: Cell[Any]
        self.guardian: Cell[Any]
        self._entered = False
        self._host: asyncio.Task[Any] | None = None
        self._cancelled_host = False
        self.ending = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError(f"the system {self.name!r} was used before: make a new one")
        self._entered = True
        self.loop = asyncio.get_running_loop()
        self._order = getattr(self.loop, "order", None)
        self._context = contextvars.copy_context()
        self.bus.attach(self)
        forever = Supervision(exhausted=Exhausted.STOP)
        self._root = Cell(self, None, "", _Root, forever)
        self.guardian = Cell(self, self._root, "user", _Root, forever)
        self._root.rare().children["user"] = self.guardian
        self._root.state = self.guardian.state = IDLE
        self._host = asyncio.current_task()
        witness = getattr(self.loop, "add_witness", None)
        if witness is not None:
            witness(self._describe)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        lifecycle.request_stop(self.guardian)
        await self.guardian.stopped()
        for deadlines in self.deadlines.values():
            deadlines.close()
        if self.failure is None:
            return
        host, self._host = self._host, None
        if error is None or (
            self._cancelled_host
            and isinstance(error, asyncio.CancelledError)
            and host is not None
            and host.uncancel() == 0
        ):
            raise SystemFailed(f"the system {self.name!r} failed") from self.failure

    def spawn(
        self,
        factory: Callable[[], Actor[N]],
        name: str,
        *,
        supervision: Supervision = DEFAULT_SUPERVISION,
    ) -> ActorRef[N]:
        """Start an actor at the top, ``/user/<name>``; see ``Context.spawn``."""
        if not self._entered:
            raise RuntimeError("enter the system first: async with ActorSystem() as system")
        if not self.guardian.alive:
            raise ActorStopped(f"the system {self.name!r} is stopping, it cannot start {name!r}")
        return self.spawn_under(self.guardian, factory, name, supervision)

    def spawn_under(
        self,
        parent: Cell[Any],
        factory: Callable[[], Actor[N]],
        name: str,
        supervision: Supervision,
    ) -> ActorRef[N]:
        """Start an actor below another; for ``Context.spawn``."""
        if not name or "/" in name:
            raise ValueError(f"an actor's name is one part of a path, not {name!r}")
        children = parent.rare().children
        if name in children:
            raise NameTaken(
                f"{children[name].address} exists: stop it first, or choose another name"
            )
        cell = Cell(self, parent, name, factory, supervision)
        children[name] = cell
        self._actors += 1
        self.schedule(cell)
        return cell

    async def stop(self, ref: ActorRef[Any], timeout: float | None = None) -> None:
        """Stop an actor and all below it, and wait until that is done.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds; the stop goes on.
        """
        if isinstance(ref, Cell):
            lifecycle.request_stop(ref)
        await ref.stopped(timeout)

    def crash(self, ref: ActorRef[Any], error: BaseException) -> None:
        """Have an actor fail now, as if a handler of it had raised; its supervisor decides.

        For those who try out what follows. One that has ended, or is restarting, is left alone.
        """
        if isinstance(ref, Cell) and ref.alive:
            lifecycle.fail(ref, error)

    def find(self, address: str) -> ActorRef[Any] | None:
        """The living actor at an address, if there is one."""
        cell = self._root
        for part in address.strip("/").split("/"):
            extras = cell.extras
            child = None if extras is None else extras.children.get(part)
            if child is None:
                return None
            cell = child
        return cell

    def walk(self) -> Iterator[ActorRef[Any]]:
        """All actors, parents before their children; do not start or stop any meanwhile."""
        return iter(_below(self.guardian))

    def statistics(self) -> SystemStatistics:
        """Sum up; takes time in proportion to the number of actors."""
        from actors._statistics import SystemStatistics

        queue_length = queue_peak = processed = 0
        for cell in _below(self.guardian):
            queue_length += len(cell.queue or ())
            queue_peak = max(queue_peak, cell.peak)
            processed += cell.processed
        return SystemStatistics(
            name=self.name,
            actors=self._actors,
            ready=len(self._ready),
            queue_length=queue_length,
            queue_peak=queue_peak,
            processed=processed,
            restarts=self.restarts,
            failures=self.failures,
            dead_letters=self.dead_letters.count,
            last_error=self.last_error,
        )

    # -- for the runtime ---------------------------------------------------------------------

    def schedule(self, cell: Cell[Any]) -> None:
        """Give a cell a turn soon; one callback on the loop serves all that queue up."""
        self._ready.append(cell)
        if not self._armed:
            self._armed = True
            self.loop.call_soon(self._drain, context=self._context)

    def _drain(self) -> None:
        ready = self._ready
        if self._order is not None:
            self._order.shuffle(ready)
        budget = BUDGET
        try:
            for _ in range(len(ready)):
                budget -= ready.popleft().turn()
                if budget <= 0:
                    break
        finally:
            if ready:
                self.loop.call_soon(self._drain, context=self._context)
            else:
                self._armed = False

    def deadline(self, timeout: float) -> Deadlines:
        """The queue of asks with that timeout, made on first use."""
        deadlines = self.deadlines[timeout] = Deadlines(self.loop, timeout, self.deadlines)
        return deadlines

    def create_task(self, work: Coroutine[Any, Any, T], cell: Cell[Any]) -> asyncio.Task[T]:
        """A task that the cell owns and names."""
        return self.loop.create_task(work, name=cell.address, context=self._context.copy())

    def report(self, cell: Cell[Any], error: BaseException, outcome: str) -> None:
        """Log a failure that no asker sees."""
        self.failures += 1
        self.last_error = error
        # Formatted here: structlog's console renderer would draw it with all locals, which takes
        # 100 ms, and failures may come in crowds.
        exception = "".join(traceback.format_exception(error))
        with contextlib.suppress(Exception):  # a log that fails must not stop supervision
            self.log.error("actor failed", actor=cell.address, outcome=outcome, exception=exception)

    def fail(self, cell: Cell[Any], error: BaseException) -> None:
        """A failure has reached the top: stop everything."""
        if self.failure is None:
            self.failure = error
            with contextlib.suppress(Exception):
                self.log.critical("system failed", actor=cell.address)
            lifecycle.request_stop(self.guardian)
            host = self._host
            if host is not None and not host.done() and self.guardian.state < CLOSING:
                self._cancelled_host = host.cancel()

    def forget(self, cell: Cell[Any]) -> None:
        """A cell has stopped."""
        if cell is not self.guardian:
            self._actors -= 1

    def _describe(self) -> list[str]:
        """What is going on, for the report of a deadlock."""
        return [
            f"actor {cell.address}: {cell.describe()}"
            for cell in _below(self.guardian)
            if cell.state != IDLE or cell.queue
        ]


def _below(cell: Cell[Any]) -> Iterator[Cell[Any]]:
    extras = cell.extras
    for child in () if extras is None else extras.children.values():
        yield child
        yield from _below(child)
