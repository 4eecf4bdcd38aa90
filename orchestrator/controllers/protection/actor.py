"""The controllers pvc-protection and pv-protection, as one."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.protection.core import (
    CLAIMS,
    VOLUMES,
    claims_of,
    decide_claim,
    decide_volume,
    is_using,
)
from orchestrator.resources.objects import is_deleting
from orchestrator.store import ObjectEvent, Store

_Key = tuple[str, str, str]


class ProtectionController(Controller[_Key]):
    """Lets go what nothing uses. It follows pods only once a claim is being deleted."""

    resources = (CLAIMS, VOLUMES)

    def __init__(self, store: Store, recorder: Recorder) -> None:
        super().__init__(store, recorder)
        self._follows_pods = False

    def reset(self) -> None:
        """Forget that pods are followed: the follower is a new one."""
        self._follows_pods = False

    def observe(self, event: ObjectEvent) -> None:
        """Mark what is being deleted, or the claims of a pod that has ended."""
        resource, namespace, name = event.key
        if resource == "pods":
            if event.type == "DELETED" or not is_using(event.object):
                for claim in claims_of(event.object):
                    self.queue.mark((CLAIMS, namespace, claim))
            return
        if event.type == "DELETED" or not is_deleting(event.object):
            return
        self.queue.mark((resource, namespace, name))
        if resource == CLAIMS and not self._follows_pods:
            self._follows_pods = True
            self.include(("pods",))

    def reconcile(self, key: _Key, now: float) -> Plan | None:
        """Decide about one claim or volume."""
        del now  # nothing here depends on time
        found = self.store.get(*key)
        if found is None:
            return None
        if key[0] == VOLUMES:
            return decide_volume(found)
        return decide_claim(found, self.store.list("pods", key[1]))
