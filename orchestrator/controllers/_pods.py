"""What controllers ask of a pod. Rules: k8s.io/kubernetes/pkg/api/v1/pod and pkg/controller."""

from __future__ import annotations

from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time


def ready_condition(pod: Object) -> Object | None:
    """Return the pod's ``Ready`` condition, or None."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready":
            found: Object = condition
            return found
    return None


def is_ready(pod: Object) -> bool:
    """Tell whether the ``Ready`` condition is ``True``."""
    condition = ready_condition(pod)
    return condition is not None and condition.get("status") == "True"


def ready_since(pod: Object) -> float | None:
    """Return since when (wall seconds) the pod is ready; None when it is not."""
    condition = ready_condition(pod)
    if condition is None or condition.get("status") != "True":
        return None
    moment = condition.get("lastTransitionTime")
    return parse_time(moment) if moment else 0.0


def is_terminal(pod: Object) -> bool:
    """Tell whether the pod succeeded or failed, so that no container of it runs again."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def is_active(pod: Object) -> bool:
    """Tell whether the pod counts for its controller: neither terminal nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and not is_terminal(pod)


def is_terminating(pod: Object) -> bool:
    """Tell whether the pod is being deleted and may still run."""
    return "deletionTimestamp" in pod["metadata"] and not is_terminal(pod)


def restarts(pod: Object) -> int:
    """Return the most restarts that any container of the pod has had."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    if len(statuses) == 1:  # most pods; a generator costs more than all the rest
        only: int = next(iter(statuses)).get("restartCount") or 0
        return only
    return max((status.get("restartCount") or 0 for status in statuses), default=0)
