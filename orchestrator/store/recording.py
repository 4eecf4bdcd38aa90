"""Events for people: told by any actor, correlated and written by one, dropped when too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from actors import BatchActor, Envelope, Overflow
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store.correlating import Correlator, Known, Occurrence, counted, reference
from orchestrator.store.operations import Create, Modify, Operation

if TYPE_CHECKING:
    from orchestrator.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _WriteMore:
    """Time for the next portion."""


Command: TypeAlias = Occurrence | _WriteMore


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
    """Seconds between portions: at most 500 Events a second. (client-go lets 50 a second pass
    for each component.)"""

    LOG_INTERVAL = 10.0
    """Seconds between two lines about dropped Events; one tells how many since the last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._correlator = Correlator()
        self._waiting: list[Occurrence] = []
        self._resting = False
        self._dropped = 0
        self._logged_at = float("-inf")

    async def receive_batch(self, batch: list[Envelope[Command]]) -> None:
        """Write a portion now, or note what came for the next one."""
        for envelope in batch:
            if isinstance(envelope.message, Occurrence):
                self._waiting.append(envelope.message)
            else:
                self._resting = False
        if len(self._waiting) > self.mailbox_limit:
            dropped = len(self._waiting) - self.mailbox_limit
            del self._waiting[:dropped]
            self._note_dropped(dropped)
        if self._waiting and not self._resting:
            portion, self._waiting = self._waiting[: self.PORTION], self._waiting[self.PORTION :]
            self._resting = True
            self.context.after(self.INTERVAL, _WriteMore())
            await self._write(portion)

    def _note_dropped(self, count: int) -> None:
        """Say it now and then: a burst drops some with every batch."""
        self._dropped += count
        now = self.context.clock.monotonic()
        if now - self._logged_at >= self.LOG_INTERVAL:
            self.context.log.warning("events dropped", count=self._dropped)
            self._dropped = 0
            self._logged_at = now

    async def _write(self, portion: list[Occurrence]) -> None:
        operations: list[Operation] = []
        retries: list[tuple[Occurrence, Known] | None] = []
        for told in portion:
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
    """One component's voice: tells what happens to objects. Fire and forget, never waits."""

    def __init__(self, store: Store, component: str, instance: str = "") -> None:
        """Speak for a component.

        Args:
            store: Where the Events go.
            component: ``deployment-controller``, ``kubelet``, ...
            instance: Which one, a node's name for example.
        """
        self._store = store
        self._component = component
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
                component=self._component,
                instance=self._instance if instance is None else instance,
                involved=involved,
                field_path=field_path,
                type=type,
                reason=reason,
                message=message,
                time=self._store.clock.now() if time is None else time,
            )
        )
