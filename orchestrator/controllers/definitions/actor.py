"""The controller of custom resource definitions."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.definitions.core import decide_definition, resource_of
from orchestrator.controllers.plans import Plan
from orchestrator.resources.custom.kinds import DEFINITIONS
from orchestrator.resources.objects import Object, is_deleting, spec_of
from orchestrator.store import ObjectEvent


class DefinitionController(Controller[str]):
    """Accepts names, establishes kinds, and removes the objects of what is being deleted.

    The objects of terminating definitions are looked at from time to time instead of following
    every custom kind for the sake of a rare event.
    """

    resources = (DEFINITIONS,)

    def observe(self, event: ObjectEvent) -> None:
        """Mark a definition that changed, and those that may want the names it gave up."""
        self.queue.mark(event.key.name)
        if event.type == "DELETED" or (
            event.previous is not None and _names(event.previous) != _names(event.object)
        ):
            for other in self._group(event.object):
                self.queue.mark(other["metadata"]["name"])

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one definition."""
        crd = self.store.get(DEFINITIONS, "", key)
        if crd is None:
            return None
        instances: list[Object] = []
        if is_deleting(crd):
            instances = self.store.list(resource_of(crd))
        return decide_definition(crd, self._group(crd), instances, now)

    def _group(self, crd: Object) -> list[Object]:
        """Return the other definitions of a definition's group."""
        group, name = spec_of(crd)["group"], crd["metadata"]["name"]
        return [
            other
            for other in self.store.list(DEFINITIONS)
            if spec_of(other)["group"] == group and other["metadata"]["name"] != name
        ]


def _names(crd: Object) -> Object | None:
    found: Object | None = (crd.get("status") or {}).get("acceptedNames")
    return found
