"""NodeAffinity: ``nodeSelector`` and required node affinity."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import ClusterEvent, Filter, Rejection

_REJECTION = Rejection(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
NOT_NAMED = Rejection(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), resolvable=False)
"""For a pod whose affinity names its nodes (a DaemonSet's), on all other nodes: upstream decides
this before it runs any filter on them."""


def check(pod: PodClass, node: NodeState) -> Rejection | None:
    """Reject a node that the pod does not select."""
    if pod.selection.matches(node.name, node.labels):
        return None
    return _REJECTION


FILTER = Filter("NodeAffinity", check, ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABELS)
