"""InterPodAffinity: pods that want to be near other pods, or far from them.

Source of the rules: ``pkg/scheduler/framework/plugins/interpodaffinity`` of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import DEFAULT_SETTINGS, TopologySettings
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import affinity_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, Score, Scores

NAME = "InterPodAffinity"
_ALONE = Rejection(("node(s) didn't match pod affinity rules",), resolvable=False)
_REPELLED = Rejection(("node(s) didn't match pod anti-affinity rules",), resolvable=True)
_REPELLING = Rejection(
    ("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True
)
_EVENTS = (
    ClusterEvent.NODE_ADDED
    | ClusterEvent.NODE_REMOVED
    | ClusterEvent.NODE_LABELS
    | ClusterEvent.POD_ADDED
    | ClusterEvent.POD_LABELS
    | ClusterEvent.POD_REMOVED
    | ClusterEvent.NAMESPACE_LABELS
)


def make(settings: TopologySettings) -> tuple[Filter, Score]:
    """Make the plugin of a profile."""

    def check(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
        demands = cluster.demands(pod, settings)
        if demands is None:
            return None
        if not demands.finds_company(node):
            return _ALONE
        if any(counter.on(node) for counter in demands.repelled):
            return _REPELLED
        if any(counter.on(node) for counter in demands.repelling):
            return _REPELLING
        return None

    def score(pod: PodClass, nodes: Sequence[NodeState], cluster: Cluster) -> Scores | None:
        demands = cluster.demands(pod, settings)
        if demands is None or not demands.scored:
            return None
        return [
            sum(counter.on(node) * weight for counter, weight in demands.scored) for node in nodes
        ]

    return (
        Filter(NAME, check, _EVENTS, Depends.TOPOLOGY, hint=affinity_hint),
        Score(NAME, score, normalise, Depends.TOPOLOGY),
    )


def normalise(scores: Scores) -> Scores:
    """Scale so that the lowest gets 0 and the highest 100; all alike get 0."""
    lowest, highest = min(scores, default=0), max(scores, default=0)
    return [normalise_one(score, lowest, highest) for score in scores]


def normalise_one(score: int, lowest: int, highest: int) -> int:
    """Turn one raw score into 0 to 100, given the extremes among feasible nodes."""
    # As upstream: a quotient of floats, cut off.
    return int(100 * ((score - lowest) / (highest - lowest))) if highest > lowest else 0


FILTER, SCORE = make(DEFAULT_SETTINGS)
