"""Pods from templates, the same way for every workload. Rules: k8s.io/kubernetes/pkg/controller."""

from __future__ import annotations

from typing import Final

from orchestrator.controllers._owners import controller_reference
from orchestrator.resources.objects import Object, meta, name_of

_INHERITED: Final = ("labels", "annotations", "finalizers")


def pod_from_template(owner: Object, template: Object) -> Object:
    """Return a pod of ``template`` that ``owner`` controls.

    It has the owner's namespace and ``generateName``, and the template's labels, annotations and
    finalizers; its name is the caller's to add. Pods of one template share all but the
    dictionaries around their metadata.

    Args:
        owner: As committed.
        template: Its ``spec.template``.
    """
    given = meta(template)
    metadata: Object = {
        "generateName": f"{name_of(owner)}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [controller_reference(owner)],
    }
    for field in _INHERITED:
        if given.get(field):
            metadata[field] = given[field]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }


def with_name(pod: Object, name: str) -> Object:
    """Return a pod of `pod_from_template` under a name; everything else is shared."""
    return {**pod, "metadata": {**pod["metadata"], "name": name}}
