"""NodeResourcesFit: what a pod requests must be free on the node."""

from __future__ import annotations

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection

NAME = "NodeResourcesFit"
_EVENTS = (
    ClusterEvent.NODE_ADDED
    | ClusterEvent.NODE_RESOURCES
    | ClusterEvent.POD_REMOVED
    | ClusterEvent.POD_RESOURCES
)


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a node that is too full, or too small, with every resource that is lacking."""
    return None if fits(pod, node) else _explain(pod, node, pod.request.extended)


def fits(pod: PodClass, node: NodeState) -> bool:
    """Tell what `check` tells, without the reasons; runs once for every placement."""
    cpu, memory, ephemeral, extended, _, _, _ = pod.request
    if len(node.pods) >= node.allowed_pods:
        return False
    if cpu and cpu > node.cpu - node.used_cpu:
        return False
    if memory and memory > node.memory - node.used_memory:
        return False
    if ephemeral and ephemeral > node.ephemeral - node.used_ephemeral:
        return False
    for name, wanted in extended:
        if wanted > node.extended.get(name, 0) - node.used_extended.get(name, 0):
            return False
    return True


def _explain(
    pod: PodClass, node: NodeState, extended: tuple[tuple[str, int], ...]
) -> Rejection | None:
    request = pod.request
    reasons = []
    resolvable = True
    if len(node.pods) + 1 > node.allowed_pods:
        reasons.append("Too many pods")
    lacking = [
        ("cpu", request.cpu, node.used_cpu, node.cpu),
        ("memory", request.memory, node.used_memory, node.memory),
        ("ephemeral-storage", request.ephemeral, node.used_ephemeral, node.ephemeral),
    ]
    lacking += [
        (name, wanted, node.used_extended.get(name, 0), node.extended.get(name, 0))
        for name, wanted in extended
    ]
    for name, wanted, used, capacity in lacking:
        if wanted and wanted > capacity - used:
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and wanted <= capacity
    return Rejection(tuple(reasons), resolvable) if reasons else None


FILTER = Filter(NAME, check, _EVENTS, Depends.PODS)


def ignore(resources: frozenset[str], groups: frozenset[str]) -> Filter:
    """Make the filter of a profile that leaves some extended resources to somebody else.

    Args:
        resources: Their names.
        groups: What stands before the slash in their names.
    """

    def check_rest(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
        left = tuple(
            (name, wanted)
            for name, wanted in pod.request.extended
            if name not in resources and name.partition("/")[0] not in groups
        )
        return _explain(pod, node, left)

    return Filter(NAME, check_rest, _EVENTS, Depends.PODS)
