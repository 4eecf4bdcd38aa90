"""Binding a pod to a node on a user's word; the cluster's scheduler writes by itself."""

from __future__ import annotations

from orchestrator.resources.errors import FieldError, conflict, invalid
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    name_of,
    spec_of,
    status_of,
    with_meta,
    with_status,
)


def binding_of(binding: Object) -> str:
    """Return the node a Binding names.

    Raises:
        StatusError: 422, it names none, or something that is not a node.
    """
    target = binding.get("target") or {}
    causes = []
    kind = target.get("kind", "")
    if kind not in ("", "Node"):
        causes.append(
            FieldError(
                "FieldValueNotSupported",
                "target.kind",
                f'Unsupported value: "{kind}": supported values: "Node", "<empty>"',
            )
        )
    if not target.get("name"):
        causes.append(FieldError("FieldValueRequired", "target.name", "Required value"))
    if causes:
        raise invalid("Binding", "", name_of(binding), causes)
    return str(target["name"])


def bound(pod: Object, binding: Object, node: str, now: str) -> Object:
    """Return the pod bound to ``node``, with the binding's labels and annotations.

    Raises:
        StatusError: 409, the pod is going or has a node.
    """
    name = name_of(pod)
    if is_deleting(pod):
        raise conflict(
            "pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host"
        )
    current = spec_of(pod).get("nodeName")
    if current:
        raise conflict("pods/binding", name, f'pod {name} is already assigned to node "{current}"')
    if spec_of(pod).get("schedulingGates"):
        raise conflict("pods/binding", name, f"pod {name} has non-empty .spec.schedulingGates")
    bound_pod = {**pod, "spec": {**spec_of(pod), "nodeName": node}}
    if annotations := annotations_of(binding):
        bound_pod = with_meta(bound_pod, annotations={**annotations_of(pod), **annotations})
    if labels := labels_of(binding):
        bound_pod = with_meta(bound_pod, labels={**labels_of(pod), **labels})
    others = [
        condition
        for condition in status_of(pod).get("conditions") or ()
        if condition.get("type") != "PodScheduled"
    ]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
    }
    return with_status(bound_pod, conditions=[*others, scheduled])
