"""Field management: who set which field, kept in ``metadata.managedFields`` on users' writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.resources.definitions import schema_of
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import track_update, with_managed_fields
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
        fields = track_update(old, new, schema_of(kind), manager, self.now(), subresource)
        return with_managed_fields(new, fields)
