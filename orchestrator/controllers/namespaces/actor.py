"""The namespace controllers: one empties namespaces, the other fills them."""

from __future__ import annotations

from orchestrator.controllers.controller import Controller, Recorder
from orchestrator.controllers.namespaces.core import (
    CA_CONFIG_MAP,
    RESOURCE,
    decide_defaults,
    decide_namespace,
)
from orchestrator.controllers.plans import Plan
from orchestrator.resources.objects import is_deleting
from orchestrator.store import ObjectEvent, Store


class NamespaceController(Controller[str]):
    """Deletes everything in a terminating namespace, of every kind that is served, then lets go.

    The contents of terminating namespaces are looked at from time to time instead of following
    every kind for the sake of a rare event.
    """

    resources = (RESOURCE,)

    def observe(self, event: ObjectEvent) -> None:
        """Mark a namespace that is being deleted."""
        if event.type != "DELETED" and is_deleting(event.object):
            self.queue.mark(event.key.name)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one namespace."""
        namespace = self.store.get(RESOURCE, "", key)
        if namespace is None or not is_deleting(namespace):
            return None
        contents = {}
        for kind in self.store.registry.kinds():
            if kind.namespaced and (found := self.store.list(kind.resource, key)):
                contents[kind.resource] = found
        return decide_namespace(namespace, contents, now)


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
