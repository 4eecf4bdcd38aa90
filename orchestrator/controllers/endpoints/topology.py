"""Topology aware routing: each zone's share of the endpoints is that of its processors. Pure.

Asked for by an annotation of the Service; ``trafficDistribution`` is its simpler successor, see
`orchestrator.controllers.endpoints.members`. Rules: k8s.io/endpointslice/topologycache and
https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from orchestrator.controllers.endpoints.members import Member
from orchestrator.resources.conditions import is_condition_true
from orchestrator.resources.objects import Object, labels_of, status_of
from orchestrator.resources.quantities import milli

ZONE: Final = "topology.kubernetes.io/zone"
OVERLOAD: Final = 0.2
"""By how much more than its share an endpoint may get; upstream's overloadThreshold."""

_EXCLUDED: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_NO_NODES: Final = (
    "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
)


class Routing(NamedTuple):
    """What became of a Service's wish.

    Attributes:
        members: Its endpoints, with hints or without.
        problem: Why there are no hints; empty when there are.
    """

    members: Sequence[Member]
    problem: str = ""


def zone_shares(nodes: Iterable[Object]) -> dict[str, float]:
    """Return zone → its share of the processors of all ready nodes; empty when that is not known.

    One node that does not tell its zone or its processors makes it unknown, and so does a single
    zone. Nodes of the control plane don't count.
    """
    cpus: dict[str, int] = {}
    for node in nodes:
        labels = labels_of(node)
        if any(name in labels for name in _EXCLUDED) or not is_condition_true(node, "Ready"):
            continue
        zone = labels.get(ZONE, "")
        cpu = milli((status_of(node).get("allocatable") or {}).get("cpu") or 0)
        if not zone or not cpu:
            return {}
        cpus[zone] = cpus.get(zone, 0) + cpu
    if len(cpus) < 2:
        return {}
    total = sum(cpus.values())
    return {zone: cpus[zone] / total for zone in sorted(cpus)}


def route(
    members: Sequence[Member], shares: Mapping[str, float], before: Mapping[str, str]
) -> Routing:
    """Return the endpoints of a Service with the zone that each should serve.

    Args:
        members: Its endpoints.
        shares: As `zone_shares` has them.
        before: Name of a pod → the zone it served; kept where that is as good.
    """
    ready = sorted((member for member in members if member.ready), key=lambda member: member.name)
    number, zones = len(ready), len(shares)
    if not shares:
        return Routing(members, _NO_NODES)
    if zones > number:
        problem = f"Insufficient number of endpoints ({number} endpoints, {zones} zones)"
        return Routing(members, problem)
    least = {
        zone: math.ceil(share * number * (1 / (1 + OVERLOAD))) for zone, share in shares.items()
    }
    if sum(least.values()) > number:
        problem = (
            "Unable to allocate minimum required endpoints to each zone without exceeding overload "
            f"threshold ({number} endpoints, {zones} zones)"
        )
        return Routing(members, problem)
    if any(not member.endpoint.get("zone") for member in ready):
        return Routing(members, "One or more endpoints do not have a zone specified")
    serving = _balance(ready, shares, least, before)
    return Routing([_hinted(member, serving) for member in members])


def _balance(
    ready: Sequence[Member],
    shares: Mapping[str, float],
    least: Mapping[str, int],
    before: Mapping[str, str],
) -> dict[str, str]:
    """Return pod → zone: its own, unless another zone has fewer than the least it needs."""
    serving: dict[str, str] = {member.name: member.endpoint["zone"] for member in ready}
    pools: dict[str, list[str]] = {zone: [] for zone in shares}
    for name, zone in serving.items():
        pools.setdefault(zone, []).append(name)
    desired = {zone: shares.get(zone, 0.0) * len(ready) for zone in pools}
    for zone in shares:
        while len(pools[zone]) < least[zone]:
            giver = max(
                (other for other in pools if len(pools[other]) > least.get(other, 0)),
                key=lambda other: (len(pools[other]) - desired[other], other),
            )
            again = [name for name in pools[giver] if before.get(name) == zone]
            name = again[0] if again else pools[giver][-1]
            pools[giver].remove(name)
            pools[zone].append(name)
            serving[name] = zone
    return serving


def _hinted(member: Member, serving: Mapping[str, str]) -> Member:
    zone = serving.get(member.name)
    if zone is None:
        return member
    return replace(member, endpoint={**member.endpoint, "hints": {"forZones": [{"name": zone}]}})
