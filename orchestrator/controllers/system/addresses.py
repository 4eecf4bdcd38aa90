"""The controller that shows as IPAddresses which addresses of Services are taken.

The addresses themselves are given out by the store; these objects tell of it. Upstream has them
since v1.33, where they are what keeps an address from being given out twice.
Source: pkg/registry/core/service/ipallocator of Kubernetes.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from orchestrator.controllers.controller import Controller
from orchestrator.controllers.plans import Creation, Deletion, Plan
from orchestrator.resources.kinds import KindRegistry
from orchestrator.resources.objects import Object, is_deleting, labels_of, spec_of
from orchestrator.store import ObjectEvent

SERVICES: Final = "services"
ADDRESSES: Final = "ipaddresses.networking.k8s.io"
MANAGED_BY: Final = "ipaddress.kubernetes.io/managed-by"
ALLOCATOR: Final = "ipallocator.k8s.io"
_FAMILY: Final = "ipaddress.kubernetes.io/ip-family"

Owner = tuple[str, str]
"""Namespace and name of a Service."""


def addresses_of(service: Object) -> list[str]:
    """Return the cluster IPs of a Service; a headless one has none."""
    spec = spec_of(service)
    found = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in found if address and address != "None"]


def decide_address(address: str, owner: Owner | None, current: Object | None) -> Plan:
    """Return what makes the object of an address tell whose it is.

    Args:
        address: As text, which is the object's name.
        owner: The Service that has it.
        current: The IPAddress, if there is one.
    """
    plan = Plan()
    if current is None:
        if owner is not None:
            plan.create.append(Creation(ADDRESSES, _object(address, owner)))
        return plan
    if labels_of(current).get(MANAGED_BY) != ALLOCATOR or is_deleting(current):
        return plan
    parent: dict[str, Any] = spec_of(current).get("parentRef") or {}
    if owner != (parent.get("namespace"), parent.get("name")):
        plan.delete.append(Deletion(ADDRESSES, current))  # its parent never changes
    return plan


def _object(address: str, owner: Owner) -> Object:
    namespace, name = owner
    family = f"IPv{ipaddress.ip_address(address).version}"
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": {_FAMILY: family, MANAGED_BY: ALLOCATOR}},
        "spec": {
            "parentRef": {
                "group": "",
                "resource": "services",
                "namespace": namespace,
                "name": name,
            }
        },
    }


class ServiceAddresses(Controller[str]):
    """Keeps one IPAddress for every cluster IP; one that is deleted comes back."""

    resources = (SERVICES, ADDRESSES)

    @staticmethod
    def served_by(kinds: KindRegistry) -> bool:
        """Tell whether there are IPAddresses at all in a version."""
        return any(kind.resource == ADDRESSES for kind in kinds.kinds())

    def reset(self) -> None:
        """Forget which address is whose."""
        self._owners: dict[str, Owner] = {}

    def observe(self, event: ObjectEvent) -> None:
        """Learn whose addresses are, and mark those that are concerned."""
        resource, namespace, name = event.key
        if resource == ADDRESSES:
            self.queue.mark(name)
            return
        owner = (namespace, name)
        now = [] if event.type == "DELETED" else addresses_of(event.object)
        before = addresses_of(event.object if event.previous is None else event.previous)
        for address in before:
            if address not in now and self._owners.get(address) == owner:
                del self._owners[address]
                self.queue.mark(address)
        for address in now:
            if self._owners.get(address) != owner:
                self._owners[address] = owner
                self.queue.mark(address)

    def reconcile(self, key: str, now: float) -> Plan | None:
        """Decide about one address."""
        del now  # nothing here depends on time
        return decide_address(key, self._owners.get(key), self.store.get(ADDRESSES, "", key))
