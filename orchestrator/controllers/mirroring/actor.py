"""The mirroring controller: Endpoints of Services without a selector, as EndpointSlices."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.mirroring.core import (
    ENDPOINTS,
    MANAGER,
    MANAGER_LABEL,
    SERVICE_LABEL,
    SLICES,
    decide_mirror,
    is_mirrored,
)
from orchestrator.controllers.plans import Plan
from orchestrator.resources.objects import Key, labels_of, name_of, spec_of
from orchestrator.store import ObjectEvent

SERVICES: Final = "services"


class MirroringController(Controller[Key]):
    """Keeps the slices of every Endpoints object that somebody wrote for a Service."""

    resources = (SERVICES, ENDPOINTS, SLICES)

    def reset(self) -> None:
        """Forget which slices there are."""
        self._slices: dict[tuple[str, str], dict[str, None]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark the Endpoints that an event concerns; those of a selector's Service need nothing."""
        resource, namespace, name = event.key
        if resource == SLICES:
            for obj in (event.previous, event.object):
                if obj is None or labels_of(obj).get(MANAGER_LABEL) != MANAGER:
                    continue
                mirrored = labels_of(obj).get(SERVICE_LABEL, "")
                mine = self._slices.setdefault((namespace, mirrored), {})
                mine[name] = None
                if event.type == "DELETED":
                    del mine[name]
                    if not mine:
                        del self._slices[namespace, mirrored]
                self.queue.mark(Key(ENDPOINTS, namespace, mirrored))
            return
        if resource == ENDPOINTS and (namespace, name) not in self._slices:
            service = self.store.get(SERVICES, namespace, name)
            if service is not None and spec_of(service).get("selector"):
                return  # nearly always
        self.queue.mark(Key(ENDPOINTS, namespace, name))

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one Endpoints object."""
        del now  # nothing here depends on time
        _, namespace, name = key
        slices = [
            found
            for at in self._slices.get((namespace, name), ())
            if (found := self.store.get(SLICES, namespace, at)) is not None
            and labels_of(found).get(SERVICE_LABEL) == name
            and labels_of(found).get(MANAGER_LABEL) == MANAGER
        ]
        endpoints = self.store.get(*key)
        service = self.store.get(SERVICES, namespace, name)
        if endpoints is not None and not is_mirrored(endpoints, service):
            endpoints = None
        slices.sort(key=name_of)
        return decide_mirror(endpoints, slices)
