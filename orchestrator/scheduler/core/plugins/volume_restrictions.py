"""VolumeRestrictions: disks, and ReadWriteOncePod claims, that only one pod may use."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import storage_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, has_demand

NAME = "VolumeRestrictions"

_DISK = Rejection(("node(s) had no available disk",), resolvable=True)
_USED = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)
_CLAIM = Rejection((_USED,), resolvable=True)


def check_pod(pod: PodClass, _cluster: Cluster) -> Rejection | None:
    """Reject a pod whose claims cannot be used, wherever it goes."""
    refusal = None if pod.volumes is None else pod.volumes.refusal(NAME)
    return None if refusal is None else Rejection((refusal,), resolvable=False)


def check(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
    """Reject a node whose pods use a disk of the pod, or all while some pod uses its claim."""
    demand = pod.volumes
    if demand is None:
        return None
    refusal = demand.refusal(NAME)
    if refusal is not None:
        return Rejection((refusal,), resolvable=False)
    usage = cluster.volumes.usage
    parts = demand.parts
    if parts.disks and (there := usage.nodes.get(node.name)) is not None:
        for disk in parts.disks:
            if not there.has_free(disk):
                return _DISK
    for claim in parts.exclusive:
        if usage.is_placed(claim):
            return _CLAIM
    return None


FILTER = Filter(
    NAME,
    check,
    ClusterEvent.NODE_ADDED | ClusterEvent.POD_REMOVED | ClusterEvent.CLAIM,
    Depends.PODS,
    has_demand,
    check_pod,
    hint=storage_hint,
)
