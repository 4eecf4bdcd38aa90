"""The store: what everyone reads, and the way to propose a change."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Network
from typing import Any

from actors import ActorRef, ActorSystem, AskTimeout, MailboxFull
from actors.log import EventLog
from orchestrator.resources.custom.kinds import DEFINITIONS, CustomKinds
from orchestrator.resources.errors import (
    STALE,
    FieldError,
    StatusError,
    conflict,
    invalid,
    service_unavailable,
    too_many_requests,
)
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object, with_meta
from orchestrator.resources.strategies import strategy_of
from orchestrator.store.admission import Admission, Attributes, Caller
from orchestrator.store.admission.asking import anything_asked, ask_about
from orchestrator.store.allocation import (
    DEFAULT_SERVICE_CIDR,
    ServiceAllocator,
    ServiceRanges,
)
from orchestrator.store.codec import Decoder, unpack_key
from orchestrator.store.conversion import Conversion
from orchestrator.store.correlating import Occurrence
from orchestrator.store.deciding import Decider
from orchestrator.store.events import ObjectEvent
from orchestrator.store.housekeeping import (
    CompactionPolicy,
    Extent,
    Housekeeper,
    is_due,
    snapshot_entries,
)
from orchestrator.store.identities import Identities
from orchestrator.store.operations import (
    NO_OPTIONS,
    Change,
    Commit,
    Create,
    Delete,
    DeleteOptions,
    Modify,
    Operation,
    Raced,
)
from orchestrator.store.overlay import Overlay
from orchestrator.store.reading import Reads
from orchestrator.store.recording import Recorder
from orchestrator.store.replaying import fold_event
from orchestrator.store.rules import check_identity
from orchestrator.store.sequencer import Sequencer
from orchestrator.store.statistics import StoreStatistics
from orchestrator.store.window import WindowLimits

SYSTEM_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
VERSIONED_UPDATES = frozenset(
    {
        "apiservices.apiregistration.k8s.io",
        "customresourcedefinitions.apiextensions.k8s.io",
        "leases.coordination.k8s.io",
    }
)
"""Kinds whose replacement has to name the version it replaces, as upstream's strategies have it."""
_NO_VERSION = FieldError(
    "FieldValueInvalid",
    "metadata.resourceVersion",
    "Invalid value: 0: must be specified for an update",
)
_PATIENCE = 10
"""How often a change is asked about again, where hooks take longer than other writers leave it
alone, before its caller gets the conflict."""
_RACES = 3
"""How often a user's change is admitted again after losing a race, before the sequencer itself
applies it."""


class Store(Reads):
    """One cluster's objects.

    What can be read stands in `Reads`. Writes are proposals to the sequencer and return when they
    are durable. Use `open`.
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
    ) -> None:
        """Prepare; `open` also replays and starts the sequencer."""
        super().__init__(registry, system.clock, limits)
        self._system = system
        self._log = log
        self._overlay = Overlay(self._projection)
        self._allocator = ServiceAllocator(lambda: self.list("services"), system.random, ranges)
        self._identities = Identities(system.random, seeded=seeded)
        self.admission = Admission(self)
        self.conversion = Conversion()
        self._custom = CustomKinds(registry)
        self._ref: ActorRef[Commit]
        self._recorder: ActorRef[Any]
        self._snapshot = 0
        self._snapshot_size = 0
        self._tail_size = 0

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
        """
        ranges = ServiceRanges(addresses=IPv4Network(service_cidr))
        store = cls(system, log, registry, limits=limits, ranges=ranges, seeded=seeded)
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

    # ---- writes

    async def create(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        namespace: str = "",
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Admit and create an object.

        Args:
            object: The object.
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            dry_run: Decide, but write nothing.
            kind: The version that the object is in; None for the one it is stored in.
            caller: Who writes; None for the cluster itself.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: 400, 403, 404 (no such namespace), 409 (the name is taken), 422, 429, 503.
        """
        attributes = Attributes(
            operation="CREATE",
            kind=kind or self._kind(resource),
            namespace=namespace,
            dry_run=dry_run,
            caller=caller or Caller(),
        )
        admitted = await self.admission.admit_create(attributes, object)
        return await self.create_admitted(admitted, resource=resource, dry_run=dry_run)

    async def create_admitted(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        dry_run: bool = False,
    ) -> Object:
        """Create an object that `Admission.admit_create` returned.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: 403, 404 (no such namespace), 409 (the name is taken), 429, 503.
        """
        stored = await self.conversion.one(object, self._kind(resource))
        return await self._one(Create(resource, stored), dry_run=dry_run)

    async def update(
        self,
        object: Object,  # noqa: A002 - the API's word
        *,
        resource: str,
        namespace: str = "",
        name: str,
        subresource: str = "",
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Replace an object, or the part of it that is behind a subresource; see `modify`.

        ``metadata.resourceVersion`` and ``metadata.uid`` are preconditions when they are set.

        Raises:
            StatusError: As `create`, and 409 for a stale version.
        """
        metadata = object.get("metadata") or {}
        version, uid = metadata.get("resourceVersion"), metadata.get("uid")
        key = Key(resource, namespace, name)

        def replace(current: Object) -> Object:
            check_identity(key, current, uid)
            if version and version != current["metadata"]["resourceVersion"]:
                raise _stale(key)
            return object

        kind = kind or self._kind(resource)
        versioned = resource in VERSIONED_UPDATES or kind.custom is not None
        if not version and versioned and self.get(*key) is not None:
            raise invalid(kind.kind, kind.group, name, [_NO_VERSION])
        try:
            return await self.modify(
                resource,
                namespace,
                name,
                replace,
                subresource=subresource,
                dry_run=dry_run,
                kind=kind,
                caller=caller,
            )
        except StatusError as error:
            if error.code != 404 or subresource or not strategy_of(kind).create_on_update:
                raise
        fresh = with_meta(object, name=name, resourceVersion=None, uid=None)
        return await self.create(
            fresh,
            resource=resource,
            namespace=namespace,
            dry_run=dry_run,
            kind=kind,
            caller=caller,
        )

    async def modify(
        self,
        resource: str,
        namespace: str,
        name: str,
        change: Change,
        *,
        subresource: str = "",
        dry_run: bool = False,
        admit: bool = True,
        kind: Kind | None = None,
        caller: Caller | None = None,
        shown: Callable[[Object], Object] | None = None,
    ) -> Object:
        """Change the latest state of an object.

        ``change`` may run several times: it is applied again when the object has changed since.

        Args:
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            name: Of the object.
            change: From the current object to the wanted one; None leaves it as it is.
            subresource: What is written: ``status``, ``scale``, ...; empty for the object.
            dry_run: Decide, but write nothing.
            admit: Default and validate the result, as for a user's request.
            kind: The version in which ``change`` sees the object; None for the one it is stored
                in.
            caller: Who writes; None for the cluster itself.
            shown: What policies and webhooks see of an object, where the subresource has a kind
                of its own.

        Returns:
            The object in the version it is stored in.

        Raises:
            StatusError: As `update`, and what ``change`` raises.
        """
        if not admit:
            operation = Modify(resource, namespace, name, change, subresource)
            return await self._one(operation, dry_run=dry_run)
        stored = self._kind(resource)
        kind = kind or stored
        if self.conversion.waits(kind) or self.admission.asked("UPDATE", kind, subresource):
            attributes = Attributes(
                operation="UPDATE",
                kind=kind,
                subresource=subresource,
                namespace=namespace,
                name=name,
                dry_run=dry_run,
                caller=caller or Caller(),
            )
            return await self._modify_asking(attributes, change, shown)
        converted = self.registry.is_converted(kind)

        def admitted(current: Object) -> Object | None:
            seen = Conversion.now(current, kind) if converted else current
            wanted = change(seen)
            if wanted is None or wanted is seen:
                return None
            wanted = self.admission.admit_update(kind, seen, wanted, subresource)
            return Conversion.now(wanted, stored) if converted else wanted

        for _ in range(_RACES):
            found = self.get(resource, namespace, name)
            if found is None:
                break  # it may be pending: the sequencer knows
            wanted = admitted(found)
            try:
                return await self._swap(resource, found, wanted, subresource, dry_run=dry_run)
            except Raced:
                continue
        operation = Modify(resource, namespace, name, admitted, subresource or "*")
        return await self._one(operation, dry_run=dry_run)

    async def _modify_asking(
        self, attributes: Attributes, change: Change, shown: Callable[[Object], Object] | None
    ) -> Object:
        """Change an object that hooks have a say in, for whom the sequencer can't wait."""
        kind = attributes.kind
        at = Key(kind.resource, attributes.namespace, attributes.name)
        stored = self._kind(kind.resource)
        for _ in range(_PATIENCE):
            found = self.get(*at)
            if found is None:  # it may be pending: the sequencer knows
                found = await self._one(Modify(*at, _unchanged), dry_run=False)
            seen = await self.conversion.one(found, kind)
            wanted = change(seen)
            if wanted is None or wanted is seen:
                return found
            admitted = await self.admission.admit_change(attributes, seen, wanted, shown)
            final = await self.conversion.one(admitted, stored)
            try:
                return await self._swap(
                    kind.resource, found, final, attributes.subresource, dry_run=attributes.dry_run
                )
            except Raced:
                continue
        raise _stale(at)

    async def _swap(
        self,
        resource: str,
        seen: Object,
        wanted: Object | None,
        subresource: str,
        *,
        dry_run: bool,
    ) -> Object:
        """Write ``wanted`` unless the object is no longer the one that was seen.

        Raises:
            Raced: It is not.
            StatusError: The write was refused.
        """

        def swap(current: Object) -> Object | None:
            if current is not seen:
                raise Raced
            return wanted

        metadata = seen["metadata"]
        operation = Modify(
            resource, metadata.get("namespace") or "", metadata["name"], swap, subresource or "*"
        )
        return await self._one(operation, dry_run=dry_run)

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        options: DeleteOptions | None = None,
        dry_run: bool = False,
        kind: Kind | None = None,
        caller: Caller | None = None,
    ) -> Object:
        """Delete an object, or mark it for deletion; returns its last (or marked) state.

        Args:
            resource: Of the object.
            namespace: Of the object; empty when cluster-scoped.
            name: Of the object.
            options: How.
            dry_run: Decide, but write nothing.
            kind: The version that policies and webhooks see; None for the one it is stored in.
            caller: Who deletes; None for the cluster itself.

        Raises:
            StatusError: 403, 404, 409, 422, 429, 503, or whatever a hook refuses with.
        """
        kind = kind or self._kind(resource)
        if self.admission.asked("DELETE", kind):
            found = self.get(resource, namespace, name)
            if found is not None:
                attributes = Attributes(
                    operation="DELETE",
                    kind=kind,
                    namespace=namespace,
                    name=name,
                    old=await self.conversion.one(found, kind),
                    dry_run=dry_run,
                    caller=caller or Caller(),
                )
                await self.admission.ask(attributes)
        operation = Delete(resource, namespace, name, options or NO_OPTIONS)
        return await self._one(operation, dry_run=dry_run)

    async def write(
        self,
        operations: Sequence[Operation],
        *,
        timeout: float = 30.0,
        caller: Caller | None = None,
    ) -> builtins.list[Object | StatusError]:
        """Propose many changes at once; for actors of the cluster, whose objects are trusted.

        New objects are defaulted but not validated, unless policies or webhooks have a say. Results
        come in order, refusals as values.

        Args:
            operations: In order; a later one sees what an earlier one did.
            timeout: Seconds to wait for the sequencer.
            caller: Who writes, for policies and webhooks; None for the controllers.

        Raises:
            StatusError: 429 when the sequencer has no room, 503 when the commit failed.
        """
        if not operations:
            return []
        prepare = self.admission.prepare
        early: dict[int, StatusError] = {}
        proposals: list[Operation] = []
        for at, operation in enumerate(operations):
            if type(operation) is Create:
                try:
                    prepared = prepare(operation.resource, operation.object)
                except StatusError as error:
                    early[at] = error
                    continue
                proposals.append(Create(operation.resource, prepared))
            else:
                proposals.append(operation)
        if self.admission.hooks and anything_asked(self, proposals):
            results = await self._write_asking(proposals, timeout, caller or Caller())
        else:
            results = await self._ask(Commit(operations=tuple(proposals)), timeout)
        for at, refusal in early.items():
            results.insert(at, refusal)
        return results

    async def _write_asking(
        self, operations: Sequence[Operation], timeout: float, caller: Caller
    ) -> builtins.list[Object | StatusError]:
        """Write what hooks have agreed to; what raced with another write is asked about again."""
        results: dict[int, Object | StatusError] = {}
        left = dict(enumerate(operations))
        for _ in range(_PATIENCE):
            asked = await ask_about(self, tuple(left.values()), caller)
            agreed: dict[int, Operation] = {}
            for at, answer in zip(left, asked, strict=True):
                if isinstance(answer, StatusError):
                    results[at] = answer
                else:
                    agreed[at] = answer
            if not agreed:
                break
            written = await self._ask(Commit(operations=tuple(agreed.values())), timeout)
            raced = {}
            for at, result in zip(agreed, written, strict=True):
                if isinstance(result, Raced):
                    raced[at] = operations[at]
                    key = _key_of(operations[at])
                    results[at] = _stale(key)
                else:
                    results[at] = result
            left = raced
            if not left:
                break
        return [results[at] for at in range(len(operations))]

    async def _one(self, operation: Operation, *, dry_run: bool) -> Object:
        results = await self._ask(Commit(operations=(operation,), dry_run=dry_run), 30.0)
        result = results[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def _ask(self, commit: Commit, timeout: float) -> builtins.list[Object | StatusError]:
        try:
            results: list[Object | StatusError] = await self._ref.ask(commit, timeout=timeout)
        except MailboxFull:
            raise too_many_requests(
                "the store has too many writes waiting, please try again later"
            ) from None
        except AskTimeout:
            raise service_unavailable(
                f"the store did not answer within {timeout:g} s; the write may still happen"
            ) from None
        return results

    # ---- besides

    def serve(self, registry: KindRegistry) -> None:
        """Serve other built-in kinds from now on, besides those that definitions add.

        What is stored of a kind no longer served stays.
        """
        self._custom = CustomKinds(registry)
        self._serve_custom()

    def _serve_custom(self) -> None:
        """Serve what the definitions of custom resources say now."""
        self.registry = self._custom.registry(self.list(DEFINITIONS))

    def record(self, occurrence: Occurrence) -> None:
        """Pass on what a component tells; see `orchestrator.store.EventRecorder`."""
        self._recorder.tell(occurrence)

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
        await self._log.compact(sequence + 1)

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
        return Decider(
            self, self._overlay, self._allocator, self._identities, self._log.last_sequence
        )

    def _publish(self, events: builtins.list[ObjectEvent], size: int) -> None:
        apply = self._projection.apply
        for event in events:
            apply(event)
        self._overlay.settle(events)
        self._tail_size += size
        touched = self._window.add(events, size, self.clock.now())
        if DEFINITIONS in touched:
            self._serve_custom()
        self.admission.note(touched)
        self._followers.publish(touched, events[-1].sequence)

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
        async for records in self._log.read(projection.sequence):
            events = []
            for record in records:
                event = fold_event(decoder, projection, record)
                projection.apply(event)
                events.append(event)
            size = sum(len(record.data) for record in records)
            self._tail_size += size
            touched = self._window.add(events, size, self.clock.now())
            self._followers.publish(touched, events[-1].sequence)
        self._serve_custom()


def _unchanged(_current: Object) -> None:
    """Leave an object as it is."""


def _key_of(operation: Operation) -> Key:
    assert not isinstance(operation, Create), "a creation does not race"
    return Key(operation.resource, operation.namespace, operation.name)


def _stale(key: Key) -> StatusError:
    return conflict(key.resource, key.name, STALE)


def _namespace(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
