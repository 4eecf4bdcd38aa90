"""NodeVolumeLimits: a CSI driver attaches only so many volumes to a node."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import storage_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, has_demand

NAME = "NodeVolumeLimits"

_FULL = Rejection(("node(s) exceed max volume count",), resolvable=True)


def check(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
    """Reject a node whose limit the pod's new volumes would exceed."""
    demand = pod.volumes
    if demand is None:
        return None
    refusal = demand.refusal(NAME)
    if refusal is not None:
        return Rejection((refusal,), resolvable=False)
    parts = demand.parts
    if not parts.counts and not parts.shared:
        return None
    there = cluster.volumes.usage.nodes.get(node.name)
    return None if there is None or there.admits(parts.counts, parts.shared) else _FULL


FILTER = Filter(
    NAME,
    check,
    ClusterEvent.CSI_NODE
    | ClusterEvent.POD_REMOVED
    | ClusterEvent.CLAIM
    | ClusterEvent.VOLUME_ATTACHMENT,
    Depends.PODS,
    has_demand,
    hint=storage_hint,
    local=True,
)
