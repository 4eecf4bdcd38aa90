"""The namespace controllers: one empties namespaces, the other fills them."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.namespaces.core import (
    CA_CONFIG_MAP,
    RESOURCE,
    decide_defaults,
    decide_namespace,
)
from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import is_deleting, spec_of
from orchestrator.store import ObjectEvent, Store

_UNSEEN: Final = {"status": "True"}
API_SERVICES: Final = "apiservices.apiregistration.k8s.io"


class NamespaceController(Controller[str]):
    """Deletes everything in a terminating namespace, of every kind that is served, then lets go.

    The contents of terminating namespaces are looked at from time to time instead of following
    every kind for the sake of a rare event.
    """

    resources = (RESOURCE,)

    def reset(self) -> None:
        """Forget what was refused."""
        self._refusals: dict[str, dict[str, None]] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Mark a namespace that is being deleted."""
        if event.type != "DELETED" and is_deleting(event.object):
            self.queue.mark(event.key.name)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one namespace."""
        refusals = self._refusals.pop(key, ())
        namespace = self.store.get(RESOURCE, "", key)
        if namespace is None or not is_deleting(namespace):
            return None
        contents = {}
        for kind in self.store.registry.kinds():
            if kind.namespaced and (found := self.store.list(kind.resource, key)):
                contents[kind.resource] = found
        stale = [
            f"{spec['group']}/{spec['version']}"
            for service in self.store.list(API_SERVICES)
            if (spec := spec_of(service)).get("service")
            # Without the condition nobody has looked yet, or nobody is there to look.
            and (find_condition(service, "Available") or _UNSEEN)["status"] != "True"
        ]
        return decide_namespace(namespace, contents, now, stale=stale, refusals=list(refusals))

    def failed(self, key: str, item: Creation | Update | Deletion, error: StatusError) -> None:
        """Keep why something can't be deleted; the conditions will say it."""
        if isinstance(item, Deletion):
            self._refusals.setdefault(key, {})[error.message] = None


class NamespaceDefaults(Controller[str]):
    """Gives every namespace its ServiceAccount ``default`` and ConfigMap ``kube-root-ca.crt``."""

    resources = (RESOURCE, "serviceaccounts", "configmaps")

    def __init__(self, store: Store, recorder: Recorder, ca: str = "") -> None:
        super().__init__(store, recorder)
        self._ca = ca

    def observe(self, event: ObjectEvent) -> None:
        """Mark a namespace that appeared, or one of whose objects was touched."""
        resource, namespace, name = event.key
        if resource == RESOURCE:
            self.queue.mark(name)
        elif (resource, name) in {("serviceaccounts", "default"), ("configmaps", CA_CONFIG_MAP)}:
            self.queue.mark(namespace)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one namespace."""
        del now  # nothing here depends on time
        namespace = self.store.get(RESOURCE, "", key)
        if namespace is None:
            return None
        account = self.store.get("serviceaccounts", key, "default")
        bundle = self.store.get("configmaps", key, CA_CONFIG_MAP)
        return decide_defaults(namespace, account, bundle, self._ca)
