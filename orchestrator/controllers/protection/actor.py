"""The controllers pvc-protection and pv-protection, as one."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.plans import Plan
from orchestrator.controllers.protection.core import (
    CLAIM_FINALIZER,
    CLAIMS,
    VOLUME_FINALIZER,
    VOLUMES,
    claims_of,
    decide_claim,
    decide_volume,
    is_settled,
    may_let_go,
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
        """Forget who uses what, and that pods are followed: the follower is a new one."""
        self._follows_pods = False
        self._users: dict[tuple[str, str], dict[str, None]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark what is being deleted or not protected, or the claims of a pod that lets go."""
        resource, namespace, name = event.key
        if resource == "pods":
            self._observe_pod(event)
            return
        finalizer = CLAIM_FINALIZER if resource == CLAIMS else VOLUME_FINALIZER
        if event.type == "DELETED" or is_settled(event.object, finalizer):
            return
        self.queue.mark((resource, namespace, name))
        if resource == CLAIMS and is_deleting(event.object) and not self._follows_pods:
            self._follows_pods = True
            self.include(("pods",))

    def _observe_pod(self, event: ObjectEvent) -> None:
        pod, (_, namespace, name) = event.object, event.key
        gone = event.type == "DELETED"
        for claim in claims_of(pod):
            key = (namespace, claim)
            if not gone:
                self._users.setdefault(key, {})[name] = None
            elif (users := self._users.get(key)) is not None:
                users.pop(name, None)
                if not users:
                    del self._users[key]
            if gone or may_let_go(pod):
                self.queue.mark((CLAIMS, namespace, claim))

    def reconcile(self, key: _Key, now: float) -> Plan | None:
        """Decide about one claim or volume."""
        del now  # nothing here depends on time
        found = self.store.get(*key)
        if found is None:
            return None
        if key[0] == VOLUMES:
            return decide_volume(found)
        users = (self.store.get("pods", key[1], name) for name in self._users.get(key[1:], ()))
        return decide_claim(found, [pod for pod in users if pod is not None])
