"""From operations to events: the sequencer's decisions, on the latest state, one at a time.

Nothing here waits, logs or writes. `orchestrator.store.sequencer` makes the drafted events
durable, or drops them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from typing import Final, NamedTuple, Protocol

from actors.log import Append
from actors.log.protocol import Payload
from orchestrator.resources.errors import StatusError, already_exists, not_found, not_served
from orchestrator.resources.job_selectors import with_own_selector
from orchestrator.resources.kinds import Kind, KindRegistry
from orchestrator.resources.objects import Key, Object, make_key, with_meta
from orchestrator.resources.strategies import strategy_of
from orchestrator.resources.timestamps import format_time
from orchestrator.store.allocation import ServiceAllocator
from orchestrator.store.codec import (
    Delta,
    Encoder,
    Stamp,
    defer_creation,
    diff_objects,
    pack_key,
)
from orchestrator.store.events import EventType, ObjectEvent
from orchestrator.store.identities import Identities
from orchestrator.store.operations import Changed, Create, Delete, Modify, Operation, Raced, Rewind
from orchestrator.store.overlay import Overlay
from orchestrator.store.quotas import QUOTAS, Charge, QuotaLedger
from orchestrator.store.rewinding import creations, plan_rewind, removals
from orchestrator.store.rules import (
    check_identity,
    check_namespace,
    decide_delete,
    decide_metadata,
    is_finished,
)

# What a named tuple's own constructor does, in half the time.
_append: Callable[[tuple[str, Payload, None]], Append] = partial(tuple.__new__, Append)

_HOLDERS: Final = ("services", QUOTAS)
"""Kinds whose objects hold something that others cannot have, or are counted by."""

_NAME_ATTEMPTS = 8
"""How often a generated name is drawn again when it is taken; upstream's number."""


class Served(Protocol):
    """Who knows the kinds that are served at the moment."""

    @property
    def registry(self) -> KindRegistry:
        """The kinds."""


class Draft(NamedTuple):
    """Decided changes that go to the log together.

    Attributes:
        events: What will be published, with the sequences they will have.
        appends: Their log records, in the same order.
        rewinds: The last sequence of each return to an earlier state among them.
    """

    events: list[ObjectEvent]
    appends: list[Append]
    rewinds: list[int]


class Decider:
    """Decides operations against the overlay and collects what they come to.

    Attributes:
        draft: What was decided since `take`.
        now: Seconds since the epoch, set before each batch.
    """

    def __init__(
        self,
        served: Served,
        overlay: Overlay,
        allocator: ServiceAllocator,
        ledger: QuotaLedger,
        identities: Identities,
        sequence: int,
    ) -> None:
        self.now = 0.0
        self.draft = Draft([], [], [])
        self._served = served
        self._overlay = overlay
        self._allocator = allocator
        self._ledger = ledger
        self._identities = identities
        self._sequence = sequence
        self._encoder = Encoder()
        self._signed = -1.0
        self._stamped = -1.0, ""

    def take(self) -> Draft:
        """Return the draft and start a new one."""
        draft, self.draft = self.draft, Draft([], [], [])
        return draft

    def sign(self, by: str) -> None:
        """Note who proposes what is decided from now on; `now` is when."""
        stamp = self._encoder.stamp
        if stamp.by != by or self._signed != self.now:
            self._signed = self.now
            self._encoder.stamp = Stamp(round(self.now, 3), by)

    def reset(self, sequence: int) -> None:
        """Start over from a durable sequence; pending decisions are void."""
        self._overlay.clear()
        self._allocator.rebuild()
        self._ledger.rebuild(self._overlay.committed(QUOTAS))
        self._sequence = sequence
        self.draft = Draft([], [], [])

    def decide(self, operation: Operation) -> Object:
        """Decide one operation and return the object its caller gets.

        Raises:
            StatusError: It is refused; nothing was drafted.
        """
        sequence = self._sequence
        try:
            # `match` takes twice as long, and every write of a burst comes through here.
            if isinstance(operation, Modify):
                return self._modify(operation)
            if isinstance(operation, Create):
                return self._create(operation)
            return self._delete(operation)
        except BaseException:
            events = self.draft.events
            assert not events or events[-1].sequence <= sequence
            self._sequence = sequence
            raise

    def rewind(self, rewind: Rewind) -> None:
        """Put back an earlier state of all objects; what is as it was stays untouched."""
        plan = plan_rewind(self._overlay.everything(), rewind)
        for key, current in (*plan.remove, *plan.change):
            if key[0] == "services":
                self._allocator.release(key, current)
        for key, wanted in plan.create:
            if key[0] in _HOLDERS:
                self._take_in(key, wanted)
        encoder, sequence = self._encoder, self._sequence
        removed = removals(plan.remove, sequence, encoder.stamp)
        created = creations(plan.create, sequence + len(removed), encoder.stamp)
        gone = encoder.delete()
        self._put_all(removed, repeat(gone))
        made = [event.object for event in created]
        payloads = map(defer_creation, zip(repeat(encoder), repeat(encoder.stamp), made))
        self._put_all(created, payloads)
        rewind.known.update(zip([event.key for event in created], made, strict=True))
        for key, current in plan.change:
            wanted = rewind.objects[key]
            self._take_in(key, wanted)
            delta = diff_objects(current, wanted)
            if delta is None:
                rewind.known[key] = current
            else:
                rewind.known[key] = self._put_changed(key, current, wanted, delta)
                self.draft.events[-1].restored = True
        if self._sequence != sequence:
            self.draft.rewinds.append(self._sequence)

    def _take_in(self, key: Key, obj: Object) -> None:
        """Note what an object that is put back holds."""
        if key[0] == "services":
            self._allocator.adopt(key, obj)
        elif key[0] == QUOTAS:
            self._ledger.add(key[1], key[2])

    def _put_all(self, made: Sequence[ObjectEvent], payloads: Iterable[Payload]) -> None:
        """Do what `_put` does for many."""
        if made:
            self._sequence = made[-1].sequence
            self._overlay.put_all(made)
            events, appends, _ = self.draft
            events += made
            keys = [pack_key(event.key) for event in made]
            appends += map(_append, zip(keys, payloads, repeat(None)))

    def rehearse(self, operation: Operation) -> Object:
        """Decide without drafting: a dry run.

        Raises:
            StatusError: As `decide`.
        """
        before = len(self.draft.events)
        sequence = self._sequence
        self._overlay.begin()
        self._allocator.begin()
        try:
            decided = self.decide(operation)
        finally:
            self._overlay.rollback()
            self._allocator.rollback()
            self._sequence = sequence
            del self.draft.events[before:]
            del self.draft.appends[before:]
        # The version that the object would have is nobody's yet.
        metadata = decided["metadata"]
        current = self._overlay.get(
            (operation.resource, metadata.get("namespace") or "", metadata["name"])
        )
        return with_meta(
            decided, resourceVersion=current["metadata"]["resourceVersion"] if current else None
        )

    def _kind(self, resource: str) -> Kind:
        """Return what is served now: a definition may have gone since the write was admitted."""
        try:
            return self._served.registry.by_key(resource)
        except KeyError:
            raise not_served() from None

    def _create(self, operation: Create) -> Object:
        resource, obj = operation
        custom = self._kind(resource).custom
        if custom is not None:
            custom.check_alive()
        metadata = obj["metadata"]
        namespace = metadata.get("namespace") or ""
        key = make_key((resource, namespace, metadata.get("name") or ""))
        if namespace:
            found = self._overlay.get(("namespaces", "", namespace))
            check_namespace(namespace, found, key)
        if not key.name:
            key = self._free_key(key, metadata.get("generateName") or "")
        elif self._overlay.get(key) is not None:
            raise already_exists(resource, key.name)
        charges = (
            self._ledger.charges(key, obj, None, self.now)
            if namespace in self._ledger.spaces
            else ()
        )
        if resource == "services":
            obj = self._allocator.allocate(key, obj)
        elif resource == QUOTAS:
            obj = self._ledger.recounted(key, obj, self.now, {key: obj})
            self._ledger.add(namespace, key.name)
        if charges:
            self._charge(charges)
        self._sequence += 1
        created: Object = {
            **obj,
            "metadata": {
                **metadata,
                "name": key.name,
                "uid": self._identities.uid(),
                "creationTimestamp": self._stamp(),
                "resourceVersion": str(self._sequence),
            },
        }
        if resource == "jobs.batch":
            created = with_own_selector(created)
        self._put("ADDED", key, created, None, self._encoder.create(created))
        return created

    def _stamp(self) -> str:
        if self._stamped[0] != self.now:
            self._stamped = self.now, format_time(self.now)
        return self._stamped[1]

    def _free_key(self, key: Key, prefix: str) -> Key:
        name = ""
        for _ in range(_NAME_ATTEMPTS):
            name = self._identities.name(prefix)
            free = Key(key.resource, key.namespace, name)
            if self._overlay.get(free) is None:
                return free
        error = already_exists(key.resource, name)
        raise StatusError(
            error.code,
            error.reason,
            f"{error.message}, the server was not able to generate a unique name for the object",
            {**(error.details or {}), "retryAfterSeconds": 1},
        )

    def _modify(self, operation: Modify) -> Object:
        resource, namespace, name, change, subresource, uid = operation
        key = make_key((resource, namespace, name))
        current = self._overlay.get(key)
        if current is None:
            raise not_found(resource, name)
        if uid is not None and uid != current["metadata"]["uid"]:
            check_identity(key, current, uid)
        wanted = change(current)
        if type(wanted) is Changed:
            changed, fields = wanted
            assert changed["metadata"] is current["metadata"]
            return self._update(key, current, changed, (fields, {}, []))
        if wanted is None or wanted is current:
            return current
        assert type(wanted) is dict
        if not subresource:
            strategy = strategy_of(self._kind(resource))
            wanted = strategy.prepare_update(wanted, current)
        elif subresource == "status" and not _only_status_differs(wanted, current):
            strategy = strategy_of(self._kind(resource))
            wanted = strategy.prepare_status(wanted, current)
        if wanted["metadata"] is not current["metadata"]:
            wanted = decide_metadata(current, wanted)
        return self._update(key, current, wanted)

    def _update(
        self, key: Key, current: Object, wanted: Object, delta: Delta | None = None
    ) -> Object:
        if delta is None:
            delta = diff_objects(current, wanted)
            if delta is None:
                return current
        if "deletionTimestamp" in wanted["metadata"] and is_finished(key, wanted):
            self._remove(key, current)
            return wanted
        charges = (
            self._ledger.charges(key, wanted, current, self.now)
            if key[1] in self._ledger.spaces
            else ()
        )
        if key[0] == "services" and wanted["spec"] is not current["spec"]:
            wanted = self._allocator.reallocate(key, current, wanted)
            delta = diff_objects(current, wanted)
            if delta is None:
                return current
        if key[0] == QUOTAS and _needs_count(wanted, current):
            wanted = self._ledger.recounted(key, wanted, self.now)
            delta = diff_objects(current, wanted)
            if delta is None:
                return current
        if charges:
            self._charge(charges)
        return self._put_changed(key, current, wanted, delta)

    def _charge(self, charges: Iterable[Charge]) -> None:
        """Change the quotas that a write counts in, just before the write itself."""
        for charge in charges:
            delta = diff_objects(charge.before, charge.after)
            if delta is not None:
                self._put_changed(charge.key, charge.before, charge.after, delta)

    def _put_changed(self, key: Key, current: Object, wanted: Object, delta: Delta) -> Object:
        self._sequence += 1
        metadata = {**wanted["metadata"], "resourceVersion": str(self._sequence)}
        updated = {**wanted, "metadata": metadata}
        self._put("MODIFIED", key, updated, current, self._encoder.update(delta))
        return updated

    def _delete(self, operation: Delete) -> Object:
        key = Key(operation.resource, operation.namespace, operation.name)
        current = self._overlay.get(key)
        if current is None:
            raise not_found(key.resource, key.name)
        if operation.seen is not None and operation.seen is not current:
            raise Raced
        kind = self._kind(key.resource)
        verdict = decide_delete(kind, key, current, operation.options, self.now)
        if verdict.effect == "remove":
            return self._remove(key, verdict.object)
        if verdict.effect == "update":
            return self._update(key, current, verdict.object)
        return current

    def _remove(self, key: Key, current: Object) -> Object:
        if key[0] == "services":
            self._allocator.release(key, current)
        if key[1] in self._ledger.spaces:
            counted = self._overlay.get(key) or current
            self._charge(self._ledger.charges(key, None, counted, self.now))
        self._sequence += 1
        metadata = {**current["metadata"], "resourceVersion": str(self._sequence)}
        last = {**current, "metadata": metadata}
        self._put("DELETED", key, last, current, self._encoder.delete())
        return last

    def _put(
        self, type_: EventType, key: Key, obj: Object, previous: Object | None, payload: bytes
    ) -> None:
        sequence = self._sequence
        self._overlay.put(key, sequence, None if type_ == "DELETED" else obj)
        events, appends, _ = self.draft
        events.append(ObjectEvent(sequence, type_, key, obj, previous, self._encoder.stamp))
        appends.append(_append((pack_key(key), payload, None)))


def _needs_count(wanted: Object, current: Object) -> bool:
    """Tell whether a changed quota has to be counted anew: for other limits, or when asked to."""
    spec = wanted.get("spec")
    return spec != current.get("spec") or "used" not in (wanted.get("status") or {})


def _only_status_differs(wanted: Object, current: Object) -> bool:
    if len(wanted) != len(current) and "status" in current:
        return False
    for part, value in wanted.items():  # a generator would take twice as long
        if part != "status" and value is not current.get(part):
            return False
    return True
