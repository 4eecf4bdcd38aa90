"""The store: what everyone reads, and the way to propose a change."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network
from typing import Any, cast

from actors import ActorRef, ActorSystem
from actors.log import EventLog
from orchestrator.resources.custom.kinds import DEFINITIONS, CustomKinds
from orchestrator.resources.errors import (
    StatusError,
)
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Key, Object
from orchestrator.store.allocation import (
    DEFAULT_SERVICE_CIDR,
    ServiceAllocator,
    ServiceRanges,
)
from orchestrator.store.codec import Decoder, unpack_key
from orchestrator.store.correlating import Occurrence
from orchestrator.store.deciding import Decider
from orchestrator.store.events import ObjectEvent
from orchestrator.store.history import History
from orchestrator.store.housekeeping import (
    CompactionPolicy,
    Extent,
    Housekeeper,
    is_due,
    snapshot_entries,
)
from orchestrator.store.identities import Identities
from orchestrator.store.operations import Commit, Create, Rewind
from orchestrator.store.overlay import Overlay
from orchestrator.store.quotas import QUOTAS, QuotaLedger
from orchestrator.store.recording import Forget, Occurrences, Recorder
from orchestrator.store.replaying import fold_event
from orchestrator.store.sequencer import Sequencer
from orchestrator.store.statistics import StoreStatistics
from orchestrator.store.window import WindowLimits
from orchestrator.store.writing import Writes

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class Store(Writes):
    """One cluster's objects.

    What can be read stands in `Reads`, what can be written in `Writes`. Use `open`.

    Attributes:
        history: The past beyond what watchers may ask for, where it is kept.
    """

    def __init__(
        self,
        system: ActorSystem,
        log: EventLog,
        registry: KindRegistry,
        *,
        limits: WindowLimits | None = None,
        ranges: ServiceRanges | None = None,
        seeded: bool = False,
        history: History | None = None,
    ) -> None:
        """Prepare; `open` also replays and starts the sequencer."""
        super().__init__(registry, system.clock, limits)
        self.history = history
        self._system = system
        self._log = log
        self._overlay = Overlay(self._projection)
        self._allocator = ServiceAllocator(lambda: self.list("services"), system.random, ranges)
        self._identities = Identities(system.random, seeded=seeded)
        self._custom = CustomKinds(registry)
        self._recorder: ActorRef[Any]
        self._snapshot = 0
        self._snapshot_size = 0
        self._tail_size = 0
        self._untold: tuple[Iterable[str], int, int] | None = None

    @classmethod
    async def open(
        cls,
        system: ActorSystem,
        log: EventLog,
        registry: KindRegistry,
        *,
        limits: WindowLimits | None = None,
        service_cidr: str = DEFAULT_SERVICE_CIDR,
        compaction: CompactionPolicy | None = None,
        seeded: bool = False,
        namespaces: Iterable[str] = SYSTEM_NAMESPACES,
        name: str = "store",
        history: History | None = None,
    ) -> Store:
        """Replay the log and start the sequencer.

        Args:
            system: Where the sequencer lives; its clock and generator are the store's.
            log: Belongs to this store alone until the system stops.
            registry: The kinds to serve.
            limits: How much of the past watchers may ask for.
            service_cidr: IPv4 range of the services' addresses.
            compaction: When the log is compacted.
            seeded: Take uids from the system's seeded generator, so that a simulation repeats.
            namespaces: Made when missing, as the API server makes its system namespaces.
            name: Of the sequencer actor.
            history: Takes in all that happens; the log keeps what it keeps.
        """
        ranges = ServiceRanges(addresses=IPv4Network(service_cidr))
        store = cls(
            system, log, registry, limits=limits, ranges=ranges, seeded=seeded, history=history
        )
        await store._recover()
        store._ref = system.spawn(
            lambda: Sequencer(log, store._decider, store._recover, store._publish), name
        )
        store._recorder = system.spawn(lambda: Recorder(store), f"{name}-events")
        policy = compaction or CompactionPolicy()
        system.spawn(lambda: Housekeeper(store, policy), f"{name}-housekeeper")
        missing = [
            Create("namespaces", _namespace(name))
            for name in namespaces
            if store.get("namespaces", "", name) is None
        ]
        for result in await store.write(missing):
            if isinstance(result, StatusError):
                raise result
        return store

    def serve(self, registry: KindRegistry) -> None:
        """Serve other built-in kinds from now on, besides those that definitions add.

        What is stored of a kind no longer served stays.
        """
        self._custom = CustomKinds(registry)
        self._serve_custom()

    @property
    def built_in(self) -> KindRegistry:
        """The kinds that are served besides those that definitions add."""
        return self._custom.base

    def _serve_custom(self) -> None:
        """Serve what the definitions of custom resources say now."""
        self.registry = self._custom.registry(self.list(DEFINITIONS))

    def objects(self) -> dict[Key, Object]:
        """Return all objects by key, as they are now."""
        return cast("dict[Key, Object]", self._projection.objects).copy()

    async def rewind(self, rewind: Rewind) -> None:
        """Put back an earlier state of all objects, with their old uids and at new versions.

        All of it is one commit. Clients' watches from before get 410, and lists of a version before
        it; the cluster's own parts see changes that are marked as `ObjectEvent.restored`.

        Raises:
            StatusError: 429 when the sequencer has no room, 503 when the commit failed.
        """
        await self._ask(Commit(operations=(), rewind=rewind, by="restore"), 30.0)

    def record(self, occurrence: Occurrence | Occurrences) -> None:
        """Pass on what a component tells; see `orchestrator.store.EventRecorder`."""
        self._recorder.tell(occurrence)

    def await_write(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at every commit from now on, until `stop_waiting`."""
        self._followers.await_any(wake)

    def stop_waiting(self, wake: Callable[[], None]) -> None:
        """End what `await_write` began, with the same object."""
        self._followers.stop_waiting(wake)

    async def compact_if_due(self, policy: CompactionPolicy) -> bool:
        """Compact the log when the policy says so; tell whether it was done."""
        records = self.sequence - self._snapshot
        log = Extent(records, self._tail_size, len(self._projection), self._snapshot_size)
        if not is_due(policy, log):
            return False
        await self.compact()
        return True

    async def compact(self) -> None:
        """Write a snapshot of the present and drop the history before it.

        Writes go on meanwhile. What watchers may ask for is in memory and stays; only a restart
        finds no more than what came after the snapshot.

        Raises:
            LogError: The log could not; nothing is lost.
        """
        sequence, size = self.sequence, self._tail_size
        objects = list(self._projection.objects.items())
        written = 0

        def entries() -> Iterator[tuple[str, int, bytes]]:
            nonlocal written
            for entry in snapshot_entries(objects):
                written += len(entry[2])
                yield entry

        await self._log.snapshot(sequence, entries())
        self._snapshot = sequence
        self._snapshot_size = written
        self._tail_size -= size
        kept = sequence if self.history is None else min(sequence, self.history.floor)
        await self._log.compact(kept + 1)

    def statistics(self) -> StoreStatistics:
        """Return how the store is doing."""
        mailbox = self._ref.statistics()
        return StoreStatistics(
            sequence=self.sequence,
            snapshot=self._snapshot,
            objects={
                resource: len(table.objects)
                for resource in self._projection.resources()
                if (table := self._projection.table(resource)) is not None and table.objects
            },
            window=len(self._window),
            oldest=self._window.floor,
            followers=len(self._followers),
            pending=len(self._overlay),
            mailbox=mailbox,
        )

    # ---- the sequencer's side

    def _decider(self) -> Decider:
        self._overlay.clear()
        self._allocator.rebuild()
        ledger = QuotaLedger(self._overlay)
        ledger.rebuild(self.list(QUOTAS))
        return Decider(
            self,
            self._overlay,
            self._allocator,
            ledger,
            self._identities,
            self._log.last_sequence,
        )

    def _publish(
        self, events: builtins.list[ObjectEvent], size: int, rewound: int
    ) -> Callable[[], None]:
        self._tell()  # of those before first
        self._projection.apply_all(events)
        self._overlay.settle(events)
        self._tail_size += size
        if self.history is not None:
            self.history.add(events, size)
        touched = self._window.add(events, size, self.clock.now())
        if DEFINITIONS in touched:
            self._serve_custom()
        if rewound:
            self._window.expire(rewound)
        self.admission.note(touched)
        self._untold = touched, events[-1].sequence, rewound
        return self._tell

    def _tell(self) -> None:
        """Tell those who follow of the last commit, unless they have been told."""
        if self._untold is None:
            return
        (touched, sequence, rewound), self._untold = self._untold, None
        if rewound:
            self._followers.expire(rewound)
            self._recorder.tell(Forget())
        self._followers.publish(touched, sequence)

    async def _recover(self) -> None:
        """Take in what the log has and the projection has not."""
        decoder = Decoder()
        projection = self._projection
        if projection.sequence == self._log.last_sequence:
            return
        if projection.sequence == 0:
            snapshot = await self._log.load_snapshot()
            if snapshot is not None:
                async for chunk in snapshot.chunks:
                    for text, sequence, data in chunk:
                        self._snapshot_size += len(data)
                        key = unpack_key(text)
                        projection.set(sequence, key, decoder.fold(sequence, key, data, None))
                projection.sequence = self._snapshot = snapshot.sequence
                self._window.restart(snapshot.sequence)
                self._followers.sequence = snapshot.sequence
                if self.history is not None:
                    self.history.begin(snapshot.sequence, projection.objects)
        async for records in self._log.read(projection.sequence):
            events = []
            for record in records:
                event = fold_event(decoder, projection, record)
                projection.apply(event)
                events.append(event)
            size = sum(len(record.data) for record in records)
            self._tail_size += size
            if self.history is not None:
                self.history.add(events, size)
            touched = self._window.add(events, size, self.clock.now())
            self._followers.publish(touched, events[-1].sequence)
        self._serve_custom()


def _namespace(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
