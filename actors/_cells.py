"""A cell: one actor with its mailbox and its place in the tree. It is also its local ref.

There may be a million of them, so what most actors never need (children, timers, tasks, waiting
senders) lives in an ``Extras`` record made on first use, and the mailbox's deque exists only
while messages wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from actors import _lifecycle as lifecycle
from actors._actors import Actor, BatchActor, Overflow
from actors._contexts import Context
from actors._envelopes import DEFERRED, Envelope
from actors._errors import ActorStopped, AskTimeout, MailboxFull
from actors._extras import Extras
from actors._refs import ActorRef
from actors._states import (
    BUSY,
    IDLE,
    READY,
    RUNNING,
    STARTING,
    STATE_NAMES,
    STOPPED,
    STOPPING,
)
from actors._supervision import Supervision

if TYPE_CHECKING:
    from actors._statistics import ActorStatistics
    from actors._system import ActorSystem

M = TypeVar("M")

THROUGHPUT: Final = 64
"""Messages an actor may handle in one turn before the next actor gets its own."""


PLAIN: Final = frozenset({bool, bytes, dict, float, int, list, str, tuple})
"""Types that are never awaitable; to see it from a missing attribute takes much longer."""


class Cell(ActorRef[M]):
    """The runtime's side of one actor. Users see it as an ``ActorRef``."""

    __slots__ = (
        "actor",
        "batch_limit",
        "context",
        "current",
        "extras",
        "factory",
        "limit",
        "name",
        "parent",
        "peak",
        "processed",
        "queue",
        "state",
        "supervision",
        "system",
    )

    def __init__(
        self,
        system: ActorSystem,
        parent: Cell[Any] | None,
        name: str,
        factory: Callable[[], Actor[M]],
        supervision: Supervision,
    ) -> None:
        self.system = system
        self.parent = parent
        self.name = name
        self.factory = factory
        self.supervision = supervision
        self.state = STARTING
        self.queue: deque[Any] | None = None
        self.extras: Extras | None = None
        self.current: Any = None
        self.processed = 0
        self.peak = 0
        self.context: Context[M] | None = Context(self)
        self.adopt(factory())

    def adopt(self, actor: Actor[M]) -> None:
        """Put a new instance in charge."""
        actor.context = self.context if self.context is not None else Context(self)
        self.actor = actor
        self.limit = actor.mailbox_limit
        self.batch_limit = actor.batch_limit if isinstance(actor, BatchActor) else 0

    def let_go(self) -> None:
        """Drop the instance, so that reference counting alone frees a stopped actor."""
        self.actor = cast("Actor[M]", _GONE)
        self.factory = Actor
        self.context = None

    # -- the sender's side -------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The path from the root."""
        parent = self.parent
        return "" if parent is None else f"{parent.address}/{self.name}"

    @property
    def alive(self) -> bool:
        """Whether it still takes messages."""
        return self.state < STOPPING

    def tell(self, message: M) -> None:
        """Put a message into the mailbox."""
        queue = self.queue
        if queue is None:
            if self.state >= STOPPING:
                self.system.dead_letters.add(self.address, message, "stopped")
                return
            queue = self.queue = deque()
        elif len(queue) >= self.limit:
            self._make_room(queue)
        queue.append(message)
        if self.state == IDLE:
            self.state = READY
            self.system.schedule(self)

    def post(self, message: Any) -> None:
        """Put in a message of the actor's own (a timer's, a job's); it is never refused."""
        queue = self.queue
        if queue is None:
            if self.state >= STOPPING:
                return
            queue = self.queue = deque()
        queue.append(message)
        if self.state == IDLE:
            self.state = READY
            self.system.schedule(self)

    def _make_room(self, queue: deque[Any]) -> None:
        if self.actor.overflow is Overflow.REJECT:
            raise MailboxFull(
                f"{self.address} has {len(queue)} messages waiting, its limit: "
                "send more slowly, or wait for room with send()"
            )
        self.drop(queue.popleft(), "overflow")

    def drop(self, message: Any, reason: str) -> None:
        """Account for a message that will not be handled; an asker is told, others cannot be."""
        if type(message) is not Envelope:
            self.system.dead_letters.add(self.address, message, reason)
        elif reason == "overflow":
            message.fail(MailboxFull(f"{self.address} dropped the message: mailbox full"))
        else:
            message.fail(ActorStopped(f"{self.address} stopped before it handled the message"))

    async def send(self, message: M) -> None:
        """Put a message into the mailbox, waiting for room."""
        queue = self.queue
        if queue is None or len(queue) < self.limit:
            if self.state >= STOPPING:
                raise ActorStopped(f"{self.address} has stopped")
            self.tell(message)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.rare().senders.append((message, future))
        await future

    async def ask(self, message: M, *, timeout: float = 5.0) -> Any:
        """Put a message into the mailbox and wait for its answer."""
        if self.state >= STOPPING:
            raise ActorStopped(f"{self.address} has stopped")
        system = self.system
        future: asyncio.Future[Any] = system.loop.create_future()
        # Any: an asked message travels in its envelope, which the turn unpacks.
        question: Any = Envelope(message, future)
        self.tell(question)
        deadlines = system.deadlines.get(timeout) or system.deadline(timeout)
        deadlines.add(future, self._late)
        try:
            return await future
        finally:
            deadlines.waiting.pop(future, None)

    def _late(self, timeout: float) -> AskTimeout:
        return AskTimeout(f"{self.address} did not answer within {timeout:g} s ({self.describe()})")

    async def stopped(self, timeout: float | None = None) -> None:
        """Wait until it has stopped."""
        if self.state == STOPPED:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self.rare().waiters
        waiters.append(future)
        try:
            await asyncio.wait_for(future, timeout)
        except TimeoutError:
            raise TimeoutError(
                f"{self.address} has not stopped after {timeout:g} s ({self.describe()})"
            ) from None
        finally:
            if future in waiters:
                waiters.remove(future)

    def statistics(self) -> ActorStatistics:
        """Report as of now."""
        from actors._statistics import ActorStatistics

        extras = self.extras
        queue = self.queue
        return ActorStatistics(
            address=self.address,
            state=STATE_NAMES[self.state],
            queue_length=0 if queue is None else len(queue),
            queue_peak=self.peak,
            processed=self.processed,
            restarts=0 if extras is None else extras.restart_count,
            last_error=None if extras is None else extras.last_error,
            children=0 if extras is None else len(extras.children),
            timers=0 if extras is None else len(extras.timers),
            jobs=0 if extras is None else len(extras.jobs),
        )

    def describe(self) -> str:
        """Say in a few words what it is doing."""
        return f"{STATE_NAMES[self.state]}, {len(self.queue or ())} waiting"

    def rare(self) -> Extras:
        """The record of rarely needed things, made on first use."""
        extras = self.extras
        if extras is None:
            extras = self.extras = Extras()
        return extras

    # -- the actor's side --------------------------------------------------------------------

    def turn(self) -> int:
        """Let the actor do what is due; the number of messages handled (at least 1)."""
        if self.state != READY:
            lifecycle.turn(self)
            return 1
        queue = self.queue
        if not queue:
            self.state = IDLE
            return 1
        waiting = len(queue)
        if waiting > self.peak:  # noqa: PLR1730 - max() is a call, once a turn
            self.peak = waiting
        self.state = RUNNING
        if self.batch_limit:
            return self._batch_turn(queue)
        receive = self.actor.receive
        take = queue.popleft
        handled = 0
        try:
            while handled < THROUGHPUT:
                self.current = message = take()
                handled += 1
                if type(message) is Envelope:
                    self._answer(message, receive)
                else:
                    result = receive(message)
                    if result is not None and is_awaitable(result):
                        self._begin_burst(result)
                if self.state != RUNNING or not queue:
                    break
        except Exception as error:  # noqa: BLE001 - the supervisor decides about all of them
            lifecycle.fail(self, error)
        self.processed += handled
        self._rest(queue)
        return handled

    def _answer(self, envelope: Envelope[Any], receive: Callable[[Any], Any]) -> None:
        """Handle an asked message; its failure is the asker's, not the supervisor's."""
        try:
            result = receive(envelope.message)
        except Exception as error:  # noqa: BLE001 - raised in the asker
            envelope.fail(error)
            return
        if result is None:
            envelope.reply(None)
        elif result is DEFERRED:
            self.rare().defer(envelope)
        elif is_awaitable(result):
            self._begin_burst(result)
        else:
            envelope.reply(result)

    def _batch_turn(self, queue: deque[Any]) -> int:
        self.current = batch = self._take_batch(queue)
        try:
            result = cast("BatchActor[M]", self.actor).receive_batch(batch)
        except Exception as error:  # noqa: BLE001 - the supervisor decides about all of them
            self._close_batch(batch, error)
            lifecycle.fail(self, error)
        else:
            if result is not None:
                self._begin_burst(result)
            else:
                self._close_batch(batch, None)
        self._rest(queue)
        return len(batch)

    def _take_batch(self, queue: deque[Any]) -> list[Envelope[Any]]:
        """Take what has queued, up to the limit."""
        take = queue.popleft
        count = min(len(queue), self.batch_limit)
        self.processed += count
        batch = [take() for _ in range(count)]
        return [item if type(item) is Envelope else Envelope(item) for item in batch]

    def _close_batch(self, batch: list[Envelope[Any]], error: BaseException | None) -> None:
        """Fail what a failed batch left unanswered, or remember what will be answered later."""
        for envelope in batch:
            if envelope.wants_reply:
                if error is not None:
                    envelope.fail(error)
                else:
                    self.rare().defer(envelope)

    def _rest(self, queue: deque[Any] | None) -> None:
        """End a turn: hand room to waiting senders, then queue again or go idle."""
        extras = self.extras
        if extras is not None:
            if extras.senders and queue is not None:
                extras.admit(queue, self.limit)
            if extras.task is not None:  # a burst goes on and will come here again
                return
        self.current = None
        state = self.state
        if state == RUNNING or state == BUSY:  # noqa: PLR1714, SIM109 - a tuple costs more, once a turn
            if queue:
                self.state = READY
                self.system.schedule(self)
            else:
                self.state = IDLE
                self.queue = None
        elif state == STOPPING:
            self.system.schedule(self)

    def _begin_burst(self, first: Awaitable[Any]) -> None:
        """Go on in a task, because the handler suspends."""
        self.rare().task = self.system.create_task(self._burst(first), self)
        if self.state == RUNNING:
            self.state = BUSY

    async def _burst(self, first: Awaitable[Any]) -> None:
        """Finish one message and handle those that have queued, until none is left."""
        extras = self.rare()
        error = None
        try:
            error = await self._finish(self.current, first)
            handled = 1
            while error is None and self.state == BUSY and self.queue and handled < THROUGHPUT:
                queue = self.queue
                self.peak = max(self.peak, len(queue))
                if self.batch_limit:
                    self.current = self._take_batch(queue)
                else:
                    self.current = queue.popleft()
                    self.processed += 1
                if extras.senders:
                    extras.admit(queue, self.limit)
                handled += 1
                error = await self._handle(self.current)
        finally:
            extras.task = None
        if error is not None and self.state == BUSY:
            lifecycle.fail(self, error)
        self._rest(self.queue)

    async def _handle(self, message: Any) -> BaseException | None:
        """Handle one more message of a burst; the error that is the supervisor's, if any."""
        try:
            if self.batch_limit:
                result: Any = cast("BatchActor[M]", self.actor).receive_batch(message)
            elif type(message) is Envelope:
                result = self.actor.receive(message.message)
            else:
                result = self.actor.receive(message)
        except Exception as error:  # noqa: BLE001 - passed on to whom it concerns
            return self._failed(message, error)
        return await self._finish(message, result)

    async def _finish(self, message: Any, result: Any) -> BaseException | None:
        """Await what a handler returned and answer; the supervisor's error, if any."""
        if result is not None and is_awaitable(result):
            try:
                result = await result
            except asyncio.CancelledError:
                return self._failed(
                    message,
                    ActorStopped(f"{self.address} was stopped while it handled the message"),
                )
            except Exception as error:  # noqa: BLE001 - passed on to whom it concerns
                return self._failed(message, error)
        if self.batch_limit:
            self._close_batch(message, None)
        elif type(message) is Envelope:
            if result is DEFERRED:
                self.rare().defer(message)
            else:
                message.reply(result)
        return None

    def _failed(self, message: Any, error: BaseException) -> BaseException | None:
        """Tell the askers; the error if it is the supervisor's too."""
        if self.batch_limit:
            self._close_batch(message, error)
        elif type(message) is Envelope:
            message.fail(error)
            return None
        return error


def is_awaitable(value: Any) -> bool:
    """Whether a handler's result must be awaited; quick for plain values."""
    return type(value) not in PLAIN and hasattr(value, "__await__")


_GONE: Final[Actor[Any]] = Actor()
