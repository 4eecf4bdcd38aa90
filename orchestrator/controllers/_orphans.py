"""Objects that nobody controls, by namespace: those a workload may adopt."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.controllers._owners import controller_uid
from orchestrator.resources.objects import Object
from orchestrator.store import ObjectEvent

_NONE: dict[str, Object] = {}


class Orphans:
    """The objects of one resource without a controller, kept up to date from events."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Object]] = {}

    def observe(self, event: ObjectEvent) -> bool:
        """Take note of an event; tell whether its object is an orphan now."""
        namespace, name = event.key.namespace, event.key.name
        if event.type == "DELETED" or controller_uid(event.object) is not None:
            found = self._found.get(namespace)
            if found is not None and found.pop(name, None) is not None and not found:
                del self._found[namespace]
            return False
        self._found.setdefault(namespace, {})[name] = event.object
        return True

    def of(self, namespace: str) -> Sequence[Object]:
        """Return a namespace's orphans by name."""
        found = self._found.get(namespace, _NONE)
        return [found[name] for name in sorted(found)]
