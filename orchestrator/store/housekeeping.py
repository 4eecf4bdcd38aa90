"""What has to be done now and then: old Events go, the log is compacted into a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from actors import Actor
from actors.log import LogError
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time
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


class Housekeeper(Actor[Look]):
    """Looks around at an interval; one look at a time."""

    mailbox_limit = 1

    def __init__(self, store: Store, policy: CompactionPolicy) -> None:
        self._store = store
        self._policy = policy

    def started(self) -> None:
        """Begin to look."""
        self.context.every(self._policy.interval, Look())

    async def receive(self, message: Look) -> None:  # noqa: ARG002 - there is only one
        """Do what is due; what fails is tried at the next look."""
        try:
            await self._sweep_events()
            await self._store.compact_if_due(self._policy)
        except (StatusError, LogError) as error:
            self.context.log.warning("housekeeping failed", error=str(error))

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
