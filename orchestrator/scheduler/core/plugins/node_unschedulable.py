"""NodeUnschedulable: cordoned nodes take no pods, except those that tolerate it."""

from __future__ import annotations

from orchestrator.resources.tolerations import Taint, is_tolerated
from orchestrator.scheduler.core.changes import Change, NodeChange
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Filter, Rejection

_CORDONED = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_REJECTION = Rejection(("node(s) were unschedulable",), resolvable=False)


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a cordoned node."""
    if not node.unschedulable or is_tolerated(_CORDONED, pod.tolerations):
        return None
    return _REJECTION


def hint(_pod: PodClass, change: Change) -> bool:
    """Tell whether a node is not cordoned that was, or is new."""
    if not isinstance(change, NodeChange):
        return True
    before = change.before
    return not change.node.unschedulable and (before is None or before.unschedulable)


FILTER = Filter(
    "NodeUnschedulable",
    check,
    ClusterEvent.NODE_ADDED | ClusterEvent.NODE_TAINTS,
    hint=hint,
    local=True,
)
