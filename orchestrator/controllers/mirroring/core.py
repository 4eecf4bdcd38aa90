"""The EndpointSlices that mirror an Endpoints object which somebody wrote by hand. Pure.

`orchestrator.controllers.mirroring.actor` applies the plans.
Rules: k8s.io/kubernetes/pkg/controller/endpointslicemirroring and
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from orchestrator.controllers._owners import controller_reference
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    with_meta,
)

ENDPOINTS: Final = "endpoints"
SLICES: Final = "endpointslices.discovery.k8s.io"
MANAGER: Final = "endpointslicemirroring-controller.k8s.io"
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
SERVICE_LABEL: Final = "kubernetes.io/service-name"

SUBSET_LIMIT: Final = 1000
"""Addresses mirrored of one subset; upstream's mirroring-max-endpoints-per-subset."""

_SKIP: Final = "endpointslice.kubernetes.io/skip-mirror"
_LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
_NOT_MIRRORED: Final = frozenset(
    {
        "endpoints.kubernetes.io/last-change-trigger-time",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)

_Group = tuple[str, tuple[tuple[str, str, int, str], ...]]
"""Address type and ports: (name, protocol, port, appProtocol) for each."""


def is_mirrored(endpoints: Object, service: Object | None) -> bool:
    """Tell whether an Endpoints object has slices of its own.

    Not one whose Service has a selector, which has slices already; nor what is no Service's, holds
    a leader's lock, or says that it does not want to.
    """
    return (
        service is not None
        and not spec_of(service).get("selector")
        and labels_of(endpoints).get(_SKIP) != "true"
        and _LEADER not in annotations_of(endpoints)
    )


def decide_mirror(endpoints: Object | None, slices: Sequence[Object]) -> Plan:
    """Return how to bring the slices of an Endpoints object up to date.

    ``MirroringController`` applies it.

    Args:
        endpoints: As committed; None when it is not to be mirrored.
        slices: Those that mirror it.
    """
    plan = Plan()
    if endpoints is None:
        plan.delete += [Deletion(SLICES, found) for found in slices if not is_deleting(found)]
        return plan
    wanted = _wanted(endpoints, plan)
    spare: list[Object] = []
    present: dict[_Group, Object] = {}
    for found in slices:
        group = _group(found.get("addressType") or "IPv4", found.get("ports") or ())
        if is_deleting(found):
            continue
        if group in present or group not in wanted:
            spare.append(found)
        else:
            present[group] = found
    for group, members in wanted.items():
        kept = present.get(group)
        if kept is None and spare and not is_deleting(endpoints):
            # A slice's type of addresses can't change: only one of the same can be used again.
            same = [at for at in spare if at.get("addressType") == group[0]]
            if same:
                kept = same[0]
                spare.remove(kept)
        made = _slice(endpoints, group, list(members.values()))
        if kept is None:
            if not is_deleting(endpoints):
                plan.create.append(Creation(SLICES, made))
            continue
        updated = {**with_meta(kept, **_inherited(made)), "endpoints": made["endpoints"]}
        updated["ports"] = made["ports"]
        if updated != kept:
            plan.update.append(Update(SLICES, kept, updated))
    plan.delete += [Deletion(SLICES, found) for found in spare]
    return plan


def _inherited(made: Object) -> dict[str, Any]:
    metadata = made["metadata"]
    return {"labels": metadata["labels"], "annotations": metadata.get("annotations")}


def _wanted(endpoints: Object, plan: Plan) -> dict[_Group, dict[str, Object]]:
    """Return the endpoints of each slice by address."""
    groups: dict[_Group, dict[str, Object]] = {}
    invalid = skipped = 0
    for ports, addresses in _repacked(endpoints.get("subsets") or ()):
        added = 0
        for address, ready in addresses:
            if added >= SUBSET_LIMIT:
                break
            made = _endpoint(address, ready=ready)
            if made is None:
                invalid += 1
                continue
            kind, endpoint = made
            groups.setdefault((kind, ports), {})[endpoint["addresses"][0]] = endpoint
            added += 1
        skipped += len(addresses) - added
    if invalid:
        text = f"Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices"
        plan.events.append(Emit(endpoints, "Warning", "InvalidIPAddress", text))
    if skipped > invalid:
        text = (
            f"A max of {SUBSET_LIMIT} addresses can be mirrored to EndpointSlices per Endpoints "
            f"subset. {skipped} addresses were skipped"
        )
        plan.events.append(Emit(endpoints, "Warning", "TooManyAddressesToMirror", text))
    return groups


_Addresses = list[tuple[Mapping[str, Any], bool]]


def _repacked(subsets: Sequence[Mapping[str, Any]]) -> list[tuple[Any, _Addresses]]:
    """Return (ports, (address, ready)...): every address with all of its ports, ready ones first.

    An address that one subset lists with one port and another with a second is one endpoint with
    both, as upstream's RepackSubsets has it.
    """
    ports_of: dict[tuple[str, bool], dict[tuple[str, str, int, str], None]] = {}
    first: dict[tuple[str, bool], Mapping[str, Any]] = {}
    for subset in subsets:
        ports = _ports(subset.get("ports") or ())
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                key = (address.get("ip") or "", ready)
                first.setdefault(key, address)
                ports_of.setdefault(key, {}).update(dict.fromkeys(ports))
    grouped: dict[Any, _Addresses] = {}
    for key in sorted(ports_of, key=lambda key: not key[1]):
        grouped.setdefault(tuple(sorted(ports_of[key])), []).append((first[key], key[1]))
    return list(grouped.items())


def _ports(ports: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str, int, str], ...]:
    return tuple(
        (
            port.get("name") or "",
            port.get("protocol") or "TCP",
            port.get("port") or 0,
            port.get("appProtocol") or "",
        )
        for port in ports
    )


def _group(address_type: str, ports: Sequence[Mapping[str, Any]]) -> _Group:
    return address_type, tuple(sorted(_ports(ports)))


def _endpoint(address: Mapping[str, Any], *, ready: bool) -> tuple[str, Object] | None:
    """Return the address type and the endpoint; None for what is no address."""
    try:
        parsed = ip_address(address.get("ip") or "")
    except ValueError:
        return None
    endpoint: Object = {"addresses": [str(parsed)], "conditions": {"ready": ready}}
    for field in ("targetRef", "nodeName", "hostname"):
        if address.get(field):
            endpoint[field] = address[field]
    return f"IPv{parsed.version}", endpoint


def _slice(endpoints: Object, group: _Group, members: list[Object]) -> Object:
    kind, ports = group
    labels = {
        **labels_of(endpoints),
        SERVICE_LABEL: name_of(endpoints),
        MANAGER_LABEL: MANAGER,
    }
    metadata: Object = {
        "generateName": f"{name_of(endpoints)}-",
        "namespace": namespace_of(endpoints),
        "labels": labels,
        "ownerReferences": [controller_reference(endpoints)],
    }
    annotations = {
        name: value
        for name, value in (meta(endpoints).get("annotations") or {}).items()
        if name not in _NOT_MIRRORED
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": kind,
        "endpoints": members,
        "ports": [
            {
                "name": name,
                "protocol": protocol,
                "port": number,
                **({"appProtocol": app} if app else {}),
            }
            for name, protocol, number, app in ports
        ],
    }
