"""What a Job asks of its pods. Pure. Rules: k8s.io/kubernetes/pkg/controller/job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.controllers._pods import ready_condition, restarts
from orchestrator.resources.objects import Object, annotations_of, spec_of, status_of, with_meta
from orchestrator.resources.timestamps import parse_time

RESOURCE: Final = "jobs.batch"
PODS: Final = "pods"
FINALIZER: Final = "batch.kubernetes.io/job-tracking"
"""Holds a pod until it was counted."""
INDEX: Final = "batch.kubernetes.io/job-completion-index"
FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES: Final = "batch.kubernetes.io/job-index-ignored-failure-count"
_MOST: Final = 2**31 - 1
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def is_indexed(job: Object) -> bool:
    """Tell whether each pod of a Job works on an index of its own."""
    return spec_of(job).get("completionMode") == "Indexed"


def is_suspended(job: Object) -> bool:
    """Tell whether a Job shall have no pods for now."""
    return bool(spec_of(job).get("suspend"))


def is_foreign(job: Object) -> bool:
    """Tell whether another controller looks after a Job (``managedBy``)."""
    manager = spec_of(job).get("managedBy")
    return manager is not None and manager != "kubernetes.io/job-controller"


def finished_condition(job: Object) -> Object | None:
    """Return the condition that says that a Job is over, ``Complete`` or ``Failed``, or None."""
    for condition in status_of(job).get("conditions") or ():
        if condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True":
            found: Object = condition
            return found
    return None


def replaces_only_failed(job: Object) -> bool:
    """Tell whether a pod is replaced, and counts as failed, only once it is ``Failed``."""
    spec = spec_of(job)
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def has_finalizer(pod: Object) -> bool:
    """Tell whether a pod is still to be counted."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def without_finalizer(pod: Object) -> Object:
    """Return a pod that was counted."""
    rest = [name for name in pod["metadata"].get("finalizers") or () if name != FINALIZER]
    return with_meta(pod, finalizers=rest or None)


def with_finalizer(pod: Object) -> Object:
    """Return a pod that is to be counted."""
    if has_finalizer(pod):
        return pod
    return with_meta(pod, finalizers=[*(pod["metadata"].get("finalizers") or ()), FINALIZER])


def completion_index(pod: Object) -> int | None:
    """Return the index a pod works on; None without a valid one."""
    return _whole(annotations_of(pod).get(INDEX), None)


def valid_index(pod: Object, completions: int) -> int | None:
    """Return the index a pod works on; None without one below ``completions``."""
    index = completion_index(pod)
    return index if index is not None and index < completions else None


def counted_failures(pod: Object) -> int:
    """Return how often the pod's index had failed before it, failures that count only."""
    return _whole(annotations_of(pod).get(FAILURES), 0) or 0


def ignored_failures(pod: Object) -> int:
    """Return how often the pod's index had failed before it and a policy ignored that."""
    return _whole(annotations_of(pod).get(IGNORED_FAILURES), 0) or 0


def all_failures(pod: Object) -> int:
    """Return how often the pod's index had failed before it."""
    return counted_failures(pod) + ignored_failures(pod)


def _whole(text: str | None, otherwise: int | None) -> int | None:
    if text is None:
        return otherwise
    try:
        number = int(text)
    except ValueError:
        return otherwise
    return number if 0 <= number <= _MOST else otherwise


def has_succeeded(pod: Object) -> bool:
    """Tell whether a pod did its part."""
    return status_of(pod).get("phase") == "Succeeded"


def has_failed(pod: Object, job: Object) -> bool:
    """Tell whether a pod counts as failed.

    One that is being deleted does too, since a pod whose node is gone never gets to say so; unless
    only failed pods are replaced.
    """
    phase = status_of(pod).get("phase")
    if phase == "Failed":
        return True
    if replaces_only_failed(job):
        return False
    return "deletionTimestamp" in pod["metadata"] and phase != "Succeeded"


def finished_at(pod: Object) -> float:
    """Return when a pod ended, in wall seconds.

    When its last container ended; else when it ceased to be ready; else when its deletion was asked
    for; else when it was created.
    """
    ends = _container_ends(pod)
    if ends is not None:
        return ends
    ready = ready_condition(pod)
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    metadata = pod["metadata"]
    deleted = metadata.get("deletionTimestamp")
    if deleted is not None:
        return parse_time(deleted) - (metadata.get("deletionGracePeriodSeconds") or 0)
    created = metadata.get("creationTimestamp")
    return parse_time(created) if created else 0.0


def _container_ends(pod: Object) -> float | None:
    """Return when the last container ended, None unless all have; sidecars count, inits do not."""
    status = status_of(pod)
    sidecars = {
        container["name"]
        for container in spec_of(pod).get("initContainers") or ()
        if container.get("restartPolicy") == "Always"
    }
    statuses = [
        *(status.get("containerStatuses") or ()),
        *(
            item
            for item in status.get("initContainerStatuses") or ()
            if item.get("name") in sidecars
        ),
    ]
    latest: float | None = None
    for item in statuses:
        ended = ((item.get("state") or {}).get("terminated") or {}).get("finishedAt")
        if not ended:
            return None
        latest = max(latest or 0.0, parse_time(ended))
    return latest


def container_restarts(pod: Object) -> int:
    """Return how often containers of a pod were restarted, all together."""
    status = status_of(pod)
    return sum(
        item.get("restartCount") or 0
        for field in ("initContainerStatuses", "containerStatuses")
        for item in status.get(field) or ()
    )


def rank_for_removal(pods: Sequence[Object]) -> list[Object]:
    """Return active pods in the order in which to delete them: those that got least far first.

    Rules: ActivePods in k8s.io/kubernetes/pkg/controller/controller_utils.go.
    """

    def key(pod: Object) -> tuple[Any, ...]:
        ready = ready_condition(pod)
        since = None
        if ready is not None and ready.get("status") == "True":
            moment = ready.get("lastTransitionTime")
            since = parse_time(moment) if moment else 0.0
        created = pod["metadata"].get("creationTimestamp")
        return (
            bool(spec_of(pod).get("nodeName")),
            _PHASES.get(status_of(pod).get("phase") or "", 0),
            since is not None,
            -(since or 0.0),
            -restarts(pod),
            -(parse_time(created) if created else 0.0),
            pod["metadata"]["name"],
        )

    return sorted(pods, key=key)
