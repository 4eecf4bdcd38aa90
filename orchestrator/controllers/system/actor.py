"""The controller that makes what a cluster has by itself, and makes it again."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.system.core import (
    API_SERVICES,
    DEFINITIONS,
    FOLLOWED,
    RANGES,
    custom_services,
    decide,
    levels_of,
    system_objects,
)
from orchestrator.resources.flowcontrol.defaults import LEVELS, SCHEMAS
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Key
from orchestrator.store import ObjectEvent, Store


class SystemObjects(Controller[Key]):
    """Keeps PriorityClasses, flow control's objects, APIServices and the range of Services.

    An object that is deleted comes back. The APIServices of custom groups come and go with the
    definitions. Users may change all of them as far as upstream's rules let them.
    """

    def __init__(
        self, store: Store, recorder: Recorder, service_range: str, *, usage: bool = False
    ) -> None:
        super().__init__(store, recorder)
        built_in = registry(store.registry.version)
        self._wanted = system_objects(built_in, service_range, usage=usage)
        served = any(kind.resource == RANGES for kind in built_in.kinds())
        self.resources = (*FOLLOWED, *((RANGES,) if served else ()))

    def reset(self) -> None:
        """Look at everything that has to be there."""
        for key in self._wanted:
            self.queue.mark(key)

    def observe(self, event: ObjectEvent) -> None:
        """Mark the object itself, and what depends on it."""
        resource = event.key.resource
        if resource == DEFINITIONS:
            for obj in filter(None, (event.object, event.previous)):
                for key in custom_services([obj]):
                    self.queue.mark(key)
            return
        self.queue.mark(event.key)
        if resource == LEVELS and event.type != "MODIFIED":
            for schema in self.store.list(SCHEMAS):
                self.queue.mark(Key(SCHEMAS, "", schema["metadata"]["name"]))

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one object."""
        wanted = self._wanted.get(key)
        if wanted is None and key.resource == API_SERVICES:
            wanted = custom_services(self.store.list(DEFINITIONS)).get(key)
        current = self.store.get(*key)
        levels = levels_of(self.store.list(LEVELS)) if key.resource == SCHEMAS else frozenset()
        return decide(key, current, wanted, levels, now)
