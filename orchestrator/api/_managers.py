"""Field management: who set which field, kept in ``metadata.managedFields`` on users' writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.resources.definitions import schema_of
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import (
    OtherVersion,
    Versions,
    track_update,
    with_managed_fields,
)
from orchestrator.resources.strategies import strategy_of

if TYPE_CHECKING:
    from orchestrator.store import Store


class Managers:
    """Tracks users' writes; the cluster's own actors write without being tracked."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        """Return the cluster's time, wall seconds since the epoch."""
        return self._store.clock.now()

    def created(self, kind: Kind, full: Object, manager: str) -> Object:
        """Return a new object, which has its defaults, with all its fields under one manager."""
        return self._tracked(kind, None, full, manager, "")

    def updated(
        self, kind: Kind, current: Object, new: Object, manager: str, subresource: str
    ) -> Object:
        """Return an object that replaces another, with what changed under ``manager``.

        What the write may not change is taken back first, so that nobody comes to own it.
        """
        full = strategy_of(kind).prepared(new, current, subresource)
        return self._tracked(kind, current, full, manager, subresource)

    def _tracked(
        self, kind: Kind, old: Object | None, new: Object, manager: str, subresource: str
    ) -> Object:
        fields = track_update(
            old, new, schema_of(kind), manager, self.now(), subresource, self.versions(kind)
        )
        return with_managed_fields(new, fields)

    def versions(self, kind: Kind) -> Versions | None:
        """Return the other versions in which a kind's managers may have written.

        None where there are none, and where only a webhook could tell what an object is in them.
        """
        store = self._store
        if not store.registry.is_converted(kind) or store.conversion.waits(kind):
            return None

        def find(api_version: str) -> OtherVersion | None:
            other = store.registry.by_kind(api_version, kind.kind)
            if other is None or other.resource != kind.resource:
                return None
            return OtherVersion(schema_of(other), lambda obj: store.conversion.now(obj, other))

        return find
