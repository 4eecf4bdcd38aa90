"""The endpoints of a Service: from its pods to EndpointSlices and an Endpoints object. Pure.

`orchestrator.controllers.endpoints.actor` keeps track of which pods a Service has.
Rules: k8s.io/endpointslice and k8s.io/kubernetes/pkg/controller/endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.controllers._owners import controller_reference
from orchestrator.controllers._pods import is_ready, is_terminal
from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)

SLICES: Final = "endpointslices.discovery.k8s.io"
ENDPOINTS: Final = "endpoints"

SLICE_LIMIT: Final = 100
"""Endpoints in one slice; upstream's max-endpoints-per-slice."""

ENDPOINTS_LIMIT: Final = 1000
"""Addresses in one Endpoints object, which cannot be split; upstream's number."""

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "endpointslice-controller.k8s.io"
OLD_MANAGER_LABEL: Final = "endpoints.kubernetes.io/managed-by"
OLD_MANAGER: Final = "endpoint-controller"
HEADLESS_LABEL: Final = "service.kubernetes.io/headless"
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"

_RESERVED: Final = frozenset({SERVICE_LABEL, MANAGER_LABEL, OLD_MANAGER_LABEL, HEADLESS_LABEL})

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
    """

    name: str
    ready: bool
    listed: bool
    ports: Ports
    endpoint: Object


def is_eligible(pod: Object) -> bool:
    """Tell whether a pod can be an endpoint: it has an address and has not finished."""
    return bool((pod.get("status") or {}).get("podIP")) and not is_terminal(pod)


def member_of(service: Object, pod: Object) -> Member:
    """Return an eligible pod as an endpoint of a Service whose selector it matches."""
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
    ports = resolve_ports(service, pod)
    return Member(name_of(pod), ready, publish_all or not terminating, ports, endpoint)


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
    for container in spec_of(pod).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == name and (port.get("protocol") or "TCP") == protocol:
                number: int = port["containerPort"]
                return number
    return None


def decide_endpoints(
    service: Object, members: Sequence[Member], slices: Sequence[Object], endpoints: Object | None
) -> Plan:
    """Return how to bring slices and Endpoints up to date; ``EndpointsController`` applies it.

    Args:
        service: With a selector.
        members: Its eligible pods.
        slices: Those it owns.
        endpoints: Its Endpoints object, if there is one.
    """
    plan = Plan()
    _plan_slices(service, members, slices, plan)
    _plan_endpoints(service, members, endpoints, plan)
    return plan


# -- slices --------------------------------------------------------------------------------


def _plan_slices(
    service: Object, members: Iterable[Member], slices: Sequence[Object], plan: Plan
) -> None:
    groups: dict[Ports, dict[str, Object]] = {}
    for member in members:
        groups.setdefault(member.ports, {})[_endpoint_key(member.endpoint)] = member.endpoint
    groups = groups or {(): {}}  # no endpoint at all is told by one empty slice
    labels = _slice_labels(service)
    spare: list[Object] = []
    present: dict[Ports, list[Object]] = {}
    for found in slices:
        ports = _ports_key(found.get("ports"))
        if ports in groups and found.get("addressType") == "IPv4" and not is_deleting(found):
            present.setdefault(ports, []).append(found)
        elif not is_deleting(found):
            spare.append(found)
    for ports, wanted in groups.items():
        _plan_group(service, labels, ports, wanted, present.get(ports, []), plan)
    plan.delete += [Deletion(SLICES, found) for found in spare]


def _plan_group(
    service: Object,
    labels: dict[str, str],
    ports: Ports,
    wanted: dict[str, Object],
    slices: list[Object],
    plan: Plan,
) -> None:
    """Bring the slices with one set of ports up to date, touching as few as possible."""
    missing = dict(wanted)
    kept: list[list[Object]] = []
    for found in slices:
        mine: list[Object] = []
        for endpoint in found.get("endpoints") or ():
            now = missing.pop(_endpoint_key(endpoint), None)
            if now is not None:
                mine.append(now)
        kept.append(mine)
    rest = list(missing.values())
    changed = [
        mine != (found.get("endpoints") or []) for found, mine in zip(slices, kept, strict=True)
    ]
    # Slices that are written anyway take new endpoints first, then any that has room.
    for only_changed in (True, False):
        for at, mine in enumerate(kept):
            room = SLICE_LIMIT - len(mine)
            if rest and room > 0 and (changed[at] or not only_changed):
                mine.extend(rest[:room])
                del rest[:room]
                changed[at] = True
    fresh = [rest[at : at + SLICE_LIMIT] for at in range(0, len(rest), SLICE_LIMIT)]
    last_empty = not wanted and bool(slices)
    if not slices and not fresh:
        fresh = [[]]
    for at, (found, mine) in enumerate(zip(slices, kept, strict=True)):
        if not mine and not (last_empty and at == 0):
            plan.delete.append(Deletion(SLICES, found))
        elif changed[at] or labels_of(found) != labels:
            metadata = {**found["metadata"], "labels": labels}
            new = {**found, "metadata": metadata, "endpoints": mine}
            plan.update.append(Update(SLICES, found, new))
    for endpoints in fresh:
        plan.create.append(Creation(SLICES, _slice(service, labels, ports, endpoints)))


def _slice(
    service: Object, labels: dict[str, str], ports: Ports, endpoints: list[Object]
) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name_of(service)}-",
            "namespace": namespace_of(service),
            "labels": labels,
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [_slice_port(port) for port in ports],
    }


def _slice_port(port: tuple[str, str, int, str]) -> Object:
    name, protocol, number, app = port
    made: Object = {"name": name, "protocol": protocol, "port": number}
    if app:
        made["appProtocol"] = app
    return made


def _ports_key(ports: Sequence[dict[str, Any]] | None) -> Ports:
    return tuple(
        (
            port.get("name") or "",
            port.get("protocol") or "TCP",
            port.get("port") or 0,
            port.get("appProtocol") or "",
        )
        for port in ports or ()
    )


def _endpoint_key(endpoint: Object) -> str:
    uid: str = (endpoint.get("targetRef") or {}).get("uid") or ""
    return uid


def _slice_labels(service: Object) -> dict[str, str]:
    own = {key: value for key, value in labels_of(service).items() if key not in _RESERVED}
    labels = {**own, MANAGER_LABEL: MANAGER, SERVICE_LABEL: name_of(service)}
    if spec_of(service).get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    return labels


# -- Endpoints -----------------------------------------------------------------------------


def _plan_endpoints(
    service: Object, members: Iterable[Member], endpoints: Object | None, plan: Plan
) -> None:
    subsets, truncated = _subsets([member for member in members if member.listed])
    own = {key: value for key, value in labels_of(service).items() if key not in _RESERVED}
    labels = {**own, OLD_MANAGER_LABEL: OLD_MANAGER}
    if spec_of(service).get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    annotations = dict(annotations_of(endpoints or {}))
    annotations.pop(OVER_CAPACITY, None)
    if truncated:
        annotations[OVER_CAPACITY] = "truncated"
    base = endpoints or {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": name_of(service), "namespace": namespace_of(service)},
    }
    metadata = {**meta(base), "labels": labels, "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    new = {**base, "metadata": metadata, "subsets": subsets}
    if not subsets:
        del new["subsets"]
    if endpoints is None:
        plan.create.append(Creation(ENDPOINTS, new))
    elif new != endpoints and not is_deleting(endpoints):
        plan.update.append(Update(ENDPOINTS, endpoints, new))


def _subsets(members: list[Member]) -> tuple[list[Object], bool]:
    """Return the subsets by ports, and whether addresses had to be left out."""
    members.sort(key=lambda member: (not member.ready, member.endpoint["addresses"][0]))
    groups: dict[Ports, dict[str, list[Object]]] = {}
    for member in members[:ENDPOINTS_LIMIT]:
        field = "addresses" if member.ready else "notReadyAddresses"
        group = groups.setdefault(member.ports, {})
        group.setdefault(field, []).append(_address(member.endpoint))
    subsets: list[Object] = []
    for ports in sorted(groups):
        subset: Object = dict(groups[ports])
        if ports:
            subset["ports"] = [
                {field: value for field, value in _slice_port(port).items() if value}
                for port in ports
            ]
        subsets.append(subset)
    return subsets, len(members) > ENDPOINTS_LIMIT


def _address(endpoint: Object) -> Object:
    address: Object = {"ip": endpoint["addresses"][0], "targetRef": endpoint["targetRef"]}
    for field in ("nodeName", "hostname"):
        if field in endpoint:
            address[field] = endpoint[field]
    return address
