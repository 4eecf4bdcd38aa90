"""What a pod takes of a node, added up plainly: resources, ports, volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.resources import quantities
from orchestrator.resources.objects import Object

Amounts = dict[str, int]


def amounts(resources: Mapping[str, Any] | None) -> Amounts:
    """Return quantities in thousandths (a CPU's millicores), exact enough for any resource."""
    return {name: quantities.milli(value) for name, value in (resources or {}).items()}


def room_of(node: Object) -> Amounts:
    """Return what a node has to give."""
    status = node.get("status") or {}
    return amounts(status.get("allocatable") or status.get("capacity"))


def taken_by(spec: Mapping[str, Any]) -> Amounts:
    """Return what a pod takes, one of its node's ``pods`` included.

    The containers and sidecars together, or more where an init container needs more beside the
    sidecars started before it; requests of the whole pod replace the sum; overhead comes on top.
    """
    total: Amounts = {}
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        wanted = _requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, wanted)
            peak = _maximum(peak, sidecars)
        else:
            peak = _maximum(peak, _sum(sidecars, wanted))
    for container in spec.get("containers") or ():
        total = _sum(total, _requests(container))
    total = _maximum(_sum(total, sidecars), peak)
    total.update(amounts((spec.get("resources") or {}).get("requests")))
    total = _sum(total, amounts(spec.get("overhead")))
    total["pods"] = 1000
    return {name: value for name, value in total.items() if value}


def ports_of(spec: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Return protocol, address and number of each port of the node that a pod takes."""
    found = []
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"  # noqa: S104 - the API's word for any
                found.append((port.get("protocol") or "TCP", address, int(port["hostPort"])))
    return found


def clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    """Tell whether two ports cannot be had on one node."""
    any_address = "0.0.0.0"  # noqa: S104 - the API's word for any
    return (
        one[0] == other[0]
        and one[2] == other[2]
        and (one[1] == other[1] or any_address in {one[1], other[1]})
    )


def claims_of(pod: Object) -> list[str]:
    """Return the names of the claims that a pod uses."""
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["spec"].get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    ]


def _requests(container: Mapping[str, Any]) -> Amounts:
    return amounts((container.get("resources") or {}).get("requests"))


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _maximum(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}
