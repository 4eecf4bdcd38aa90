"""The garbage collector: follows every kind, looks at what lost an owner or waits for dependents.

No graph is kept: the store's index by owner uid answers what depends on an object, and its
projection whether an owner is there. The work for a removed owner is in the number of its
dependents, not of all objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.garbage.core import (
    FOREGROUND,
    ORPHAN,
    Owned,
    OwnerState,
    decide_collection,
)
from orchestrator.controllers.plans import Plan
from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.resources.objects import (
    Key,
    Object,
    is_deleting,
    meta,
    name_of,
    namespace_of,
    uid_of,
)
from orchestrator.store import ObjectEvent, Store


class GarbageCollector(Controller[Key]):
    """Removes what has no owner left, and finishes foreground and orphaning deletions."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        super().__init__(store, recorder)
        self.resources = self._served()
        self._places: dict[tuple[str, str], tuple[str, bool] | None] = {}

    def _served(self) -> tuple[str, ...]:
        """Name what is followed: all there is, but Events, never owned, expire by themselves."""
        kinds = self.store.registry.kinds()
        return tuple(dict.fromkeys(kind.resource for kind in kinds if kind.kind != "Event"))

    def reset(self) -> None:
        """Forget the references seen last."""
        self._checked: Any = None
        self._elsewhere: tuple[str, bool] = ("", False)

    def _follow_custom(self) -> None:
        """Follow kinds that have come; what is there of them already is looked at once."""
        self._places.clear()
        added = tuple(name for name in self._served() if name not in self.resources)
        if not added:
            return
        self.resources += added
        self.include(added)

    # -- events ----------------------------------------------------------------------------

    def observe_all(self, events: Sequence[ObjectEvent]) -> None:
        """Observe what may matter; nearly every write changes neither owners nor deletion."""
        if any(event.key[0] == DEFINITIONS for event in events):
            self._follow_custom()
        for event in events:
            if event.type != "DELETED":
                previous, metadata = event.previous, event.object["metadata"]
                before = None if previous is None else previous["metadata"].get("ownerReferences")
                if (
                    metadata.get("ownerReferences") is before
                    and "deletionTimestamp" not in metadata
                ):
                    continue
            self.observe(event)

    def observe(self, event: ObjectEvent) -> None:
        """Mark what an event may have left without an owner, or free to go."""
        metadata = event.object["metadata"]
        if event.type == "DELETED":
            self._checked = None
            for dependent in self._dependents(metadata["uid"]):
                self.queue.mark(dependent)
            self._mark_deleting_owners(event.object)
            return
        if "deletionTimestamp" in metadata:
            finalizers = metadata.get("finalizers")
            if finalizers and (FOREGROUND in finalizers or ORPHAN in finalizers):
                self.queue.mark(event.key)
        references = metadata.get("ownerReferences")
        if event.previous is not None:
            before = event.previous["metadata"].get("ownerReferences")
            if before is references or before == references:
                return
            self._mark_deleting_owners(event.previous)
        if not references or references is self._checked:
            return
        if all(
            self._owner_state(reference, event.object)[0] is OwnerState.SOLID
            for reference in references
        ):
            # Pods of one ReplicaSet share their references; one look is enough for a burst.
            self._checked = references
        else:
            self.queue.mark(event.key)

    def _dependents(self, uid: str) -> list[Key]:
        return self.store.keys_by_owner(uid)

    def _mark_deleting_owners(self, dependent: Object) -> None:
        for reference in meta(dependent).get("ownerReferences") or ():
            state, owner = self._owner_state(reference, dependent)
            if owner is None or not is_deleting(owner):
                continue
            if state is OwnerState.WAITING or ORPHAN in (meta(owner).get("finalizers") or ()):
                place = self._place(reference["apiVersion"], reference["kind"])
                assert place is not None, "an owner that was found has a place"
                self.queue.mark(Key(place[0], namespace_of(owner), name_of(owner)))

    # -- looking up ------------------------------------------------------------------------

    def _place(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """Return where a kind is stored and whether it is namespaced; None when not served."""
        found = self._places.get((api_version, kind))
        if found is None:
            served = self.store.registry.by_kind(api_version, kind)
            found = (served.resource, served.namespaced) if served else None
            self._places[api_version, kind] = found
        return found

    def _owner_state(
        self, reference: dict[str, Any], dependent: Object
    ) -> tuple[OwnerState, Object | None]:
        place = self._place(reference.get("apiVersion", ""), reference.get("kind", ""))
        if place is None:
            return OwnerState.UNKNOWN, None
        resource, namespaced = place
        namespace = meta(dependent).get("namespace", "")
        if namespaced and not namespace:
            return OwnerState.INVALID, None
        owner = self.store.get(resource, namespace if namespaced else "", reference.get("name", ""))
        if owner is None or uid_of(owner) != reference.get("uid"):
            return OwnerState.ABSENT, None
        if is_deleting(owner) and FOREGROUND in (meta(owner).get("finalizers") or ()):
            return OwnerState.WAITING, owner
        return OwnerState.SOLID, owner

    def _judge(self, reference: dict[str, Any], dependent: Object) -> OwnerState:
        """Return what became of an owner; of an absent one also whether it is somewhere else."""
        state, _ = self._owner_state(reference, dependent)
        if state is OwnerState.ABSENT and self._is_elsewhere(reference):
            return OwnerState.ELSEWHERE
        return state

    def _is_elsewhere(self, reference: dict[str, Any]) -> bool:
        # A removed owner may have thousands of dependents: one look is enough for a burst.
        uid, name = reference.get("uid", ""), reference.get("name", "")
        if self._elsewhere[0] != uid:
            place = self._place(reference.get("apiVersion", ""), reference.get("kind", ""))
            found = place is not None and any(
                (other := self.store.get(place[0], name_of(space), name)) is not None
                and uid_of(other) == uid
                for space in self.store.list("namespaces")
            )
            self._elsewhere = (uid, found)
        return self._elsewhere[1]

    # -- decisions -------------------------------------------------------------------------

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one object."""
        del now  # nothing here depends on time
        obj = self.store.get(*key)
        if obj is None:
            return None
        references = meta(obj).get("ownerReferences") or ()
        owners = [(reference, self._judge(reference, obj)) for reference in references]
        found = [
            (at, dependent)
            for at in self.store.keys_by_owner(uid_of(obj))
            if (dependent := self.store.get(*at)) is not None
        ]
        dependents = [Owned(at.resource, dependent) for at, dependent in found]
        if is_deleting(obj) and FOREGROUND in (meta(obj).get("finalizers") or ()):
            for at, dependent in found:
                if not is_deleting(dependent):
                    self.queue.mark(at)
        return decide_collection(key.resource, obj, owners, dependents)
