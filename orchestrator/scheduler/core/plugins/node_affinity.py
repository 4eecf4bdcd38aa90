"""NodeAffinity: ``nodeSelector`` and node affinity, required and preferred."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Filter, Rejection

WEIGHT = 2
"""Of the score, upstream's default."""

_REJECTION = Rejection(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
NOT_NAMED = Rejection(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), resolvable=False)
"""For a pod whose affinity names its nodes (a DaemonSet's), on all other nodes: upstream decides
this before it runs any filter on them."""


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a node that the pod does not select."""
    if pod.selection.matches(node.name, node.labels):
        return None
    return _REJECTION


def count_preferred(pod: PodClass, node: NodeState) -> int:
    """Add up the weights of the preferred terms that select the node."""
    return sum(weight for weight, term in pod.preferences if term.matches(node.name, node.labels))


def normalise(count: int, highest: int) -> int:
    """Turn a node's sum into a score of 0 to 100, given the highest among feasible nodes."""
    return 100 * count // highest if highest else 0


FILTER = Filter("NodeAffinity", check, ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABELS)
