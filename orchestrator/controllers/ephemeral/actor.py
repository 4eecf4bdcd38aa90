"""The controller of generic ephemeral volumes."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.ephemeral.core import (
    CLAIMS,
    claim_name,
    decide_claims,
    ephemeral_volumes,
)
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import is_deleting, uid_of
from orchestrator.store import ObjectEvent

_Key = tuple[str, str]


class EphemeralVolumeController(Controller[_Key]):
    """Makes the claims of pods' ephemeral volumes. Keys are namespace and name of such pods.

    A claim goes with its pod: the pod owns it, and the garbage collector sees to that.
    """

    resources = ("pods", CLAIMS)

    def reset(self) -> None:
        """Forget which claims pods wait for, and what they were told."""
        self._pods: dict[_Key, str] = {}
        self._told: dict[_Key, tuple[str, str]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark a pod that has ephemeral volumes, and one whose claim has changed hands."""
        resource, namespace, name = event.key
        if resource == CLAIMS:
            pod = self._pods.get((namespace, name))
            if pod is not None and event.type != "MODIFIED":
                self.queue.mark((namespace, pod))
            return
        gone = event.type == "DELETED" or is_deleting(event.object)
        first = event.type == "ADDED" or gone  # what volumes a pod has never changes
        if not first:
            return
        marked = False
        for volume in ephemeral_volumes(event.object):
            claim = (namespace, claim_name(event.object, volume))
            marked = True
            if not gone:
                self._pods[claim] = name
            elif self._pods.get(claim) == name:
                del self._pods[claim]
        if marked:
            self.queue.mark((namespace, name))

    def reconcile(self, key: _Key, now: float) -> Plan | None:
        """Decide about one pod."""
        del now  # nothing here depends on time
        pod = self.store.get("pods", *key)
        if pod is None or is_deleting(pod):
            self._told.pop(key, None)
            return None
        plan = decide_claims(pod, lambda name: self.store.get(CLAIMS, key[0], name))
        if plan.events:
            said = (uid_of(pod), plan.events[0].message)
            if self._told.get(key) == said:
                plan.events.clear()
            self._told[key] = said
        else:
            self._told.pop(key, None)
        return plan

    def failed(self, key: _Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Tell the pod why its claim could not be made."""
        pod = self.store.get("pods", *key)
        if pod is None or not isinstance(item, Creation) or error.reason == "AlreadyExists":
            return
        name = item.object["metadata"]["name"].removeprefix(f"{key[1]}-")
        message = f"ephemeral volume {name}: create PVC {item.object['metadata']['name']}: {error}"
        emit = Emit(pod, "Warning", "FailedBinding", message)
        self.recorder.event(emit.involved, emit.type, emit.reason, emit.message)
