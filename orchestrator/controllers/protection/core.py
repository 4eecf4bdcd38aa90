"""When a claim or a volume that is being deleted may go. Pure.

Rules: k8s.io/kubernetes pkg/controller/volume/{pvcprotection,pvprotection}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import Object, is_deleting, name_of, spec_of, status_of

CLAIMS: Final = "persistentvolumeclaims"
VOLUMES: Final = "persistentvolumes"
CLAIM_FINALIZER: Final = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER: Final = "kubernetes.io/pv-protection"


def claims_of(pod: Object) -> Iterator[str]:
    """Return the names of the claims that a pod mounts, those made for it included."""
    for volume in spec_of(pod).get("volumes") or ():
        claim = volume.get("persistentVolumeClaim")
        if claim:
            yield claim.get("claimName", "")
        elif volume.get("ephemeral") is not None:
            yield f"{name_of(pod)}-{volume['name']}"


def is_using(pod: Object) -> bool:
    """Tell whether a pod is on a node and has not ended."""
    ended = status_of(pod).get("phase") in {"Succeeded", "Failed"}
    return bool(spec_of(pod).get("nodeName")) and not ended


def decide_claim(claim: Object, pods: Iterable[Object]) -> Plan:
    """Let a deleted claim go once none of its namespace's ``pods`` uses it."""
    plan = Plan()
    if is_deleting(claim):
        name = name_of(claim)
        if not any(is_using(pod) and name in claims_of(pod) for pod in pods):
            _release(plan, CLAIMS, claim, CLAIM_FINALIZER)
    return plan


def decide_volume(volume: Object) -> Plan:
    """Let a deleted volume go once no claim is bound to it."""
    plan = Plan()
    if is_deleting(volume) and status_of(volume).get("phase") != "Bound":
        _release(plan, VOLUMES, volume, VOLUME_FINALIZER)
    return plan


def _release(plan: Plan, resource: str, obj: Object, finalizer: str) -> None:
    metadata = obj["metadata"]
    present = metadata.get("finalizers") or []
    if finalizer in present:
        kept = [one for one in present if one != finalizer]
        released = {**obj, "metadata": {**metadata, "finalizers": kept}}
        plan.update.append(Update(resource, obj, released))
