"""What the runtime gives an actor: its ref, children, timers, tasks, time and chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actors import _lifecycle as lifecycle
from actors._actors import Actor
from actors._clocks import Clock, TimerHandle
from actors._envelopes import Envelope
from actors._errors import ActorStopped
from actors._refs import ActorRef
from actors._states import CLOSING
from actors._supervision import DEFAULT_SUPERVISION, Supervision

if TYPE_CHECKING:
    from actors._cells import Cell
    from actors._system import ActorSystem

M = TypeVar("M")
N = TypeVar("N")
T = TypeVar("T")


class Timer:
    """A message to oneself that is due later, once or again and again."""

    __slots__ = ("_cell", "_handle", "_interval", "_message")

    def __init__(self, cell: Cell[Any], seconds: float, message: Any, *, again: bool) -> None:
        self._cell = cell
        self._message = message
        self._interval = seconds if again else None
        self._handle: TimerHandle | None = cell.system.clock.call_later(seconds, self._fire)
        cell.rare().timers[self] = None

    def cancel(self) -> None:
        """Forget it; a message already in the mailbox stays there."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._cell.rare().timers.pop(self, None)

    def _fire(self) -> None:
        cell = self._cell
        if self._interval is None:
            self._handle = None
            cell.rare().timers.pop(self, None)
            cell.post(self._message)
            return
        self._handle = cell.system.clock.call_later(self._interval, self._fire)
        if cell.queue is None or len(cell.queue) < cell.limit:
            cell.post(self._message)
        else:  # the actor is behind: one tick more would not help it
            cell.drop(self._message, "overflow")


class Job:
    """A task owned by an actor; it is cancelled when the actor stops or restarts."""

    __slots__ = ("task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.task.done()

    def cancel(self) -> None:
        """Cancel it; neither ``done`` nor ``failed`` will be called."""
        self.task.cancel()


class Context(Generic[M]):
    """An actor's view of the system. Every method is for the actor itself to call."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell[M]) -> None:
        self._cell = cell

    @property
    def ref(self) -> ActorRef[M]:
        """This actor, for others."""
        return self._cell

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._cell.name

    @property
    def address(self) -> str:
        """The path from the root."""
        return self._cell.address

    @property
    def system(self) -> ActorSystem:
        """The system it lives in."""
        return self._cell.system

    @property
    def clock(self) -> Clock:
        """The only time an actor should know."""
        return self._cell.system.clock

    @property
    def random(self) -> random.Random:
        """This actor's own generator, seeded from the system's seed and its address."""
        extras = self._cell.rare()
        if extras.random is None:
            extras.random = random.Random(f"{self._cell.system.seed}{self._cell.address}")  # noqa: S311 - simulation, not secrets
        return extras.random

    @property
    def log(self) -> Any:
        """A structlog logger bound to the address."""
        extras = self._cell.rare()
        if extras.log is None:
            extras.log = self._cell.system.log.bind(actor=self._cell.address)
        return extras.log

    def spawn(
        self,
        factory: Callable[[], Actor[N]],
        name: str,
        *,
        supervision: Supervision = DEFAULT_SUPERVISION,
    ) -> ActorRef[N]:
        """Start a child. It exists at once and handles messages when ``started`` is done.

        Raises:
            NameTaken: a child of that name has not stopped yet.
            ActorStopped: this actor is stopping and takes no new children.
        """
        cell = self._cell
        if cell.state >= CLOSING:
            raise ActorStopped(f"{cell.address} is stopping, it cannot start {name!r}")
        return cell.system.spawn_under(cell, factory, name, supervision)

    def child(self, name: str) -> ActorRef[Any] | None:
        """The child of that name, if there is one."""
        extras = self._cell.extras
        return None if extras is None else extras.children.get(name)

    @property
    def children(self) -> tuple[ActorRef[Any], ...]:
        """All children, oldest first."""
        extras = self._cell.extras
        return () if extras is None else tuple(extras.children.values())

    def stop(self, child: ActorRef[Any] | None = None) -> None:
        """Request the stop of a child, or (None) of this actor after its current message."""
        if child is None:
            lifecycle.stop_self(self._cell)
            return
        extras = self._cell.extras
        mine = None if extras is None else extras.children.get(child.address.rpartition("/")[2])
        if mine is child and mine is not None:
            lifecycle.request_stop(mine)
        elif child.alive:
            raise ValueError(f"{child.address} is not a child of {self.address}")

    def become(self, actor: Actor[M]) -> None:
        """Put another instance in this one's place, at the same address and with the same mailbox.

        Its ``started`` runs once the current message is done; then it handles what comes. Timers
        of this instance are cancelled, and its ``stopped`` is not called: it has to let go of what
        it holds. A restart begins with what the factory makes, as ever.

        Raises:
            RuntimeError: it is not handling a message, or in a handler that suspends.
        """
        lifecycle.become(self._cell, actor)

    def after(self, seconds: float, message: M) -> Timer:
        """Put a message into the own mailbox after that long, even if it is full."""
        return Timer(self._cell, seconds, message, again=False)

    def every(self, seconds: float, message: M) -> Timer:
        """Put a message into the own mailbox each time that long has passed.

        A tick that finds the mailbox full is dropped and counted.
        """
        return Timer(self._cell, seconds, message, again=True)

    def run(
        self,
        work: Awaitable[T],
        *,
        done: Callable[[T], M] | None = None,
        failed: Callable[[Exception], M] | None = None,
    ) -> Job:
        """Await something in a task of this actor while it goes on handling messages.

        The result comes back as the message that ``done`` makes of it, an error as the one of
        ``failed``; without ``failed`` an error goes to the supervisor, like a failed message.
        """
        cell = self._cell
        if cell.state >= CLOSING:
            if asyncio.iscoroutine(work):
                work.close()
            raise ActorStopped(f"{cell.address} is stopping, it cannot start a job")
        job = Job(cell.system.create_task(_await(work), cell))
        jobs = cell.rare().jobs
        jobs[job] = None

        def ended(task: asyncio.Task[T]) -> None:
            if task.cancelled() and asyncio.iscoroutine(work):
                work.close()  # cancelled before it began, it would warn that nobody awaited it
            if job not in jobs:  # the actor is being released
                if not task.cancelled():
                    task.exception()
                return
            del jobs[job]
            if task.cancelled():
                return
            error = task.exception()
            if error is None:
                if done is not None:
                    cell.post(done(task.result()))
            elif failed is not None and isinstance(error, Exception):
                cell.post(failed(error))
            else:
                lifecycle.fail(cell, error)

        job.task.add_done_callback(ended)
        return job

    def envelope(self) -> Envelope[M]:
        """The message being handled, to be answered later when ``receive`` returns DEFERRED."""
        current = self._cell.current
        return current if type(current) is Envelope else Envelope(current)


async def _await(work: Awaitable[T]) -> T:
    return await work
