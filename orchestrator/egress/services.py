"""Where a Service is reached from inside the server: a pure look at the store."""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

from orchestrator.resources.errors import StatusError, not_found, service_unavailable
from orchestrator.resources.objects import Object, labels_of, spec_of
from orchestrator.resources.service_endpoints import collect_endpoints


class Reader(Protocol):
    """What is looked at."""

    def get(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return one object."""

    def list(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Return the objects of a namespace."""


class Upstream(NamedTuple):
    """Somebody to connect to.

    Attributes:
        host: IP address or name.
        port: TCP port.
        server_name: What the certificate has to be for.
    """

    host: str
    port: int
    server_name: str


def resolve_service(
    store: Reader, namespace: str, name: str, port: int | str, chance: random.Random
) -> Upstream:
    """Find an address behind a Service.

    A ready endpoint is taken as it is, so that nothing has to listen on cluster IPs; without one
    there is nobody to connect to.

    Args:
        store: The cluster's objects.
        namespace: Of the Service.
        name: Of the Service.
        port: Of the Service: its number or its name; empty for its only one.
        chance: Chooses among the endpoints.

    Raises:
        StatusError: 404, there is no such Service; 503, it has no such port or no endpoint.
    """
    service = store.get("services", namespace, name)
    if service is None:
        raise not_found("services", name)
    spec = spec_of(service)
    known = spec.get("ports") or []
    server_name = f"{name}.{namespace}.svc"
    if spec.get("type") == "ExternalName":
        number = port if isinstance(port, int) else int(port) if port.isdigit() else 443
        return Upstream(spec.get("externalName") or "", number, server_name)
    found = next((item for item in known if port in (item["port"], item.get("name"))), None)
    if found is None and isinstance(port, str):
        if port.isdigit():
            return resolve_service(store, namespace, name, int(port), chance)
        found = known[0] if not port and len(known) == 1 else None
    if found is None:
        raise service_unavailable(f'no service port {_quoted(port)} found for service "{name}"')
    slices = [
        one
        for one in store.list("endpointslices.discovery.k8s.io", namespace)
        if labels_of(one).get("kubernetes.io/service-name") == name
    ]
    endpoints = collect_endpoints(slices).get(found.get("name") or "")
    if not endpoints:
        raise no_endpoints(name)
    chosen = chance.choice(endpoints)
    return Upstream(chosen.address, chosen.port, server_name)


def no_endpoints(name: str) -> StatusError:
    """503: a Service has nobody behind it."""
    return service_unavailable(f'no endpoints available for service "{name}"')


def _quoted(port: int | str) -> str:
    return str(port) if isinstance(port, int) else f'"{port}"'
