"""The EndpointSlices of a Service: a hundred endpoints in each, few writes for a change. Pure.

Rules: the reconciler of k8s.io/endpointslice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from orchestrator.controllers._owners import controller_reference
from orchestrator.controllers.endpoints.members import Member, Ports
from orchestrator.controllers.endpoints.names import (
    HEADLESS_LABEL,
    MANAGER,
    MANAGER_LABEL,
    RESERVED,
    SERVICE_LABEL,
    SLICE_LIMIT,
    SLICES,
    TRIGGER_TIME,
)
from orchestrator.controllers.plans import Creation, Deletion, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
)


def plan_slices(
    service: Object,
    members: Iterable[Member],
    slices: Sequence[Object],
    trigger: str,
    plan: Plan,
) -> None:
    """Add to a plan what brings the slices of a Service up to date.

    Args:
        service: With a selector.
        members: Its eligible pods.
        slices: Those it owns.
        trigger: When the first change happened that is new here; empty when that is not known.
        plan: Added to.
    """
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
        mine = present.get(ports, [])
        _plan_group(_Wanted(service, labels, trigger, ports, wanted), mine, plan)
    plan.delete += [Deletion(SLICES, found) for found in spare]


class _Wanted(NamedTuple):
    """What all slices with one set of ports should say together.

    Attributes:
        service: Theirs.
        labels: Of each.
        trigger: Noted on what is written.
        ports: Of each.
        endpoints: Uid of a pod → its endpoint.
    """

    service: Object
    labels: dict[str, str]
    trigger: str
    ports: Ports
    endpoints: dict[str, Object]


def _plan_group(wanted: _Wanted, slices: list[Object], plan: Plan) -> None:
    """Bring the slices with one set of ports up to date, touching as few as possible."""
    missing = dict(wanted.endpoints)
    kept: list[list[Object]] = []
    for found in slices:
        mine: list[Object] = []
        for endpoint in found.get("endpoints") or ():
            now = missing.pop(_endpoint_key(endpoint), None)
            if now is not None:
                mine.append(now)
        kept.append(mine)
    changed = [
        mine != (found.get("endpoints") or []) for found, mine in zip(slices, kept, strict=True)
    ]
    rest = _fill(list(missing.values()), kept, changed)
    fresh = [rest[at : at + SLICE_LIMIT] for at in range(0, len(rest), SLICE_LIMIT)]
    last_empty = not wanted.endpoints and bool(slices)
    if not slices and not fresh:
        fresh = [[]]
    for at, (found, mine) in enumerate(zip(slices, kept, strict=True)):
        if not mine and not (last_empty and at == 0):
            if fresh:  # one slice goes and another comes: they are the same
                plan.update.append(Update(SLICES, found, _updated(found, wanted, fresh.pop())))
            else:
                plan.delete.append(Deletion(SLICES, found))
        elif changed[at] or labels_of(found) != wanted.labels:
            plan.update.append(Update(SLICES, found, _updated(found, wanted, mine)))
    for endpoints in fresh:
        plan.create.append(Creation(SLICES, _slice(wanted, endpoints)))


def _fill(rest: list[Object], kept: list[list[Object]], changed: list[bool]) -> list[Object]:
    """Put new endpoints into slices that are there; return those that need another slice.

    Slices that are written anyway take them first. What is left then goes into one more slice, the
    fullest that has room for all of it, or into new ones: each write is sent to every node.
    """
    for at, mine in enumerate(kept):
        room = SLICE_LIMIT - len(mine)
        if rest and room > 0 and changed[at] and mine:
            mine.extend(rest[:room])
            rest = rest[room:]
    over = len(rest) % SLICE_LIMIT
    open_ = [
        at
        for at, mine in enumerate(kept)
        if not changed[at] and mine and len(mine) + over <= SLICE_LIMIT
    ]
    if over and open_:
        fullest = max(open_, key=lambda at: len(kept[at]))
        kept[fullest].extend(rest[-over:])
        changed[fullest] = True
        rest = rest[:-over]
    return rest


def _updated(found: Object, wanted: _Wanted, endpoints: list[Object]) -> Object:
    metadata = {**found["metadata"], "labels": wanted.labels}
    annotations = dict(annotations_of(found))
    annotations.pop(TRIGGER_TIME, None)
    if wanted.trigger:
        annotations[TRIGGER_TIME] = wanted.trigger
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    return {**found, "metadata": metadata, "endpoints": endpoints}


def _slice(wanted: _Wanted, endpoints: list[Object]) -> Object:
    service = wanted.service
    metadata: Object = {
        "generateName": f"{name_of(service)}-",
        "namespace": namespace_of(service),
        "labels": wanted.labels,
        "ownerReferences": [controller_reference(service)],
    }
    if wanted.trigger:
        metadata["annotations"] = {TRIGGER_TIME: wanted.trigger}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [slice_port(port) for port in wanted.ports],
    }


def slice_port(port: tuple[str, str, int, str]) -> Object:
    """Return a port as slices write it."""
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
    own = {key: value for key, value in labels_of(service).items() if key not in RESERVED}
    labels = {**own, MANAGER_LABEL: MANAGER, SERVICE_LABEL: name_of(service)}
    if spec_of(service).get("clusterIP") == "None":
        labels[HEADLESS_LABEL] = ""
    return labels
