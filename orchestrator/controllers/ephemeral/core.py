"""The claims of a pod's ephemeral volumes. Pure.

`orchestrator.controllers.ephemeral.actor` applies the plans. Rules and texts:
k8s.io/kubernetes/pkg/controller/volume/ephemeral, k8s.io/component-helpers/storage/ephemeral.
https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from orchestrator.controllers._owners import controller_reference, controller_uid
from orchestrator.controllers.plans import Creation, Emit, Plan
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)

CLAIMS: Final = "persistentvolumeclaims"


def ephemeral_volumes(pod: Object) -> Iterator[Object]:
    """Return the volumes of a pod that a claim is to be made for."""
    for volume in spec_of(pod).get("volumes") or ():
        if volume.get("ephemeral") is not None:
            yield volume


def claim_name(pod: Object, volume: Object) -> str:
    """Return the name of the claim of an ephemeral volume: both names, combined with a hyphen."""
    return f"{name_of(pod)}-{volume['name']}"


def decide_claims(pod: Object, claim_of: Callable[[str], Object | None]) -> Plan:
    """Return the claims that a pod lacks, and complaints about those that are somebody else's.

    Args:
        pod: As committed.
        claim_of: Finds a claim of the pod's namespace by its name.
    """
    plan = Plan()
    if is_deleting(pod):
        return plan
    for volume in ephemeral_volumes(pod):
        name = claim_name(pod, volume)
        found = claim_of(name)
        if found is None:
            plan.create.append(Creation(CLAIMS, _claim(pod, volume, name)))
        elif controller_uid(found) != uid_of(pod):
            place = namespace_of(pod)
            message = (
                f"ephemeral volume {volume['name']}: PVC {place}/{name} was not created for pod "
                f"{place}/{name_of(pod)} (pod is not owner)"
            )
            plan.events.append(Emit(pod, "Warning", "FailedBinding", message))
    return plan


def _claim(pod: Object, volume: Object, name: str) -> Object:
    template = (volume["ephemeral"] or {}).get("volumeClaimTemplate") or {}
    given = template.get("metadata") or {}
    metadata: Object = {
        "name": name,
        "namespace": namespace_of(pod),
        "ownerReferences": [controller_reference(pod)],
    }
    metadata |= {field: given[field] for field in ("labels", "annotations") if given.get(field)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }
