"""How good each feasible node is."""

from __future__ import annotations

from collections.abc import Collection

from tests.scheduler.twin.nodes import ImageLocality, NodeAffinity, TaintToleration
from tests.scheduler.twin.plugin import Plugin
from tests.scheduler.twin.pod_affinity import InterPodAffinity
from tests.scheduler.twin.resources import NodeResourcesBalancedAllocation, NodeResourcesFit
from tests.scheduler.twin.snapshot import DEFAULT_PROFILE, Object, Profile, Snapshot, name
from tests.scheduler.twin.spreading import PodTopologySpread

SCORES: tuple[type[Plugin], ...] = (
    TaintToleration,
    NodeAffinity,
    NodeResourcesFit,
    PodTopologySpread,
    InterPodAffinity,
    NodeResourcesBalancedAllocation,
    ImageLocality,
)

TOTAL = "total"


def score_all(
    snapshot: Snapshot,
    pod: Object,
    feasible: Collection[str],
    profile: Profile = DEFAULT_PROFILE,
) -> dict[str, dict[str, int]]:
    """Return for each feasible node every plugin's weighted score, and their sum as ``total``."""
    nodes = [node for node in snapshot.nodes if name(node) in feasible]
    result: dict[str, dict[str, int]] = {name(node): {} for node in nodes}
    if not nodes:
        return result
    for plugin in SCORES:
        weight = profile.weights.get(plugin.name, 0)
        found = plugin(snapshot, pod, profile).scores(nodes) if weight else None
        for node, scores in result.items():
            scores[plugin.name] = weight * found[node] if found else 0
    for scores in result.values():
        scores[TOTAL] = sum(scores.values())
    return result
