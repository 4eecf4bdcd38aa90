"""The two writes of the scheduler, as pure changes of a pod.

The sequencer runs them on the pod's latest state, so what they refuse cannot have been overtaken.
"""

from __future__ import annotations

from typing import Any

from orchestrator.resources.conditions import set_condition
from orchestrator.resources.objects import Object, is_deleting, status_of
from orchestrator.store import Changed

SCHEDULED = "PodScheduled"
NOMINATED = "nominatedNodeName"


class Binder:
    """Binds the pods of one batch; pods that share a spec or status go on sharing it.

    Ten thousand pods of one Deployment on a hundred nodes come to a hundred specs.
    """

    def __init__(self, now: str) -> None:
        """Start a batch.

        Args:
            now: Formatted time for ``lastTransitionTime``.
        """
        self._now = now
        # Values begin with the original, so that its identity stays its own meanwhile.
        self._specs: dict[tuple[int, str], tuple[Any, dict[str, Any]]] = {}
        self._statuses: dict[tuple[int, Any], tuple[Any, dict[str, Any], bool]] = {}

    def bind(self, node: str, current: Object) -> Object | Changed | None:
        """Return the pod on ``node``, with PodScheduled True; None when it may not be bound.

        A pod is bound at most once: one that has a node, is being deleted or is gated is left.
        """
        spec = current["spec"]
        if spec.get("nodeName") or spec.get("schedulingGates") or is_deleting(current):
            return None
        key = (id(spec), node)
        bound = self._specs.get(key)
        if bound is None:
            bound = self._specs[key] = (spec, {**spec, "nodeName": node})
        status = current.get("status") or {}
        generation = current["metadata"].get("generation")
        alike = (id(status), generation)
        scheduled = self._statuses.get(alike)
        if scheduled is None:
            conditions = set_condition(
                status.get("conditions"),
                SCHEDULED,
                "True",
                now=self._now,
                lastProbeTime=None,
                observedGeneration=generation,
            )
            # Upstream's API server ends a nomination with the binding.
            nominated = NOMINATED in status
            rest = _without_nomination(status) if nominated else status
            wanted = {**rest, "conditions": conditions}
            scheduled = self._statuses[alike] = (status, wanted, not nominated)
        _, after, only_added = scheduled
        pod = {**current, "spec": bound[1], "status": after}
        if only_added and "status" in current:
            conditions = after["conditions"]
            return Changed(pod, {"spec": {"nodeName": node}, "status": {"conditions": conditions}})
        return pod


def describe_binding(pod: Object) -> str:
    """Return the message of the Event ``Scheduled``, in upstream's words."""
    metadata = pod["metadata"]
    return (
        f"Successfully assigned {metadata['namespace']}/{metadata['name']} to "
        f"{pod['spec']['nodeName']}"
    )


def mark_unschedulable(
    now: str,
    message: str,
    current: Object,
    *,
    reason: str = "Unschedulable",
    nominated: str | None = None,
) -> Object | None:
    """Return the pod with PodScheduled False; None when that is no longer so, or known.

    Args:
        now: Formatted time for ``lastTransitionTime``.
        message: Why.
        current: The pod.
        reason: The condition's.
        nominated: The node it waits for (``status.nominatedNodeName``); empty for none any more,
            None to leave it as it is.
    """
    if current["spec"].get("nodeName") or is_deleting(current):
        return None
    status = current.get("status") or {}
    present = status.get("conditions")
    conditions = set_condition(
        present,
        SCHEDULED,
        "False",
        now=now,
        reason=reason,
        message=message,
        lastProbeTime=None,
        observedGeneration=current["metadata"].get("generation"),
    )
    marked = current
    if conditions is not present:
        marked = {**current, "status": {**status, "conditions": conditions}}
    if nominated is not None:
        marked = nominate(marked, nominated)
    return None if marked is current else marked


def nominate(pod: Object, node: str) -> Object:
    """Return the pod with ``status.nominatedNodeName``, without it for an empty name."""
    status = status_of(pod)
    if (status.get(NOMINATED) or "") == node:
        return pod
    if node:
        return {**pod, "status": {**status, NOMINATED: node}}
    return {**pod, "status": _without_nomination(status)}


def _without_nomination(status: Object) -> Object:
    return {name: value for name, value in status.items() if name != NOMINATED}
