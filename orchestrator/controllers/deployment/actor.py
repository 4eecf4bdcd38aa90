"""The Deployment controller: gathers ReplicaSets, decides, applies."""

from __future__ import annotations

from orchestrator.controllers._orphans import Orphans
from orchestrator.controllers._owners import controlled, controller_uid
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.deployment.core import REPLICA_SETS, RESOURCE, decide_deployment
from orchestrator.controllers.deployment.progress import REFUSED
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object, controller_of, name_of, uid_of
from orchestrator.resources.selectors import label_selector
from orchestrator.store import ObjectEvent


class DeploymentController(Controller[Key]):
    """Keeps the ReplicaSets of every Deployment as its spec and strategy want them.

    Pods are not followed: a ReplicaSet's status says all that a rollout has to know, the pods
    that are still terminating included.
    """

    resources = (RESOURCE, REPLICA_SETS)

    def reset(self) -> None:
        """Forget which ReplicaSets have no controller, and what was refused."""
        self._orphans = Orphans()
        self._refusals: dict[Key, str] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark the Deployment, or those that a ReplicaSet belongs or may belong to."""
        key = event.key
        if key.resource == RESOURCE:
            self.queue.mark(key)
            return
        if self._orphans.observe(event):
            self._mark_namespace(key.namespace)
        self._mark_owner(event.object)
        if event.previous is not None and controller_uid(event.previous) != controller_uid(
            event.object
        ):
            self._mark_owner(event.previous)

    def _mark_owner(self, replica_set: Object) -> None:
        owner = controller_of(replica_set)
        if owner is not None and owner.get("kind") == "Deployment":
            namespace = replica_set["metadata"]["namespace"]
            self.queue.mark(Key(RESOURCE, namespace, owner["name"]))

    def _mark_namespace(self, namespace: str) -> None:
        for deployment in self.store.list(RESOURCE, namespace):
            self.queue.mark(Key(RESOURCE, namespace, deployment["metadata"]["name"]))

    def reconcile(self, key: Key, now: float) -> Plan | None:
        """Decide about one Deployment; one that is gone is the garbage collector's affair."""
        refusal = self._refusals.pop(key, "")
        deployment = self.store.get(*key)
        if deployment is None:
            return None
        uid = uid_of(deployment)
        candidates = controlled(self.store.by_owner(uid, REPLICA_SETS), uid)
        candidates += self._orphans.of(key.namespace)
        return decide_deployment(
            deployment,
            candidates,
            label_selector(deployment["spec"].get("selector")),
            now,
            lambda name: self.store.get(REPLICA_SETS, key.namespace, name) is not None,
            refusal,
        )

    def failed(self, key: Key, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Report a ReplicaSet that could not be created; the status will say so too."""
        if not isinstance(item, Creation) or error.reason == "AlreadyExists":
            return
        text = f'Failed to create new replica set "{name_of(item.object)}": {error.message}'
        self._refusals[key] = text
        deployment = self.store.get(*key)
        if deployment is not None:
            self._record(Emit(deployment, "Warning", REFUSED, text))
