"""Field management: who set which field, kept in ``metadata.managedFields`` on users' writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from orchestrator.resources.definitions import SchemaNode, definitions
from orchestrator.resources.kinds import Kind
from orchestrator.resources.objects import Object
from orchestrator.resources.patches import track_update, with_managed_fields
from orchestrator.resources.strategies import strategy_of
from orchestrator.resources.timestamps import format_time

if TYPE_CHECKING:
    from orchestrator.store import Store

_UNTRACKED: Final = ("name", "namespace")
_TEMPLATES: Final = 256
_FINGERPRINT_LIMIT: Final = 8192
"""Bytes; with `_TEMPLATES` entries the cache stays within 2 MiB."""


class Managers:
    """Tracks users' writes; the cluster's own actors write without being tracked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._definitions = definitions(store.registry.version)
        self._templates: dict[bytes, list[dict[str, Any]]] = {}

    def schema_of(self, kind: Kind) -> SchemaNode:
        """Return the structure of a kind."""
        return self._definitions.schema_of(kind)

    def now(self) -> float:
        """Return the cluster's time, wall seconds since the epoch."""
        return self._store.clock.now()

    def created(self, kind: Kind, obj: Object, manager: str) -> Object:
        """Return a new object, defaulted, with all its fields under one manager."""
        strategy = strategy_of(kind)
        full = strategy.prepare_create(strategy.default(obj))
        metadata = full["metadata"]
        if "managedFields" in metadata:
            return self._tracked(kind, None, full, manager, "")
        # Clients that create many objects create them from a template: the same fields each time.
        alike = {key: value for key, value in metadata.items() if key not in _UNTRACKED}
        fingerprint = orjson.dumps([manager, kind.api_version, {**full, "metadata": alike}])
        known = self._templates.get(fingerprint)
        if known is not None:
            now = format_time(self.now())
            return with_managed_fields(full, [{**entry, "time": now} for entry in known])
        tracked = self._tracked(kind, None, full, manager, "")
        if len(fingerprint) <= _FINGERPRINT_LIMIT:
            if len(self._templates) >= _TEMPLATES:
                del self._templates[next(iter(self._templates))]
            self._templates[fingerprint] = tracked["metadata"].get("managedFields") or []
        return tracked

    def updated(
        self, kind: Kind, current: Object, new: Object, manager: str, subresource: str
    ) -> Object:
        """Return an object that replaces another, with what changed under ``manager``.

        What the write may not change is taken back first, so that nobody comes to own it.
        """
        strategy = strategy_of(kind)
        if subresource == "status":
            full = strategy.prepare_status(new, current)
        elif subresource:
            full = strategy.default(new)
        else:
            full = strategy.prepare_update(strategy.default(new), current)
        return self._tracked(kind, current, full, manager, subresource)

    def _tracked(
        self, kind: Kind, old: Object | None, new: Object, manager: str, subresource: str
    ) -> Object:
        fields = track_update(old, new, self.schema_of(kind), manager, self.now(), subresource)
        return with_managed_fields(new, fields)
