"""VolumeZone: bound volumes whose labels name zones or regions are used there."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import storage_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, has_demand

NAME = "VolumeZone"

_ELSEWHERE = Rejection(("node(s) had no available volume zone",), resolvable=False)


def check_pod(pod: PodClass, _cluster: Cluster) -> Rejection | None:
    """Reject a pod whose claims cannot be used, wherever it goes."""
    refusal = None if pod.volumes is None else pod.volumes.refusal(NAME)
    return None if refusal is None else Rejection((refusal,), resolvable=False)


def check(pod: PodClass, node: NodeState, _: Cluster) -> Rejection | None:
    """Reject a node in another zone or region than a volume; one in none is anywhere."""
    demand = pod.volumes
    if demand is None:
        return None
    refusal = demand.refusal(NAME)
    if refusal is not None:
        return Rejection((refusal,), resolvable=False)
    for zones in demand.parts.zones:
        if not zones.admit(node.labels):
            return _ELSEWHERE
    return None


FILTER = Filter(
    NAME,
    check,
    ClusterEvent.STORAGE_CLASS
    | ClusterEvent.NODE_ADDED
    | ClusterEvent.NODE_LABELS
    | ClusterEvent.CLAIM
    | ClusterEvent.VOLUME,
    Depends.NODE,
    has_demand,
    check_pod,
    hint=storage_hint,
    local=True,
)
