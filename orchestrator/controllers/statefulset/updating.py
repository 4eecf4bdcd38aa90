"""Rolling updates of StatefulSets: which pods make way for the new revision. Pure.

Rules: k8s.io/kubernetes/pkg/controller/statefulset/stateful_set_control.go.
"""

from __future__ import annotations

from itertools import islice

from orchestrator.controllers.statefulset.census import Member
from orchestrator.controllers.statefulset.row import Row
from orchestrator.resources.objects import Object, spec_of


def partition_of(stateful_set: Object) -> int | None:
    """Return how many pods from the first on stay at the old revision; None without the field."""
    rolling = (spec_of(stateful_set).get("updateStrategy") or {}).get("rollingUpdate")
    if rolling is None:
        return None
    partition: int = rolling.get("partition") or 0
    return partition


def most_unavailable(stateful_set: Object, replicas: int) -> int:
    """Return how many pods an update may leave unavailable: one at least, shares rounded down."""
    rolling = (spec_of(stateful_set).get("updateStrategy") or {}).get("rollingUpdate") or {}
    value = rolling.get("maxUnavailable")
    if value is None:
        return 1
    if isinstance(value, str):
        return max(1, int(value.rstrip("%")) * replicas // 100)
    return max(1, int(value))


def is_for_current(stateful_set: Object, index: int) -> bool:
    """Tell whether a pod that has to be made gets the current revision, not the new one.

    Args:
        stateful_set: As committed.
        index: The pod's place from the set's first.
    """
    strategy = spec_of(stateful_set).get("updateStrategy") or {}
    partition = partition_of(stateful_set)
    if partition is not None:
        return index < partition
    if strategy.get("type") != "RollingUpdate":
        return False
    current: int = (stateful_set.get("status") or {}).get("currentReplicas") or 0
    return index < current


def plan_update(stateful_set: Object, row: Row, update: str, most: int) -> list[Member]:
    """Return the pods to delete so that they come back at the update revision.

    From the highest ordinal down, no more than leave ``maxUnavailable`` pods unavailable. With
    OrderedReady all pods are available when this is asked. With Parallel, pods of an old revision
    that are unavailable anyway go first, whatever the budget: it costs nothing and may cure them.
    That is upstream's rule before 1.35 and again since kubernetes/kubernetes#137666.

    Args:
        stateful_set: As committed.
        row: Its pods.
        update: Name of the update revision.
        most: Pods to return at most.
    """
    if (spec_of(stateful_set).get("updateStrategy") or {}).get("type") == "OnDelete":
        return []
    first = row.terms.start + (partition_of(stateful_set) or 0)
    budget = most_unavailable(stateful_set, row.terms.size)
    lost = [member for member in row.unsettled() if row.is_unavailable(member)]
    broken = [
        member
        for member in reversed(lost)
        if member.ordinal >= first and member.revision != update and not member.terminating
    ]
    left = max(0, budget - row.missing - len(lost))
    sound = islice(
        (member for member in row.outdated(update, first) if not row.is_unavailable(member)), left
    )
    return [*broken[:budget], *sound][:most]
