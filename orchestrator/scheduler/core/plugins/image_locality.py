"""ImageLocality: a node that has a pod's images need not pull them.

Source of the rules: ``pkg/scheduler/framework/plugins/imagelocality`` of Kubernetes 1.35.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Score, Scores

NAME = "ImageLocality"
_MEBIBYTE = 1024 * 1024
_LEAST = 23 * _MEBIBYTE
_MOST_PER_CONTAINER = 1000 * _MEBIBYTE


def score_node(pod: PodClass, node: NodeState, cluster: Cluster) -> int:
    """Return 0 to 100: how much of a pod's images is there.

    An image counts for more the more nodes have it, so that one node that once had it does not
    draw all pods to itself.
    """
    images = node.images
    if not images:
        return 0
    total = len(cluster.by_name)
    found = 0
    for name in pod.shape.images:
        size = images.get(name)
        if size:
            found += int(size * (cluster.image_nodes.get(name, 0) / total))
    most = _MOST_PER_CONTAINER * len(pod.shape.images)
    found = min(max(found, _LEAST), most)
    return 100 * (found - _LEAST) // (most - _LEAST)


def score(pod: PodClass, nodes: Sequence[NodeState], cluster: Cluster) -> Scores:
    """Return what `score_node` says."""
    return [score_node(pod, node, cluster) for node in nodes]


SCORE = Score(NAME, score)
