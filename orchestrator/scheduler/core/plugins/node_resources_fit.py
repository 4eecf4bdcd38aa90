"""NodeResourcesFit: what a pod requests must be free on the node."""

from __future__ import annotations

from orchestrator.scheduler.core.changes import Change, NodeChange, PodChange
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection
from orchestrator.scheduler.core.requests import Request

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


def room_for(pod: PodClass, node: NodeState) -> int:
    """Return how many more pods of a class a node takes that takes one; at least 1, maybe more.

    Extended resources are left out: a profile may ignore them.
    """
    request = pod.request
    if request.ports:
        return 1
    room = node.allowed_pods - len(node.pods)
    if request.cpu:
        room = min(room, (node.cpu - node.used_cpu) // request.cpu)
    if request.memory:
        room = min(room, (node.memory - node.used_memory) // request.memory)
    if request.ephemeral:
        room = min(room, (node.ephemeral - node.used_ephemeral) // request.ephemeral)
    return max(1, room)


def hint(pod: PodClass, change: Change) -> bool:
    """Tell whether something that the pod needs has become free, on a node that is large enough.

    A pod that goes away frees at least one of the places that a node has for pods.
    """
    request = pod.request
    if isinstance(change, PodChange):
        if change.node is not None and not _fits_empty(request, change.node):
            return False
        if change.before is None:
            return True
        old, new = change.before.request, change.pod.pod_class.request
        return any(wanted and _of(new, name) < _of(old, name) for name, wanted in _wants(request))
    if not isinstance(change, NodeChange):
        return True
    node, before = change.node, change.before
    if not _fits_empty(request, node):
        return False
    return (
        before is None
        or before.allowed_pods < node.allowed_pods
        or any(_has(before, name) < _has(node, name) for name, _ in _wants(request))
    )


def _wants(request: Request) -> list[tuple[str, int]]:
    named = [
        ("cpu", request.cpu),
        ("memory", request.memory),
        ("ephemeral-storage", request.ephemeral),
    ]
    return [*((name, wanted) for name, wanted in named if wanted), *request.extended]


def _fits_empty(request: Request, node: NodeState) -> bool:
    return node.allowed_pods > 0 and all(
        wanted <= _has(node, name) for name, wanted in _wants(request)
    )


def _has(node: NodeState, name: str) -> int:
    match name:
        case "cpu":
            return node.cpu
        case "memory":
            return node.memory
        case "ephemeral-storage":
            return node.ephemeral
        case _:
            return node.extended.get(name, 0)


def _of(request: Request, name: str) -> int:
    return dict(_wants(request)).get(name, 0)


FILTER = Filter(NAME, check, _EVENTS, Depends.PODS, hint=hint, local=True)


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

    return Filter(NAME, check_rest, _EVENTS, Depends.PODS, local=True)
