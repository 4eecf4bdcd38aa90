"""When a claim or a volume that is being deleted may go. Pure.

Rules: k8s.io/kubernetes pkg/controller/volume/{pvcprotection,pvprotection}.
https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from orchestrator.controllers._owners import controller_uid
from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    meta,
    name_of,
    spec_of,
    status_of,
    uid_of,
    with_meta,
)

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


def is_using(pod: Object, claim: Object) -> bool:
    """Tell whether a pod that was given a node uses a claim; one that has ended still does.

    A claim that is the pod's own, made for it or owned by it as a StatefulSet's may be, is let go
    once the pod's node is done with it: the pod may be kept by a finalizer that waits for the
    claim. (Upstream does so for those made for the pod only. A StatefulSet deleted in the
    foreground, whose claims go when it is scaled down, waits there for ever.)
    """
    if not spec_of(pod).get("nodeName"):
        return False
    wanted = name_of(claim)
    for volume in spec_of(pod).get("volumes") or ():
        source = volume.get("persistentVolumeClaim")
        if source and source.get("claimName") == wanted:
            return not (_is_shut_down(pod) and _is_owned(claim, pod))
        if volume.get("ephemeral") is None or f"{name_of(pod)}-{volume['name']}" != wanted:
            continue
        if not _is_shut_down(pod) and controller_uid(claim) == uid_of(pod):
            return True
    return False


def _is_owned(claim: Object, pod: Object) -> bool:
    owners = meta(claim).get("ownerReferences") or ()
    return any(owner.get("uid") == uid_of(pod) for owner in owners)


def may_let_go(pod: Object) -> bool:
    """Tell whether a pod's present state may be what a claim has waited for."""
    ended = status_of(pod).get("phase") in {"Succeeded", "Failed"}
    return ended or not spec_of(pod).get("nodeName") or _is_shut_down(pod)


def _is_shut_down(pod: Object) -> bool:
    return is_deleting(pod) and meta(pod).get("deletionGracePeriodSeconds") == 0


def decide_claim(claim: Object, pods: Iterable[Object]) -> Plan:
    """Let a deleted claim go once none of the ``pods`` uses it; hold any other."""
    plan = Plan()
    if not is_deleting(claim):
        _hold(plan, CLAIMS, claim, CLAIM_FINALIZER)
    elif not any(is_using(pod, claim) for pod in pods):
        _release(plan, CLAIMS, claim, CLAIM_FINALIZER)
    return plan


def decide_volume(volume: Object) -> Plan:
    """Let a deleted volume go once no claim is bound to it; hold any other."""
    plan = Plan()
    if not is_deleting(volume):
        _hold(plan, VOLUMES, volume, VOLUME_FINALIZER)
    elif status_of(volume).get("phase") != "Bound":
        _release(plan, VOLUMES, volume, VOLUME_FINALIZER)
    return plan


def is_settled(obj: Object, finalizer: str) -> bool:
    """Tell whether there is nothing to do about an object: it is there to stay, and held."""
    return not is_deleting(obj) and finalizer in (meta(obj).get("finalizers") or ())


def _hold(plan: Plan, resource: str, obj: Object, finalizer: str) -> None:
    present = meta(obj).get("finalizers") or []
    if finalizer not in present:
        plan.update.append(Update(resource, obj, with_meta(obj, finalizers=[*present, finalizer])))


def _release(plan: Plan, resource: str, obj: Object, finalizer: str) -> None:
    metadata = obj["metadata"]
    present = metadata.get("finalizers") or []
    if finalizer in present:
        kept = [one for one in present if one != finalizer]
        released = {**obj, "metadata": {**metadata, "finalizers": kept}}
        plan.update.append(Update(resource, obj, released))
