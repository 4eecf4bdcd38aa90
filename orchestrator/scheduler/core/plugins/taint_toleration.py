"""TaintToleration: taints keep pods away, or make a node less welcome (PreferNoSchedule)."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.resources.tolerations import is_tolerated, tolerates_all
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
    by_lack_of_highest,
)

_REJECTION = Rejection(("node(s) had untolerated taint(s)",), resolvable=False)


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a node with a taint that the pod does not tolerate."""
    taints = node.taints
    return None if not taints or tolerates_all(taints, pod.tolerations) else _REJECTION


def count_unwelcome(pod: PodClass, node: NodeState) -> int:
    """Count the PreferNoSchedule taints that the pod does not tolerate."""
    if not node.taints:
        return 0
    tolerations = [t for t in pod.tolerations if t.effect in {"", "PreferNoSchedule"}]
    return sum(
        taint.effect == "PreferNoSchedule" and not is_tolerated(taint, tolerations)
        for taint in node.taints
    )


def normalise(count: int, highest: int) -> int:
    """Turn a node's count into a score of 0 to 100, given the highest among feasible nodes."""
    return 100 if highest == 0 else 100 - 100 * count // highest


def score(pod: PodClass, nodes: Sequence[NodeState], _cluster: Cluster) -> Scores:
    """Return the counts that `count_unwelcome` makes."""
    return [count_unwelcome(pod, node) for node in nodes]


def hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a node's taints are tolerated now that were not."""
    if not isinstance(change, NodeChange):
        return True
    before = change.before
    return tolerates_all(change.node.taints, pod.tolerations) and (
        before is None or not tolerates_all(before.taints, pod.tolerations)
    )


FILTER = Filter(
    "TaintToleration",
    check,
    ClusterEvent.NODE_ADDED | ClusterEvent.NODE_TAINTS,
    hint=hint,
    local=True,
)
SCORE = Score("TaintToleration", score, by_lack_of_highest)
