"""What the twin looks at: raw objects, and the profile it answers for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

Object: TypeAlias = Mapping[str, Any]

WEIGHTS = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}
"""Upstream's default weights."""

ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"

SYSTEM_CONSTRAINTS: tuple[Object, ...] = (
    {"maxSkew": 3, "topologyKey": HOSTNAME, "whenUnsatisfiable": "ScheduleAnyway"},
    {"maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway"},
)
"""PodTopologySpread's constraints for pods that have none, unless the profile lists others."""


@dataclass(frozen=True)
class Profile:
    """The arguments of a scheduler profile's plugins.

    Attributes:
        weights: Plugin → weight of its score.
        off: Plugins whose filter is disabled (what they do before that stays).
        added_affinity: Node affinity that the profile adds to every pod's.
        ignored_resources: Extended resources that NodeResourcesFit does not look at.
        ignored_groups: Likewise, by the part of the name before the slash.
        strategy: ``LeastAllocated``, ``MostAllocated`` or ``RequestedToCapacityRatio``.
        resources: What the strategy looks at, with weights.
        shape: Of RequestedToCapacityRatio: utilisation in percent and score of 0 to 10.
        balanced: What NodeResourcesBalancedAllocation looks at.
        default_constraints: Of PodTopologySpread, for pods that have none; None for the system's.
        hard_affinity_weight: What a required affinity of a pod that is there counts.
        ignore_preferred_terms_of_others: For pods that have no preferred terms themselves.
    """

    weights: Mapping[str, int] = field(default_factory=lambda: WEIGHTS)
    off: frozenset[str] = frozenset()
    added_affinity: Object | None = None
    ignored_resources: frozenset[str] = frozenset()
    ignored_groups: frozenset[str] = frozenset()
    strategy: str = "LeastAllocated"
    resources: tuple[tuple[str, int], ...] = (("cpu", 1), ("memory", 1))
    shape: tuple[tuple[int, int], ...] = ((0, 0), (100, 10))
    balanced: tuple[str, ...] = ("cpu", "memory")
    default_constraints: tuple[Object, ...] | None = None
    hard_affinity_weight: int = 1
    ignore_preferred_terms_of_others: bool = False


DEFAULT_PROFILE = Profile()


@dataclass(frozen=True)
class Snapshot:
    """A cluster at one moment.

    Attributes:
        pods: Those with ``spec.nodeName`` count on that node unless they have finished.
        nominated: Pods that wait for a node to be cleared for them: ``status.nominatedNodeName``.
    """

    nodes: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    nominated: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    services: Sequence[Object] = ()
    controllers: Sequence[Object] = ()
    """ReplicationControllers."""
    replica_sets: Sequence[Object] = ()
    stateful_sets: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    volumes: Sequence[Object] = ()
    classes: Sequence[Object] = ()
    """StorageClasses."""
    csi_nodes: Sequence[Object] = ()
    budgets: Sequence[Object] = ()
    """PodDisruptionBudgets."""

    def pods_on(self, node: Object) -> list[Object]:
        """Return the pods that count on a node."""
        return [
            pod
            for pod in self.pods
            if (pod["spec"].get("nodeName") == name(node))
            and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
        ]

    def without(self, pods: Sequence[Object]) -> Snapshot:
        """Return the cluster as it would be without these pods."""
        gone = {uid(pod) for pod in pods}
        return replace(self, pods=[pod for pod in self.pods if uid(pod) not in gone])

    def with_nominated(self, node: Object, pod: Object) -> Snapshot:
        """Return the cluster with the pods on a node that are nominated to it and come first."""
        coming = [
            {**other, "spec": {**other["spec"], "nodeName": name(node)}}
            for other in self.nominated
            if (other.get("status") or {}).get("nominatedNodeName") == name(node)
            and priority(other) >= priority(pod)
            and uid(other) != uid(pod)
        ]
        return replace(self, pods=[*self.pods, *coming]) if coming else self


def name(thing: Object) -> str:
    """Return an object's name."""
    return str(thing["metadata"]["name"])


def namespace(thing: Object) -> str:
    """Return an object's namespace."""
    return str(thing["metadata"].get("namespace") or "default")


def uid(pod: Object) -> str:
    """Return what tells a pod from all others."""
    return str(pod["metadata"].get("uid") or f"{namespace(pod)}/{name(pod)}")


def labels(thing: Object) -> Mapping[str, str]:
    """Return an object's labels."""
    return thing["metadata"].get("labels") or {}


def priority(pod: Object) -> int:
    """Return a pod's priority; 0 when it has none."""
    return pod["spec"].get("priority") or 0


def find(things: Sequence[Object], wanted: str, within: str | None = None) -> Object | None:
    """Return the object of a name, in a namespace if one is given."""
    for thing in things:
        if name(thing) == wanted and (within is None or namespace(thing) == within):
            return thing
    return None
