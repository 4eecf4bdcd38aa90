"""PodTopologySpread: pods of a kind go to zones, racks and nodes evenly.

Source of the rules: ``pkg/scheduler/framework/plugins/podtopologyspread`` of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import DEFAULT_SETTINGS, TopologySettings
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import spread_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, Score, Scores

NAME = "PodTopologySpread"
_SKEWED = Rejection(("node(s) didn't match pod topology spread constraints",), resolvable=True)
_UNLABELLED = Rejection(
    ("node(s) didn't match pod topology spread constraints (missing required label)",),
    resolvable=False,
)
_EVENTS = (
    ClusterEvent.NODE_ADDED
    | ClusterEvent.NODE_REMOVED
    | ClusterEvent.NODE_LABELS
    | ClusterEvent.NODE_TAINTS
    | ClusterEvent.POD_ADDED
    | ClusterEvent.POD_LABELS
    | ClusterEvent.POD_REMOVED
)
IGNORED = -1
"""The raw score of a node that lacks a label of some constraint: 0 in the end."""


def make(settings: TopologySettings) -> tuple[Filter, Score]:
    """Make the plugin of a profile."""

    def check(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
        demands = cluster.demands(pod, settings)
        for part in () if demands is None else demands.hard:
            domain = part.counter.domains.value(node)
            if domain is None:
                return _UNLABELLED
            if not part.allows(part.counter.counts.get(domain, 0)):
                return _SKEWED
        return None

    def score(pod: PodClass, nodes: Sequence[NodeState], cluster: Cluster) -> Scores | None:
        demands = cluster.demands(pod, settings)
        if demands is None or not demands.soft:
            return None
        places = [demands.place_of(node) for node in nodes]
        raw = demands.crowding(places, [1] * len(places))
        return [IGNORED if value is None else value for value in raw]

    def applies(pod: PodClass) -> bool:
        return any(spread.hard for spread in pod.spreads) or any(
            spread.hard for spread in settings.defaults
        )

    return (
        Filter(NAME, check, _EVENTS, Depends.TOPOLOGY, applies, hint=spread_hint),
        Score(NAME, score, normalise, Depends.TOPOLOGY),
    )


def normalise(scores: Scores) -> Scores:
    """Give the emptiest domains the most; nodes that are `IGNORED` get nothing."""
    counted = [score for score in scores if score != IGNORED]
    lowest, highest = min(counted, default=0), max(counted, default=0)
    return [normalise_one(score, lowest, highest) for score in scores]


def normalise_one(score: int, lowest: int, highest: int) -> int:
    """Turn one raw score into 0 to 100, given the extremes among feasible nodes."""
    if score == IGNORED:
        return 0
    return 100 * (highest + lowest - score) // highest if highest else 100


FILTER, SCORE = make(DEFAULT_SETTINGS)
