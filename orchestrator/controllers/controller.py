"""The frame of every controller: events in, keys through a queue, plans out.

A controller is level-triggered: an event only marks keys dirty, `Controller.reconcile` looks at
the present state and returns a plan, and doing so when nothing is amiss costs nothing and changes
nothing. One key is never reconciled again before the writes of its last plan were answered. The
store answers after its projection has the change, and the controller observes it before it takes
the answer, so the next look sees what the last one did: a ReplicaSet cannot create the same pods
twice.
"""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Sequence
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from actors import Actor
from orchestrator.controllers._queue import WorkQueue
from orchestrator.controllers._writes import Rebase, operations_of
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, name_of, namespace_of
from orchestrator.store import Expired, Follower, ObjectEvent, Operation, Store
from orchestrator.store.recording import component_of

K = TypeVar("K", bound=Hashable)

OPERATIONS_PER_WRITE: Final = 500
"""Operations gathered into one proposal; enough to fill a commit, few enough to share the loop."""

WRITES_IN_FLIGHT: Final = 8
"""Proposals one controller may have unanswered; beyond that keys wait in its queue."""

KEYS_PER_TURN: Final = 200
"""Keys reconciled before other actors get their turn."""

EVENTS_PER_TURN: Final = 2000
"""Events taken before other actors get their turn."""


_SETTLE_AGAIN: Final = 1.0
"""Seconds until a store that does not answer is asked again what it has committed."""


class Recorder(Protocol):
    """Where a controller's Events go; `orchestrator.store.EventRecorder` is one."""

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 # the field's name in the API
        """Record an Event about an object, without waiting and without failing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wake:
    """The store has events, or the queue has keys left over from the last turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """The earliest of the queue's timers has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """A proposal was answered.

    Attributes:
        batch: The keys in it with their plans and operations, in order.
        results: One for each operation.
    """

    batch: list[tuple[Any, Plan, list[Operation]]]
    results: Sequence[Object | StatusError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unanswered:
    """A proposal failed as a whole; what happened of it, if anything, can be seen by now."""

    batch: list[tuple[Any, Plan, list[Operation]]]
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learned:
    """Something outside was asked about a key.

    Attributes:
        key: Whose.
        value: What came of it, the exception if it failed.
    """

    key: Any
    value: Any


Command: TypeAlias = _Wake | _Due | _Answered | _Unanswered | _Learned

_WAKE: Final = _Wake()
_DUE: Final = _Due()


class Controller(Actor[Command], Generic[K]):
    """An actor that keeps objects in the state they should be in.

    Derive, name the ``resources`` to follow, mark keys in `observe` and decide in `reconcile`.
    Its mailbox holds at most one wake-up, one timer, one answer for each proposal in flight and one
    for each key that `learn` is asked about, so it cannot overflow.
    """

    resources: tuple[str, ...] = ()
    """Followed in log order, and listed in this order at the start."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self.store = store
        self.recorder = recorder
        self.queue: WorkQueue[K] = WorkQueue()
        self._follower: Follower | None = None
        self._writes = 0
        self._woken = False
        self._timer: tuple[float, Any] | None = None

    # -- what a controller defines ---------------------------------------------------------

    def reset(self) -> None:
        """Forget everything learned from events: a full list follows."""

    def observe(self, event: ObjectEvent) -> None:
        """Mark the keys that an event may concern; quick, it runs for every event."""
        raise TypeError(f"{type(self).__name__} follows resources but does not observe: {event!r}")

    def reconcile(self, key: K, now: float) -> Plan | None:
        """Return what to do about one key; None and an empty plan mean nothing.

        Args:
            key: As marked.
            now: Wall seconds.
        """
        raise TypeError(f"{type(self).__name__} does not reconcile: {key!r} at {now}")

    def namespace_ends(self, key: K) -> None:
        """Note that something could not be created since its namespace is going away.

        It is not tried again. Override it where what is there waits for what was to come.
        """

    def failed(self, key: K, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Take note that one write of a key's plan was refused."""

    def learn(self, key: K, question: Coroutine[Any, Any, Any]) -> None:
        """Ask something outside the store about a key; `learned` gets the answer.

        Not more than once for a key at a time.
        """
        self.context.run(
            self._held(question),
            done=lambda value: _Learned(key=key, value=value),
            failed=lambda error: _Learned(key=key, value=error),
        )

    async def _held(self, question: Coroutine[Any, Any, Any]) -> Any:
        with self.context.clock.held():  # the answer takes real time
            return await question

    def learned(self, key: K, value: Any) -> None:
        """Take what was asked about a key, or the exception; the key is marked afterwards."""

    # -- the machinery ---------------------------------------------------------------------

    async def started(self) -> None:
        """List and follow, once what a predecessor proposed has happened or never will."""
        await self._settled()
        self._relist()
        self._work()

    def stopped(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()

    def receive(self, message: Command) -> None:
        """Handle one message, then do what the queue holds."""
        match message:
            case _Wake():
                self._woken = False
                self._take()
            case _Due():
                self._timer = None
            case _Answered(batch=batch, results=results):
                self._writes -= 1
                self._catch_up()
                self._settle(batch, results)
            case _Unanswered(batch=batch, error=error):
                self._writes -= 1
                self._catch_up()
                self._give_back(batch, error)
            case _Learned(key=key, value=value):
                self.learned(key, value)
                self.queue.mark(key)
        self._work()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self.context.ref.tell(_WAKE)

    def _relist(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self.reset()
        # Both are synchronous: nothing can be committed between the cursor and the list.
        self._follower = self.store.follow(self.resources, self._wake)
        self._list(self.resources, self._follower.sequence)

    def _list(self, resources: Sequence[str], sequence: int) -> None:
        for resource in resources:
            for obj in self.store.list(resource):
                key = Key(resource, namespace_of(obj), name_of(obj))
                self.observe(ObjectEvent(sequence, "ADDED", key, obj, None))

    def include(self, resources: Sequence[str]) -> None:
        """Follow further resources too; their objects are observed as at the start."""
        if self._follower is None:
            return
        self._follower.include(resources)
        self._list(resources, self._follower.sequence)

    def _catch_up(self) -> None:
        """Observe all that there is, before keys whose writes were answered may be looked at.

        An answer may come while events wait for a later turn, those of the very write among them:
        a ReplicaSet that counts its pods by events would make the same ones again.
        """
        if self._woken:  # else nothing waits
            self._take(None)

    def _take(self, limit: int | None = EVENTS_PER_TURN) -> None:
        if self._follower is None:
            return
        try:
            events = self._follower.take(limit)
        except Expired:
            self._relist()
            return
        for event in events:
            if event.type == "DELETED":
                # A controller's keys are those of objects, or their names. A look too many at
                # another object of that name finds nothing to do.
                self.queue.hasten(event.key)
                self.queue.hasten(event.key.name)
        self.observe_all(events)

    def observe_all(self, events: Sequence[ObjectEvent]) -> None:
        """Observe events in log order; override where a batch is cheaper than its parts."""
        for event in events:
            self.observe(event)

    def _work(self) -> None:
        now = self.context.clock.now()
        # Delays run by the clock that nobody sets: a corrected wall clock must not stretch them.
        moment = self.context.clock.monotonic()
        self.queue.mark_due(moment)
        batch: list[tuple[K, Plan, list[Operation]]] = []
        size = 0
        keys = 0
        while self.queue and self._writes < WRITES_IN_FLIGHT:
            if keys == KEYS_PER_TURN:
                self._wake()
                break
            keys += 1
            key = self.queue.take()
            plan = self._decide(key, now, moment)
            if plan is None:
                continue
            operations = operations_of(plan)
            batch.append((key, plan, operations))
            size += len(operations)
            if size >= OPERATIONS_PER_WRITE:
                self._propose(batch)
                batch, size = [], 0
        if batch:
            self._propose(batch)
        self._set_timer(moment)

    def _decide(self, key: K, now: float, moment: float) -> Plan | None:
        """Reconcile one key; return its plan if there is something to write."""
        try:
            plan = self.reconcile(key, now)
        except Exception:
            delay = self.queue.failed(key, moment)
            self.context.log.exception("reconcile failed", key=str(key), retry_seconds=delay)
            return None
        if plan is not None:
            if plan.requeue_after is not None:
                self.queue.after(key, moment + plan.requeue_after)
            for emit in plan.events:
                self._record(emit)
            if len(plan):
                return plan
        self.queue.forget(key)
        self.queue.finish(key)
        return None

    def _propose(self, batch: list[tuple[K, Plan, list[Operation]]]) -> None:
        self._writes += 1
        operations = [operation for _, _, own in batch for operation in own]
        self.context.run(
            self._write(operations),
            done=lambda results: _Answered(batch=batch, results=results),
            failed=lambda error: _Unanswered(batch=batch, error=error),
        )

    async def _write(self, operations: list[Operation]) -> Sequence[Object | StatusError]:
        """Write; where that fails, make sure that nothing of it will still happen later.

        A key whose write is under way without anyone waiting for it would be decided about from
        objects that are about to change: a Job would get the same pod twice.
        """
        try:
            return await self.store.write(operations, by=component_of(self.recorder))
        except StatusError as error:
            if error.code == 503:  # Service Unavailable: it may have happened
                await self._settled()
            raise

    async def _settled(self) -> None:
        while True:
            try:
                await self.store.settle()
            except StatusError:
                await self.context.clock.sleep(_SETTLE_AGAIN)
            else:
                return

    def _settle(
        self,
        batch: list[tuple[K, Plan, list[Operation]]],
        results: Sequence[Object | StatusError],
    ) -> None:
        moment = self.context.clock.monotonic()
        at = 0
        for key, plan, operations in batch:
            own = results[at : at + len(operations)]
            at += len(operations)
            if self._all_done(key, plan, operations, own):
                self.queue.forget(key)
                self.queue.finish(key)
            else:
                self.queue.failed(key, moment)

    def _all_done(
        self,
        key: K,
        plan: Plan,
        operations: list[Operation],
        results: Sequence[Object | StatusError],
    ) -> bool:
        """Report what was done; tell whether nothing has to be tried again."""
        done = True
        items: list[Creation | Update | Deletion] = [*plan.create, *plan.update, *plan.delete]
        for item, operation, result in zip(items, operations, results, strict=True):
            if isinstance(result, StatusError):
                if result.code == 404 and not isinstance(item, Creation):  # Not Found
                    continue  # gone: there is nothing left to change
                if isinstance(item, Creation) and _is_ending(result):
                    self.namespace_ends(key)
                    continue  # nor is there anything to add: what is there goes soon
                done = False
                self.failed(key, item, result)
                self.context.log.debug(
                    "write refused", key=str(key), resource=item.resource, error=result.message
                )
            elif isinstance(item, Update) and Rebase.was_dropped(operation):
                self.queue.mark(key)  # the object moved on: decide again from what it is now
            elif item.event is not None:
                self._record(item.event)
        return done

    def _give_back(self, batch: list[tuple[K, Plan, list[Operation]]], error: Exception) -> None:
        moment = self.context.clock.monotonic()
        self.context.log.warning("proposal failed", keys=len(batch), error=str(error))
        for key, _, _ in batch:
            self.queue.failed(key, moment)

    def _record(self, emit: Emit) -> None:
        self.recorder.event(emit.involved, emit.type, emit.reason, emit.message)

    def _set_timer(self, moment: float) -> None:
        due = self.queue.next_due()
        if self._timer is not None:
            if due == self._timer[0]:
                return
            self._timer[1].cancel()
            self._timer = None
        if due is not None:
            self._timer = (due, self.context.after(max(0.0, due - moment), _DUE))


def _is_ending(error: StatusError) -> bool:
    """Tell whether a creation was refused because its namespace is going away."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
