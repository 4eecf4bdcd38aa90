"""Events for people: told by any actor, correlated and written by one, dropped when too many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, TypeAlias

from actors import BatchActor, Envelope, Overflow
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.correlating import Correlator, Known, Occurrence, counted, reference
from orchestrator.store.operations import Create, Modify, Operation

if TYPE_CHECKING:
    from orchestrator.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _WriteMore:
    """Time for the next portion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """An earlier state was put back: what was told since never happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """The same happened to many objects.

    Most are dropped when there are very many, so each becomes an `Occurrence` only when it is its
    turn to be written.

    Attributes:
        component: Who reports it.
        instance: Which of them, or empty.
        involved: The objects.
        type: ``Normal`` or ``Warning``.
        reason: One CamelCase word.
        message: Makes an object's message.
        time: Seconds since the epoch.
    """

    component: str
    instance: str
    involved: Sequence[Object]
    type: str
    reason: str
    message: Callable[[Object], str]
    time: float

    def of(self, involved: Object) -> Occurrence:
        """Return what happened to one of the objects."""
        return Occurrence(
            component=self.component,
            instance=self.instance,
            involved=involved,
            field_path="",
            type=self.type,
            reason=self.reason,
            message=self.message(involved),
            time=self.time,
        )


Command: TypeAlias = Occurrence | Occurrences | Forget | _WriteMore


class Recorder(BatchActor[Command]):
    """Writes occurrences in small portions, so that Events never crowd out what they are about.

    When more come than are written, the oldest are dropped: Events are told on a best-effort
    basis, as upstream's are.
    """

    mailbox_limit = 4096
    overflow = Overflow.DROP_OLDEST
    batch_limit = 4096

    PORTION = 50
    INTERVAL = 0.1
    """Seconds after a full portion: at most 500 Events a second. (client-go lets 50 a second pass
    for each component.)"""

    LOG_INTERVAL = 10.0
    """Seconds between two lines about dropped Events; one tells how many since the last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._correlator = Correlator()
        self._waiting: deque[tuple[Occurrence | Occurrences, Object]] = deque(
            maxlen=self.mailbox_limit
        )
        self._resting = False
        self._dropped = 0
        self._logged_at = float("-inf")

    async def receive_batch(self, batch: list[Envelope[Command]]) -> None:
        """Write a portion now, or note what came for the next one."""
        waiting = self._waiting
        come = len(waiting)
        for envelope in batch:
            message = envelope.message
            if isinstance(message, _WriteMore):
                self._resting = False
            elif isinstance(message, Forget):
                self._correlator = Correlator()
                waiting.clear()
                come = 0
            elif isinstance(message, Occurrence):
                waiting.append((message, message.involved))
                come += 1
            else:
                waiting.extend(zip(repeat(message), message.involved))
                come += len(message.involved)
        if come > len(waiting):
            self._note_dropped(come - len(waiting))
        if waiting and not self._resting:
            portion = [waiting.popleft() for _ in range(min(self.PORTION, len(waiting)))]
            self._resting = True
            # A portion that is not full is paid for sooner: a lone Event is there at once, and so
            # is the next.
            self.context.after(self.INTERVAL * len(portion) / self.PORTION, _WriteMore())
            await self._write(portion)

    def _note_dropped(self, count: int) -> None:
        """Say it now and then: a burst drops some with every batch."""
        self._dropped += count
        now = self.context.clock.monotonic()
        if now - self._logged_at >= self.LOG_INTERVAL:
            self.context.log.warning("events dropped", count=self._dropped)
            self._dropped = 0
            self._logged_at = now

    async def _write(self, portion: list[tuple[Occurrence | Occurrences, Object]]) -> None:
        operations: list[Operation] = []
        retries: list[tuple[Occurrence, Known] | None] = []
        for said, about in portion:
            told = said if isinstance(said, Occurrence) else said.of(about)
            # Only now: in a burst most are dropped before.
            occurrence = told._replace(involved=reference(told.involved, told.field_path))
            decision = self._correlator.decide(occurrence)
            if isinstance(decision, Known):
                operations.append(_count(decision, occurrence))
                retries.append((occurrence, decision))
            elif decision is not None:
                operations.append(Create("events", decision))
                retries.append(None)
        try:
            results = await self._store.write(operations)
            gone = [
                _again(retry[1], retry[0])
                for retry, result in zip(retries, results, strict=True)
                if retry is not None and isinstance(result, StatusError) and result.code == 404
            ]
            await self._store.write(gone)  # a known Event that has expired is told anew
        except StatusError as error:
            self.context.log.warning("events lost", count=len(operations), error=str(error))


def _count(known: Known, occurrence: Occurrence) -> Modify:
    return Modify(
        "events", known.namespace, known.name, lambda event: counted(event, occurrence), "count"
    )


def _again(known: Known, occurrence: Occurrence) -> Create:
    when = counted(known.object, occurrence)["lastTimestamp"]
    return Create(
        "events", {**known.object, "firstTimestamp": when, "lastTimestamp": when, "count": 1}
    )


class EventRecorder:
    """One component's voice: tells what happens to objects. Fire and forget, never waits.

    Attributes:
        component: Whose.
    """

    def __init__(self, store: Store, component: str, instance: str = "") -> None:
        """Speak for a component.

        Args:
            store: Where the Events go.
            component: ``deployment-controller``, ``kubelet``, ...
            instance: Which one, a node's name for example.
        """
        self._store = store
        self.component = component
        self._instance = instance

    def event(
        self,
        involved: Object,
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        field_path: str = "",
        instance: str | None = None,
        time: float | None = None,
    ) -> None:
        """Tell that something happened.

        Args:
            involved: The object, or an ``ObjectReference``.
            type: ``Normal`` or ``Warning``.
            reason: One CamelCase word, upstream's where there is one.
            message: For a person.
            field_path: Which part: ``spec.containers{web}``.
            instance: In place of the recorder's own.
            time: When, in seconds since the epoch; now, unless given.
        """
        self._store.record(
            Occurrence(
                component=self.component,
                instance=self._instance if instance is None else instance,
                involved=involved,
                field_path=field_path,
                type=type,
                reason=reason,
                message=message,
                time=self._store.clock.now() if time is None else time,
            )
        )

    def event_for_all(
        self,
        involved: Sequence[Object],
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: Callable[[Object], str],
        *,
        time: float | None = None,
    ) -> None:
        """Tell that the same happened to many objects, in one message.

        Args:
            involved: The objects.
            type: ``Normal`` or ``Warning``.
            reason: One CamelCase word, upstream's where there is one.
            message: Makes an object's message; called when its Event is written.
            time: When, in seconds since the epoch; now, unless given.
        """
        self._store.record(
            Occurrences(
                component=self.component,
                instance=self._instance,
                involved=involved,
                type=type,
                reason=reason,
                message=message,
                time=self._store.clock.now() if time is None else time,
            )
        )


def component_of(recorder: object) -> str:
    """Return whom a recorder speaks for; empty for one that does not say."""
    return getattr(recorder, "component", "")
