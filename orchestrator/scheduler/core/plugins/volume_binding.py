"""VolumeBinding: bound volumes must be in reach, and unbound claims must be given some."""

from __future__ import annotations

from functools import lru_cache

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.hints import storage_hint
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.base import Depends, Filter, Rejection, has_demand
from orchestrator.scheduler.core.volumes.matching import choose

NAME = "VolumeBinding"

_OUT_OF_REACH = "node(s) didn't match PersistentVolume's node affinity"
_NOT_THERE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


def check_pod(pod: PodClass, _cluster: Cluster) -> Rejection | None:
    """Reject a pod whose claims cannot be used, wherever it goes."""
    refusal = None if pod.volumes is None else pod.volumes.refusal(NAME)
    return None if refusal is None else _rejection(refusal)


def check(pod: PodClass, node: NodeState, cluster: Cluster) -> Rejection | None:
    """Reject a node that the pod's volumes cannot be had on, with all reasons."""
    demand = pod.volumes
    if demand is None:
        return None
    refusal = demand.refusal(NAME)
    if refusal is not None:
        return _rejection(refusal)
    parts = demand.parts
    # The first bound volume that is wrong is the one that is spoken of, the unbound come between.
    before, after = "", ""
    for affinity in parts.bound:
        if affinity is None:
            after = _NOT_THERE
            break
        if not affinity.matches(node.labels):
            before = _OUT_OF_REACH
            break
    between = ""
    if parts.unbound:
        choice = choose(parts.unbound, node.name, node.labels, cluster.volumes.supply)
        if isinstance(choice, str):
            between = choice
    if before or between or after:
        return _rejection(before, between, after)
    return None


@lru_cache(maxsize=1024)
def _rejection(*reasons: str) -> Rejection:
    """Return a rejection; no other pod's leaving helps against it."""
    return Rejection(tuple(reason for reason in reasons if reason), resolvable=False)


FILTER = Filter(
    NAME,
    check,
    ClusterEvent.STORAGE_CLASS
    | ClusterEvent.CLAIM
    | ClusterEvent.VOLUME
    | ClusterEvent.NODE_ADDED
    | ClusterEvent.NODE_LABELS
    | ClusterEvent.CSI_DRIVER
    | ClusterEvent.CSI_CAPACITY,
    Depends.PODS,  # on volumes that are free: see `VolumeBook.revision`
    has_demand,
    check_pod,
    hint=storage_hint,
    local=True,
)
