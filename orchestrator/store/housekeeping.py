"""What has to be done now and then: old Events go, the log is compacted into a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from actors import Actor, Timer
from actors.log import LogError
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time, parse_time
from orchestrator.store.codec import Encoder, pack_key
from orchestrator.store.operations import Delete, DeleteOptions

if TYPE_CHECKING:
    from orchestrator.store.store import Store

EVENT_SECONDS = 3600.0
"""How long an Event stays after it was last counted; upstream's ``--event-ttl``."""
_SWEEP = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPolicy:
    """When the log is compacted.

    Attributes:
        interval: Seconds between looks.
        records: Compact once so many records lie behind the last snapshot, and at least
            ``factor`` times as many as there are objects: a snapshot costs as much as it has
            objects, so its cost is spread over at least as many writes.
        size: Compact as well once so many bytes lie behind it, and at least ``factor`` times as
            many as the snapshot has.
        factor: See ``records``.
    """

    interval: float = 60.0
    records: int = 20_000
    size: int = 64 * 1024 * 1024
    factor: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Time to look around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Something is written, after a time in which nothing was."""


class Housekeeper(Actor[Look | Written]):
    """Looks around at an interval, one look at a time, as long as there is something to look at.

    Where nothing was written since the last look, it looks again when the oldest Event is to go,
    or an interval after something is written.
    """

    mailbox_limit = 2

    def __init__(self, store: Store, policy: CompactionPolicy) -> None:
        self._store = store
        self._policy = policy
        self._looked_at = -1
        self._timer: Timer | None = None
        self._hear = self._heard  # one object, by which it is known
        self._rests = False

    def started(self) -> None:
        """Begin to look."""
        self._look_after(self._policy.interval)

    def stopped(self) -> None:
        """Hear of nothing any more."""
        self._store.stop_waiting(self._hear)

    async def receive(self, message: Look | Written) -> None:
        """Do what is due; what fails is tried at the next look."""
        if isinstance(message, Written):
            self._look_after(self._policy.interval)
            return
        self._timer = None
        written, self._looked_at = self._store.sequence != self._looked_at, self._store.sequence
        try:
            await self._sweep_events()
            await self._store.compact_if_due(self._policy)
        except (StatusError, LogError) as error:
            self.context.log.warning("housekeeping failed", error=str(error))
            written = True
        if written:
            self._look_after(self._policy.interval)
        else:
            self._rest()

    def _look_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.context.after(seconds, Look())

    def _rest(self) -> None:
        """Wait for a write, or for the oldest Event's time."""
        oldest = min(map(last_seen, self._store.each("events")), default=None)
        if oldest is not None:
            left = parse_time(oldest) + EVENT_SECONDS + 1 - self._store.clock.now()
            self._look_after(max(left, self._policy.interval))
        self._rests = True
        self._store.await_write(self._hear)

    def _heard(self) -> None:
        if self._rests:
            self._rests = False
            self._store.stop_waiting(self._hear)
            self.context.ref.tell(Written())

    async def _sweep_events(self) -> None:
        cutoff = format_time(self._store.clock.now() - EVENT_SECONDS)
        old = [
            Delete(
                "events",
                event["metadata"]["namespace"],
                event["metadata"]["name"],
                DeleteOptions(uid=event["metadata"]["uid"]),
            )
            for event in self._store.each("events")
            # Hardly any is older than an hour: one look tells it of most.
            if event["metadata"]["creationTimestamp"] < cutoff and last_seen(event) < cutoff
        ]
        for begin in range(0, len(old), _SWEEP):
            await self._store.write(old[begin : begin + _SWEEP], by="event-ttl")


def last_seen(event: Object) -> str:
    """Return when an Event was last counted; RFC 3339 in UTC compares as text."""
    times = (
        event["metadata"].get("creationTimestamp") or "",
        event.get("lastTimestamp") or "",
        event.get("eventTime") or "",
        (event.get("series") or {}).get("lastObservedTime") or "",
    )
    return str(max(times))


class Extent(NamedTuple):
    """How much of the log there is.

    Attributes:
        records: Since the last snapshot.
        size: Their bytes.
        objects: How many a snapshot would have now.
        snapshot_size: Bytes of the last snapshot.
    """

    records: int
    size: int
    objects: int
    snapshot_size: int


def is_due(policy: CompactionPolicy, log: Extent) -> bool:
    """Tell whether what lies behind the last snapshot is worth a new one."""
    if log.records >= policy.records and log.records >= policy.factor * log.objects:
        return True
    return log.size >= policy.size and log.size >= policy.factor * log.snapshot_size


def snapshot_entries(
    objects: list[tuple[tuple[str, str, str], Object]],
) -> Iterator[tuple[str, int, bytes]]:
    """Yield the entries of a snapshot; objects are frozen, so this may take its time."""
    encoder = Encoder()
    for key, obj in objects:
        yield pack_key(key), int(obj["metadata"]["resourceVersion"]), encoder.create(obj)
