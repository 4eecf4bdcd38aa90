"""NodePorts: a host port can be had once on a node."""

from __future__ import annotations

from orchestrator.scheduler.core.changes import Change, PodChange
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection

NAME = "NodePorts"
_REJECTION = Rejection(
    ("node(s) didn't have free ports for the requested pod ports",), resolvable=True
)


def check(pod: PodClass, node: NodeState, _cluster: Cluster) -> Rejection | None:
    """Reject a node where a host port of the pod is taken."""
    ports = pod.request.ports
    if not ports or not node.ports or node.has_free(ports):
        return None
    return _REJECTION


def applies(pod: PodClass) -> bool:
    """Tell whether a pod wants host ports."""
    return bool(pod.request.ports)


def hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a pod is gone that had one of the ports, or a node is new."""
    if not isinstance(change, PodChange):
        return True
    given_back = change.pod.pod_class.request.ports
    return any(port.clashes(other) for port in pod.request.ports for other in given_back)


FILTER = Filter(
    NAME,
    check,
    ClusterEvent.NODE_ADDED | ClusterEvent.POD_REMOVED,
    Depends.PODS,
    applies,
    hint=hint,
    local=True,
)
