"""Scores by resources, 0 to 100 each: LeastAllocated and BalancedAllocation, weight 1 each.

Source of the formulas: ``pkg/scheduler/framework/plugins/noderesources`` of Kubernetes 1.35.
"""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState


def least_allocated(pod: PodClass, node: NodeState) -> int:
    """Prefer nodes with much free, as a mean of CPU and memory, counting the pod as placed.

    Containers without requests count with the non-zero defaults.
    """
    total = weights = 0
    if capacity := node.cpu:
        weights = 1
        used = node.score_cpu + pod.request.score_cpu
        if used <= capacity:
            total = (capacity - used) * 100 // capacity
    if capacity := node.memory:
        weights += 1
        used = node.score_memory + pod.request.score_memory
        if used <= capacity:
            total += (capacity - used) * 100 // capacity
    return total // weights if weights else 0


def balanced_allocation(pod: PodClass, node: NodeState) -> int:
    """Prefer nodes whose CPU and memory are used alike, counting the pod as placed.

    Counts real requests; for a pod that requests neither, upstream skips this score.
    """
    request = pod.request
    if not (request.cpu or request.memory):
        return 0
    if not (node.cpu and node.memory):
        return 100
    cpu = min(1.0, (node.used_cpu + request.cpu) / node.cpu)
    memory = min(1.0, (node.used_memory + request.memory) / node.memory)
    return int((1 - abs((cpu - memory) / 2)) * 100)
