"""What a Service listens on and whom it forwards to, computed from objects alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from orchestrator.resources.objects import Object, spec_of
from orchestrator.resources.service_endpoints import Endpoint, collect_endpoints

DEFAULT_AFFINITY_SECONDS: Final = 10800
"""Upstream's default of ``sessionAffinityConfig.clientIP.timeoutSeconds``: three hours."""


class Listener(NamedTuple):
    """One address that a Service accepts connections on, and the Service port it stands for."""

    address: str
    port: int
    port_name: str


class ServicePlan(NamedTuple):
    """The whole desired state of one Service's listeners.

    Attributes:
        listeners: Every listener, each once.
        endpoints: Port name → endpoints that take new connections, sorted. A port without
            endpoints is not listened on: its clients are refused, as upstream refuses them.
        affinity: Seconds a client stays with its endpoint; 0 without session affinity.
    """

    listeners: tuple[Listener, ...]
    endpoints: Mapping[str, tuple[Endpoint, ...]]
    affinity: int


NOTHING: Final = ServicePlan((), {}, 0)


def plan_service(
    service: Object, slices: Iterable[Object], node_port_addresses: Sequence[str]
) -> ServicePlan:
    """Compute the listeners and endpoints of a Service; `ServiceActor` carries it out.

    Args:
        service: The Service; headless and ExternalName ones have no listeners.
        slices: Its EndpointSlices.
        node_port_addresses: Where node ports are listened on.
    """
    spec = spec_of(service)
    cluster_ips = [ip for ip in (spec.get("clusterIPs") or [spec.get("clusterIP")]) if ip]
    if spec.get("type") == "ExternalName" or not cluster_ips or "None" in cluster_ips:
        return NOTHING
    endpoints = collect_endpoints(slices)
    listeners: dict[tuple[str, int], Listener] = {}
    for port in spec.get("ports") or ():
        if port.get("protocol", "TCP") != "TCP":
            continue
        name = port.get("name") or ""
        wanted = [(address, port["port"]) for address in cluster_ips]
        wanted += [(address, port["port"]) for address in spec.get("externalIPs") or ()]
        if port.get("nodePort"):
            wanted += [(address, port["nodePort"]) for address in node_port_addresses]
        for address, number in wanted:
            listeners.setdefault((address, number), Listener(address, number, name))
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = config.get("timeoutSeconds") or DEFAULT_AFFINITY_SECONDS
    return ServicePlan(tuple(listeners.values()), endpoints, affinity)
