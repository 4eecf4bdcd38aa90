"""NodeAffinity: ``nodeSelector`` and node affinity, required and preferred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.resources.node_affinity import preferences_of, selection_of
from orchestrator.scheduler.core.changes import Change, NodeChange
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import (
    Filter,
    Rejection,
    Score,
    Scores,
    by_share_of_highest,
)

NAME = "NodeAffinity"
_REJECTION = Rejection(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
_ENFORCED = Rejection(("node(s) didn't match scheduler-enforced node affinity",), resolvable=False)
NOT_NAMED = Rejection(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), resolvable=False)
"""For a pod whose affinity names its nodes (a DaemonSet's), on all other nodes: upstream decides
this before it runs any filter on them."""
CONFLICT = Rejection(("pod affinity terms conflict",), resolvable=False)
"""For a pod whose terms each demand to be on several nodes at once."""
_EVENTS = ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABELS


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a node that the pod does not select."""
    if pod.selection.matches(node.name, node.labels):
        return None
    return _REJECTION


def applies(pod: PodClass) -> bool:
    """Tell whether there is a node that the pod could fail to select."""
    return pod.selection.selects


def count_preferred(pod: PodClass, node: NodeState) -> int:
    """Add up the weights of the preferred terms that select the node."""
    return sum(weight for weight, term in pod.preferences if term.matches(node.name, node.labels))


def normalise(count: int, highest: int) -> int:
    """Turn a node's sum into a score of 0 to 100, given the highest among feasible nodes."""
    return 100 * count // highest if highest else 0


def score(pod: PodClass, nodes: Sequence[NodeState], _cluster: Cluster) -> Scores | None:
    """Return the sums that `count_preferred` makes."""
    return [count_preferred(pod, node) for node in nodes] if pod.preferences else None


def hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a node is selected that was not."""
    if not isinstance(change, NodeChange):
        return True
    node, before = change.node, change.before
    selection = pod.selection
    return selection.matches(node.name, node.labels) and (
        before is None or not selection.matches(before.name, before.labels)
    )


FILTER = Filter(NAME, check, _EVENTS, applies=applies, hint=hint, local=True)
SCORE = Score(NAME, score, by_share_of_highest)


def enforce(added: Mapping[str, Any]) -> tuple[Filter, Score]:
    """Make the plugin of a profile whose pods all have an affinity added to their own.

    Args:
        added: A pod's ``spec.affinity.nodeAffinity``.
    """
    spec = {"affinity": {"nodeAffinity": added}}
    selection, preferences = selection_of(spec), preferences_of(spec)

    def check_both(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
        if not selection.matches(node.name, node.labels):
            return _ENFORCED
        return check(pod, node, cluster)

    def count(pod: PodClass, node: NodeState) -> int:
        return count_preferred(pod, node) + sum(
            weight for weight, term in preferences if term.matches(node.name, node.labels)
        )

    def score_both(pod: PodClass, nodes: Sequence[NodeState], _cluster: Cluster) -> Scores | None:
        if not preferences and not pod.preferences:
            return None
        return [count(pod, node) for node in nodes]

    return Filter(NAME, check_both, _EVENTS, local=True), Score(
        NAME, score_both, by_share_of_highest
    )
