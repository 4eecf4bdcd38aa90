"""Why a container has no log that could be read, in the kubelet's words.

Source of the rules: ``validateContainerLogStatus`` of the kubelet.
"""

from __future__ import annotations

from orchestrator.resources.objects import Object, name_of, status_of

_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_WORDS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
_OWN_REASONS = frozenset(("NoCommand", "UnsupportedField"))
"""Reasons of process nodes alone, which nobody could look up: their message is told as well."""


def container_status(pod: Object, container: str) -> Object:
    """Return what a pod's status tells of a container; empty when it tells nothing."""
    for field in _STATUSES:
        for found in status_of(pod).get(field) or ():
            if found.get("name") == container:
                status: Object = found
                return status
    return {}


def log_refusal(pod: Object, container: str, *, previous: bool) -> str | None:
    """Return why there is no log by what the pod's status tells; None: there should be one.

    Args:
        pod: One that is bound to a node.
        container: One of its containers.
        previous: Whether the log of the attempt before is wanted.
    """
    status = container_status(pod, container)
    state = status.get("state") or {}
    has_last = bool(last_id(status))
    if previous:
        return None if has_last else no_previous_log(pod, container)
    if "running" in state or has_last:
        return None
    if "terminated" in state and (state["terminated"] or {}).get("containerID"):
        return None
    return no_log(pod, container)


def no_previous_log(pod: Object, container: str) -> str:
    """Say that there was no attempt before."""
    return f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'


def no_log(pod: Object, container: str) -> str:
    """Say why a container that never ran has no log."""
    status = container_status(pod, container)
    whose = f'container "{container}" in pod "{name_of(pod)}"'
    state = status.get("state") or {}
    if not status and status_of(pod).get("phase") in ("Succeeded", "Failed"):
        return f"{whose} is not available"
    if "terminated" in state or (status.get("lastState") or {}).get("terminated"):
        return f"{whose} is terminated"
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason") or "ContainerCreating"
    if reason in _OWN_REASONS:
        reason = f"{reason}: {waiting.get('message')}"
    return f"{whose} is waiting to start: {_WORDS.get(reason, reason)}"


def last_id(status: Object) -> str:
    """Return the runtime's id of the attempt that ``lastState`` tells of, or ``""``."""
    last = (status.get("lastState") or {}).get("terminated") or {}
    return str(last.get("containerID") or "").rpartition("/")[2]
