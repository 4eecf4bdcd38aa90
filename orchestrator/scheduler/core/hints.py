"""Whether a change helps a pod that was rejected because of other pods, or of its volumes.

The hints of the other filters stand beside their checks. Source of the rules:
``isSchedulableAfterPodChange`` and ``isSchedulableAfterNodeChange`` of kube-scheduler's
PodTopologySpread and InterPodAffinity. Where those overlook something that helps, these do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.resources.tolerations import tolerates_all
from orchestrator.scheduler.core.changes import (
    Change,
    NamespaceChange,
    NodeChange,
    PodChange,
    StorageChange,
)
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.terms import Spread, Term

# ---- PodTopologySpread


def spread_hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a change touches pods or nodes that a hard constraint of the pod counts."""
    spreads = [spread for spread in pod.spreads if spread.hard]
    if not spreads:  # by its profile's constraints, which are not known here
        return True
    if isinstance(change, PodChange):
        moved = change.pod.pod_class
        if moved.namespace != pod.namespace:
            return False
        if change.before is not None:
            return _counted(spreads, change.before) != _counted(spreads, moved)
        return any(_counted(spreads, moved))
    if not isinstance(change, NodeChange):
        return True
    node, before = change.node, change.before
    if before is None:
        return _has_keys(spreads, node)
    if _has_keys(spreads, node) != _has_keys(spreads, before):
        return True
    if not _has_keys(spreads, node):
        return False
    return any(_domain(spread, pod, node) != _domain(spread, pod, before) for spread in spreads)


def _counted(spreads: Iterable[Spread], pod: PodClass) -> list[bool]:
    return [spread.selector.matches(pod.labels) for spread in spreads]


def _has_keys(spreads: Iterable[Spread], node: NodeState) -> bool:
    return all(spread.key in node.labels for spread in spreads)


def _domain(spread: Spread, pod: PodClass, node: NodeState) -> str | None:
    """Return the domain that a node counts for, if it counts."""
    if spread.honor_affinity and not pod.selection.matches(node.name, node.labels):
        return None
    if spread.honor_taints and not tolerates_all(node.taints, pod.tolerations):
        return None
    return node.labels.get(spread.key)


# ---- InterPodAffinity


def affinity_hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a change touches pods that the pod's terms mean, or whose terms mean the pod.

    Which pods there are, and so whose terms they have, is not known here.
    """
    if isinstance(change, PodChange):
        return _pod_helps(pod, change)
    if isinstance(change, NamespaceChange):
        return change.name == pod.namespace or any(
            term.namespace_selector is not None
            and term.namespace_selector.matches(change.before)
            != term.namespace_selector.matches(change.after)
            for term in (*pod.affinity.attracted, *pod.affinity.repelled)
        )
    if not isinstance(change, NodeChange):
        return True
    node, before = change.node, change.before
    if change.kind is ClusterEvent.NODE_REMOVED:
        return any(_leaving_helps(pod, other.pod_class) for other in node.pods.values())
    if before is None:
        attracted = pod.affinity.attracted
        return not attracted or any(term.key in node.labels for term in attracted)
    return node.labels != before.labels


def _pod_helps(pod: PodClass, change: PodChange) -> bool:
    moved, before = change.pod.pod_class, change.before
    if before is not None:  # its labels changed: the one is gone, the other has come
        return _coming_helps(pod, moved) or _leaving_helps(pod, before)
    if change.kind is ClusterEvent.POD_ADDED:
        return _coming_helps(pod, moved)
    return _leaving_helps(pod, moved)


def _coming_helps(pod: PodClass, other: PodClass) -> bool:
    attracted = pod.affinity.attracted
    return bool(attracted) and all(_may_mean(term, other) for term in attracted)


def _leaving_helps(pod: PodClass, other: PodClass) -> bool:
    """Tell whether the other one kept the pod away.

    One that the pod's affinity means may do that too: as long as there is one, a pod that would
    be the first of its kind has to go where it is.
    """
    if any(_may_mean(term, other) for term in pod.affinity.repelled):
        return True
    if any(_may_mean(term, pod) for term in other.affinity.repelled):
        return True
    return _coming_helps(pod, other) and _coming_helps(pod, pod)


def _may_mean(term: Term, pod: PodClass) -> bool:
    """Tell whether a term means a pod, as far as that can be told without namespaces' labels."""
    return (
        pod.namespace in term.namespaces or term.namespace_selector is not None
    ) and term.selector.matches(pod.labels)


# ---- volumes


def storage_hint(pod: PodClass, change: Change) -> bool:
    """Tell whether a change is about volumes of the kind that the pod waits for.

    A pod that uses the very claim or volume that changed gets another class.
    """
    if pod.volumes is None or not isinstance(change, StorageChange):
        return True
    return change.facts.helps(pod.volumes)
