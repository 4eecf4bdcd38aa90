"""Progress: a Deployment's status counts and its conditions.

Rules: k8s.io/kubernetes/pkg/controller/deployment/{progress,sync}.go and util.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.controllers.deployment.sizes import Limits
from orchestrator.resources.conditions import Condition, remove_condition
from orchestrator.resources.objects import Object, spec_of, status_of
from orchestrator.resources.timestamps import format_time, parse_time

NO_DEADLINE: Final = 2**31 - 1
"""A ``progressDeadlineSeconds`` or ``revisionHistoryLimit`` of this size means: none."""

CREATED: Final = "NewReplicaSetCreated"
REFUSED: Final = "ReplicaSetCreateError"
FOUND: Final = "FoundNewReplicaSet"
UPDATED: Final = "ReplicaSetUpdated"
DONE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
RESUMED: Final = "DeploymentResumed"

COUNTS: Final = (
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
)


def deadline_of(deployment: Object) -> int | None:
    """Return ``progressDeadlineSeconds``, or None where there is no deadline."""
    seconds: int | None = spec_of(deployment).get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else seconds


def find(conditions: Sequence[Condition], type_: str) -> Condition | None:
    """Return the condition of a type, or None."""
    return next((condition for condition in conditions if condition["type"] == type_), None)


def put(
    conditions: list[Condition],
    type_: str,
    status: str,
    reason: str,
    message: str,
    *,
    now: float,
    refresh: bool = False,
) -> list[Condition]:
    """Return the conditions with one set; unchanged while status and reason stay the same.

    Args:
        conditions: The present ones.
        type_: Condition type.
        status: ``True``, ``False`` or ``Unknown``.
        reason: Upstream's word.
        message: For people.
        now: Wall seconds.
        refresh: Move ``lastUpdateTime`` though status and reason stay: progress was made.
    """
    old = find(conditions, type_)
    if old and not refresh and (old["status"], old.get("reason")) == (status, reason):
        return conditions
    moment = format_time(now)
    kept = old["lastTransitionTime"] if old and old["status"] == status else moment
    new = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": moment,
        "lastTransitionTime": kept,
    }
    return [*remove_condition(conditions, type_), new]


def count(replica_sets: Sequence[Object], new: Object | None) -> dict[str, int]:
    """Return the status counts; absent fields of ReplicaSets count as zero."""
    reported = [status_of(rs) for rs in replica_sets]

    def total(field: str) -> int:
        return sum(status.get(field) or 0 for status in reported)

    available = total("availableReplicas")
    wanted = sum(spec_of(rs).get("replicas") or 0 for rs in replica_sets)
    return {
        "replicas": total("replicas"),
        "updatedReplicas": (status_of(new).get("replicas") or 0) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "terminatingReplicas": total("terminatingReplicas"),
    }


def with_availability(
    conditions: list[Condition], available: int, limits: Limits, now: float
) -> list[Condition]:
    """Return the conditions with ``Available`` as the counts have it."""
    if available >= limits.floor:
        return put(
            conditions,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now=now,
        )
    return put(
        conditions,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        now=now,
    )


def with_pause(deployment: Object, conditions: list[Condition], now: float) -> list[Condition]:
    """Return the conditions with a pause or a resumption noted.

    A paused Deployment makes no progress, and the time it is paused does not count.
    """
    if deadline_of(deployment) is None:
        return conditions
    present = find(conditions, "Progressing")
    if present and present.get("reason") == TIMED_OUT:
        return conditions
    noted = present is not None and present.get("reason") == PAUSED
    paused = bool(spec_of(deployment).get("paused"))
    if paused and not noted:
        return put(conditions, "Progressing", "Unknown", PAUSED, "Deployment is paused", now=now)
    if noted and not paused:
        return put(conditions, "Progressing", "Unknown", RESUMED, "Deployment is resumed", now=now)
    return conditions


def is_complete(deployment: Object, counts: dict[str, int]) -> bool:
    """Tell whether all wanted pods are of the new template and available, and no others exist."""
    desired: int = spec_of(deployment).get("replicas", 1)
    return (
        counts["updatedReplicas"] == desired
        and counts["replicas"] == desired
        and counts["availableReplicas"] == desired
    )


def has_progressed(before: dict[str, Any], counts: dict[str, int]) -> bool:
    """Tell whether the counts are better than those last reported."""

    def was(field: str) -> int:
        return before.get(field) or 0

    return (
        counts["updatedReplicas"] > was("updatedReplicas")
        or counts["replicas"] - counts["updatedReplicas"] < was("replicas") - was("updatedReplicas")
        or counts["readyReplicas"] > was("readyReplicas")
        or counts["availableReplicas"] > was("availableReplicas")
    )


def with_progress(
    deployment: Object,
    new: Object | None,
    conditions: list[Condition],
    counts: dict[str, int],
    now: float,
) -> list[Condition]:
    """Return the conditions with ``Progressing`` as a rollout's counts have it."""
    deadline = deadline_of(deployment)
    if deadline is None:
        return remove_condition(conditions, "Progressing")
    present = find(conditions, "Progressing")
    finished = (
        counts["replicas"] == counts["updatedReplicas"]
        and present is not None
        and present.get("reason") == DONE
    )
    if finished:
        return conditions
    what = (
        f'ReplicaSet "{new["metadata"]["name"]}"'
        if new
        else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if is_complete(deployment, counts):
        text = f"{what} has successfully progressed."
        return put(conditions, "Progressing", "True", DONE, text, now=now)
    if has_progressed(status_of(deployment), counts):
        text = f"{what} is progressing."
        return put(conditions, "Progressing", "True", UPDATED, text, now=now, refresh=True)
    if present and present.get("reason") not in {DONE, TIMED_OUT}:
        left = parse_time(present["lastUpdateTime"]) + deadline - now
        if left < 0:
            text = f"{what} has timed out progressing."
            return put(conditions, "Progressing", "False", TIMED_OUT, text, now=now)
    return conditions


def seconds_to_deadline(
    deployment: Object, conditions: list[Condition], counts: dict[str, int], now: float
) -> float | None:
    """Return after how many seconds the deadline has to be looked at; None for never."""
    deadline = deadline_of(deployment)
    present = find(conditions, "Progressing")
    if deadline is None or present is None or is_complete(deployment, counts):
        return None
    if present.get("reason") in {DONE, TIMED_OUT, PAUSED}:
        return None
    # Timestamps have whole seconds: one more makes sure that it has passed.
    return max(0.0, parse_time(present["lastUpdateTime"]) + deadline - now) + 1.0


def with_failure(
    conditions: list[Condition], replica_sets: Sequence[Object], new: Object | None, now: float
) -> list[Condition]:
    """Return the conditions with the ``ReplicaFailure`` of a ReplicaSet, the new one's first."""
    ordered = [*([new] if new else []), *replica_sets]
    for rs in ordered:
        for condition in status_of(rs).get("conditions") or ():
            if condition["type"] == "ReplicaFailure":
                return put(
                    conditions,
                    "ReplicaFailure",
                    condition["status"],
                    condition.get("reason", ""),
                    condition.get("message", ""),
                    now=now,
                )
    return remove_condition(conditions, "ReplicaFailure")
