"""The objects that every cluster has from its first moment.

Rules: k8s.io/kubernetes/pkg/controlplane (system namespaces, the ``kubernetes`` Service and its
endpoints reconciler).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from orchestrator.controllers.endpoints.names import (
    ENDPOINTS,
    SERVICE_LABEL,
    SLICES,
)
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key, Object
from orchestrator.resources.rbac.policy import default_policy, reconciled
from orchestrator.store import Create, Modify, Operation, Store

SYSTEM_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")

SKIP_MIRROR: Final = "endpointslice.kubernetes.io/skip-mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEndpoint:
    """Where the cluster's API is reached.

    Attributes:
        address: IP address on which the API server listens.
        port: Its port.
        service_range: Addresses of Services in CIDR form; the first one is the API's own.
        scheme: ``https`` or ``http``, the name of the port.
    """

    address: str
    port: int
    service_range: str
    scheme: str = "https"

    @property
    def service_address(self) -> str:
        """The clusterIP of ``kubernetes``: the first address of the range."""
        return str(next(iter(ipaddress.ip_network(self.service_range).hosts())))


def bootstrap_objects(api: ApiEndpoint) -> tuple[tuple[Key, Object], ...]:
    """Return the objects with their keys, in the order in which they have to be made."""
    namespaces = tuple(
        (
            Key("namespaces", "", name),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        )
        for name in SYSTEM_NAMESPACES
    )
    return (*namespaces, *_kubernetes(api))


def _kubernetes(api: ApiEndpoint) -> tuple[tuple[Key, Object], ...]:
    name, place = "kubernetes", "default"
    target = {"name": api.scheme, "port": api.port, "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": place,
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": api.service_address,
            "clusterIPs": [api.service_address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [
                {
                    "name": api.scheme,
                    "port": 443 if api.scheme == "https" else 80,
                    "protocol": "TCP",
                    "targetPort": api.port,
                }
            ],
        },
    }
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": name, "namespace": place, "labels": {SKIP_MIRROR: "true"}},
        "subsets": [{"addresses": [{"ip": api.address}], "ports": [target]}],
    }
    piece = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": place, "labels": {SERVICE_LABEL: name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [api.address], "conditions": {"ready": True}}],
        "ports": [target],
    }
    return (
        (Key("services", place, name), service),
        (Key(ENDPOINTS, place, name), endpoints),
        (Key(SLICES, place, name), piece),
    )


def plan_bootstrap(objects: Sequence[tuple[Key, Object]], store: Store) -> list[Operation]:
    """Return what is missing, and what of it points to an older address of the API.

    Args:
        objects: As `bootstrap_objects` returns them.
        store: Read only.
    """
    operations: list[Operation] = []
    for key, wanted in objects:
        current = store.get(*key)
        if current is None:
            operations.append(Create(key.resource, wanted))
            continue
        parts = {
            field: value
            for field, value in wanted.items()
            if field not in {"apiVersion", "kind", "metadata"}
        }
        if key.resource == "services":
            parts = {"spec": {**current["spec"], "ports": parts["spec"]["ports"]}}
        if any(current.get(field) != value for field, value in parts.items()):
            operations.append(
                Modify(key.resource, key.namespace, key.name, lambda now, new=parts: {**now, **new})  # type: ignore[misc] # mypy cannot type a default of a lambda
            )
    return operations


def plan_policy(store: Store) -> list[Operation]:
    """Return the default roles and bindings that are missing, or lack something.

    Args:
        store: Read only.
    """
    operations: list[Operation] = []
    for key, wanted in default_policy():
        current = store.get(*key)
        if current is None:
            operations.append(Create(key.resource, wanted))
        elif reconciled(current, wanted) is not current:
            operations.append(Modify(*key, lambda now, new=wanted: reconciled(now, new)))  # type: ignore[misc] # mypy cannot type a default of a lambda
    return operations


async def ensure_bootstrap(
    store: Store, api: ApiEndpoint, more: Sequence[tuple[Key, Object]] = ()
) -> None:
    """Make the objects that are missing; running it again changes nothing.

    Args:
        store: The cluster's objects.
        api: Where the API is reached.
        more: Further objects, whose contents are kept as they are here.

    Raises:
        StatusError: One could not be made; the message names it.
    """
    operations = plan_bootstrap((*bootstrap_objects(api), *more), store)
    operations += plan_policy(store)
    for operation, result in zip(operations, await store.write(operations), strict=True):
        if isinstance(result, StatusError) and result.reason != "AlreadyExists":
            raise StatusError(
                result.code,
                result.reason,
                f"cannot make the cluster's own {operation.resource}: {result.message}",
                result.details,
            )
