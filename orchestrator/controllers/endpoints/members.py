"""A pod as an endpoint of a Service. Pure; rules: k8s.io/endpointslice."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers._pods import is_ready, is_terminal, ready_condition
from orchestrator.records import dataclass
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)

_MODES: Final = (
    "service.kubernetes.io/topology-aware-hints",
    "service.kubernetes.io/topology-mode",
)

Ports = tuple[tuple[str, str, int, str], ...]
"""(name, protocol, port, appProtocol) for each port of a Service, as one pod resolves them."""


@dataclass(frozen=True, slots=True)
class Member:
    """A pod as an endpoint of one Service.

    Attributes:
        name: The pod's.
        ready: Whether it takes new connections.
        listed: Whether it appears in the Endpoints object, which leaves terminating pods out.
        ports: As this pod resolves them.
        endpoint: Its entry in an EndpointSlice.
        since: When its readiness changed last, as its condition says; empty for never.
    """

    name: str
    ready: bool
    listed: bool
    ports: Ports
    endpoint: Object
    since: str = ""


def is_eligible(pod: Object) -> bool:
    """Tell whether a pod can be an endpoint: it has an address and has not finished."""
    return bool((pod.get("status") or {}).get("podIP")) and not is_terminal(pod)


def member_of(service: Object, pod: Object, zone: str = "") -> Member:
    """Return an eligible pod as an endpoint of a Service whose selector it matches.

    Args:
        service: With a selector.
        pod: It has an address.
        zone: Of its node, empty when the node tells none.
    """
    publish_all = bool(spec_of(service).get("publishNotReadyAddresses"))
    serving, terminating = is_ready(pod), is_deleting(pod)
    ready = publish_all or (serving and not terminating)
    endpoint: Object = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {
            "kind": "Pod",
            "namespace": namespace_of(pod),
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }
    spec = spec_of(pod)
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
    if spec.get("hostname") and spec.get("subdomain") == name_of(service):
        endpoint["hostname"] = spec["hostname"]
    if zone:
        endpoint["zone"] = zone
    if ready and (hints := _hints(service, zone, spec.get("nodeName") or "")):
        endpoint["hints"] = hints
    condition = ready_condition(pod) or {}
    return Member(
        name_of(pod),
        ready,
        publish_all or not terminating,
        resolve_ports(service, pod),
        endpoint,
        condition.get("lastTransitionTime") or "",
    )


def is_automatic(service: Object) -> bool:
    """Tell whether a Service asks for topology aware routing."""
    given = annotations_of(service)
    mode = next((given[name] for name in _MODES if name in given), "")
    return mode in {"Auto", "auto"}


def _hints(service: Object, zone: str, node: str) -> Object:
    """Return whose connections an endpoint should take, as ``trafficDistribution`` asks for.

    https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution
    """
    wanted = spec_of(service).get("trafficDistribution")
    if wanted is None or is_automatic(service):
        return {}
    hints: Object = {"forZones": [{"name": zone}]} if zone else {}
    if wanted == "PreferSameNode" and node:
        hints["forNodes"] = [{"name": node}]
    return hints


def resolve_ports(service: Object, pod: Object) -> Ports:
    """Return a Service's ports as numbers of a pod; one that the pod does not name is left out."""
    ports: list[tuple[str, str, int, str]] = []
    for port in spec_of(service).get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        target = port.get("targetPort") or port["port"]
        number = target if isinstance(target, int) else _named(pod, target, protocol)
        if number is not None:
            app = port.get("appProtocol") or ""
            ports.append((port.get("name") or "", protocol, number, app))
    return tuple(ports)


def _named(pod: Object, name: str, protocol: str) -> int | None:
    spec = spec_of(pod)
    sidecars = [
        container
        for container in spec.get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    ]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name") == name and (port.get("protocol") or "TCP") == protocol:
                number: int = port["containerPort"]
                return number
    return None
