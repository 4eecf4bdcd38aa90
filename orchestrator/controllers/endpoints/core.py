"""The endpoints of a Service: from its pods to EndpointSlices and an Endpoints object. Pure.

`orchestrator.controllers.endpoints.actor` keeps track of which pods a Service has.
Rules: k8s.io/endpointslice and k8s.io/kubernetes/pkg/controller/endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.controllers.endpoints.members import Member, Ports
from orchestrator.controllers.endpoints.names import (
    ENDPOINTS,
    ENDPOINTS_LIMIT,
    HEADLESS_LABEL,
    OLD_MANAGER,
    OLD_MANAGER_LABEL,
    OVER_CAPACITY,
    RESERVED,
    TRIGGER_TIME,
)
from orchestrator.controllers.endpoints.slices import plan_slices, slice_port
from orchestrator.controllers.plans import Creation, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
)


def decide_endpoints(
    service: Object,
    members: Sequence[Member],
    slices: Sequence[Object],
    endpoints: Object | None,
    trigger: str = "",
) -> Plan:
    """Return how to bring slices and Endpoints up to date; ``EndpointsController`` applies it.

    Args:
        service: With a selector.
        members: Its eligible pods.
        slices: Those it owns.
        endpoints: Its Endpoints object, if there is one.
        trigger: When the first change happened that is new here; empty when that is not known.
    """
    plan = Plan()
    plan_slices(service, members, slices, trigger, plan)
    _plan_endpoints(service, members, endpoints, trigger, plan)
    return plan


def _plan_endpoints(
    service: Object,
    members: Iterable[Member],
    endpoints: Object | None,
    trigger: str,
    plan: Plan,
) -> None:
    subsets, truncated = _subsets([member for member in members if member.listed])
    own = {key: value for key, value in labels_of(service).items() if key not in RESERVED}
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
        plan.create.append(Creation(ENDPOINTS, _triggered(new, trigger)))
    elif new != endpoints and not is_deleting(endpoints):
        plan.update.append(Update(ENDPOINTS, endpoints, _triggered(new, trigger)))


def _triggered(endpoints: Object, trigger: str) -> Object:
    """Return Endpoints that are written with the time of what they are written for."""
    metadata = endpoints["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(TRIGGER_TIME, None)
    if trigger:
        annotations[TRIGGER_TIME] = trigger
    rest = {field: value for field, value in metadata.items() if field != "annotations"}
    return {
        **endpoints,
        "metadata": {**rest, "annotations": annotations} if annotations else rest,
    }


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
                {field: value for field, value in slice_port(port).items() if value}
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
