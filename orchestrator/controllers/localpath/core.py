"""Making, growing and removing volumes that are directories of this machine. Pure.

`orchestrator.controllers.localpath.actor` applies the plans. It behaves as an external provisioner
and resizer of Kubernetes would, and is one to the controller that binds claims.
Rules and texts: kubernetes-sigs/sig-storage-lib-external-provisioner, kubernetes-csi/external-
resizer; what is refused, and why, as in rancher/local-path-provisioner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.controllers.localpath.classes import NAME
from orchestrator.controllers.plans import Creation, Deletion, Emit, Plan, Update
from orchestrator.controllers.volumes.facts import (
    BETA_PROVISIONER,
    CLAIMS,
    PROVISIONED_BY,
    PROVISIONER,
    SELECTED_NODE,
    VOLUMES,
    capacity_of,
    class_of,
    is_unbound,
    modes_of,
    reference_of,
    requested,
    volume_mode,
    waits_for_consumer,
)
from orchestrator.resources.conditions import remove_condition, set_condition
from orchestrator.resources.objects import (
    Object,
    annotations_of,
    is_deleting,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
    with_meta,
    with_status,
)
from orchestrator.resources.quantities import compare
from orchestrator.resources.timestamps import format_time

FINALIZER: Final = "external-provisioner.volume.kubernetes.io/finalizer"
"""Keeps a volume until its directory is gone, in whatever order claim and volume are deleted."""
HOSTNAME: Final = "kubernetes.io/hostname"
_ONE_NODE: Final = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


def is_ours(volume: Object) -> bool:
    """Tell whether a volume was made here."""
    return annotations_of(volume).get(PROVISIONED_BY) == NAME


def volume_name(claim: Object) -> str:
    """Return the name of a claim's volume: one for each uid, so that none is made twice."""
    return f"pvc-{uid_of(claim)}"


def wants_volume(claim: Object) -> bool:
    """Tell whether a claim waits for this provisioner."""
    annotations = annotations_of(claim)
    asked = annotations.get(PROVISIONER) or annotations.get(BETA_PROVISIONER)
    unbound = is_unbound(claim) and not spec_of(claim).get("volumeName")
    return asked == NAME and unbound and not is_deleting(claim)


def decide_provisioning(
    claim: Object, storage_class: Object, node: Object | None, directory: str
) -> Plan:
    """Return the volume for a claim that wants one; or why it gets none.

    Args:
        claim: As committed; `wants_volume`, and none has been made.
        storage_class: The claim's.
        node: Where the volume is to be; None when there is no such node (any more).
        directory: Where the volumes are.
    """
    plan = Plan()
    refusal = _refusal(claim, storage_class)
    if refusal is None and node is None:
        if _selected(claim):  # the scheduler has to look for another node
            kept = {
                key: text for key, text in annotations_of(claim).items() if key != SELECTED_NODE
            }
            plan.update.append(Update(CLAIMS, claim, with_meta(claim, annotations=kept)))
            refusal = f'failed to get target node: nodes "{_selected(claim)}" not found'
        else:
            refusal = "no node is ready, schedulable and of an allowed topology"
    if refusal is not None:
        message = (
            f'failed to provision volume with StorageClass "{name_of(storage_class)}": {refusal}'
        )
        plan.events.append(Emit(claim, "Warning", "ProvisioningFailed", message))
        return plan
    assert node is not None
    claim_name = f"{namespace_of(claim)}/{name_of(claim)}"
    begun = f'External provisioner is provisioning volume for claim "{claim_name}"'
    plan.events.append(Emit(claim, "Normal", "Provisioning", begun))
    volume = _volume(claim, storage_class, node, directory)
    done = f"Successfully provisioned volume {name_of(volume)}"
    made = Emit(claim, "Normal", "ProvisioningSucceeded", done)
    plan.create.append(Creation(VOLUMES, volume, made))
    return plan


def node_for(
    claim: Object, storage_class: Object, nodes: Mapping[str, Object], choice: int
) -> Object | None:
    """Return the node of a claim's volume; None when there is none for it now.

    Args:
        claim: As committed.
        storage_class: The claim's.
        nodes: All nodes, by name.
        choice: Any number: which of the nodes a claim gets that does not wait for its pod.
    """
    selected = _selected(claim)
    if selected:
        return nodes.get(selected)
    fitting = [
        name
        for name in sorted(nodes)
        if _is_usable(nodes[name]) and _is_allowed(nodes[name], storage_class)
    ]
    return nodes[fitting[choice % len(fitting)]] if fitting else None


def is_early(claim: Object, storage_class: Object) -> bool:
    """Tell whether it is not known yet where a claim's volume has to be."""
    return waits_for_consumer(storage_class) and not _selected(claim)


def _selected(claim: Object) -> str:
    return annotations_of(claim).get(SELECTED_NODE) or ""


def _is_usable(node: Object) -> bool:
    conditions = status_of(node).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not spec_of(node).get("unschedulable") and not is_deleting(node)


def _is_allowed(node: Object, storage_class: Object) -> bool:
    terms = storage_class.get("allowedTopologies")
    labels = labels_of(node)
    return not terms or any(
        all(
            labels.get(one.get("key", "")) in (one.get("values") or ())
            for one in term.get("matchLabelExpressions") or ()
        )
        for term in terms
    )


def _refusal(claim: Object, storage_class: Object) -> str | None:
    spec = spec_of(claim)
    source = spec.get("dataSourceRef") or spec.get("dataSource")
    if volume_mode(claim) == "Block":
        return f"{NAME} does not support block volume provisioning"
    if spec.get("selector") is not None:
        return "claim.Spec.Selector is not supported"
    if source is not None:
        return f"volumes begin empty, not as {source.get('kind')} {source.get('name')}"
    if spec.get("volumeAttributesClassName"):
        return "volumeAttributesClassName is not supported"
    if storage_class.get("parameters"):
        return f"there are no parameters: {', '.join(sorted(storage_class['parameters']))}"
    if storage_class.get("mountOptions"):
        return f"{NAME} does not support mount options"
    return None


def _volume(claim: Object, storage_class: Object, node: Object, directory: str) -> Object:
    name = volume_name(claim)
    policy = storage_class.get("reclaimPolicy") or "Delete"
    metadata: dict[str, Any] = {"name": name, "annotations": {PROVISIONED_BY: NAME}}
    if policy == "Delete":
        metadata["finalizers"] = [FINALIZER]
    spec: dict[str, Any] = {
        "capacity": {"storage": requested(claim)},
        "accessModes": spec_of(claim).get("accessModes") or [],
        "claimRef": {
            "kind": "PersistentVolumeClaim",
            "namespace": namespace_of(claim),
            "name": name_of(claim),
            "uid": uid_of(claim),
            "apiVersion": "v1",
            "resourceVersion": meta(claim).get("resourceVersion", ""),
        },
        "persistentVolumeReclaimPolicy": policy,
        "storageClassName": class_of(claim),
        "volumeMode": "Filesystem",
        "hostPath": {
            "path": f"{directory}/{name}_{namespace_of(claim)}_{name_of(claim)}",
            "type": "DirectoryOrCreate",
        },
    }
    if modes_of(claim) <= _ONE_NODE:
        # All nodes are this machine, so that what several pods may share is everywhere.
        host = labels_of(node).get(HOSTNAME) or name_of(node)
        expression = {"key": HOSTNAME, "operator": "In", "values": [host]}
        term = {"matchExpressions": [expression]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


# -- removing ----------------------------------------------------------------------------------


def is_removable(volume: Object, claim: Object | None) -> bool:
    """Tell whether a volume's content may be deleted: nobody has it, and its policy says so.

    Args:
        volume: As committed.
        claim: What the volume's claimRef names, if it is there.
    """
    reference = reference_of(volume)
    if not is_ours(volume) or reference is None or not reference.get("uid"):
        return False
    if spec_of(volume).get("persistentVolumeReclaimPolicy") != "Delete":
        return False
    if status_of(volume).get("phase") not in {"Released", "Failed"}:
        return False
    if claim is None or uid_of(claim) != reference["uid"]:
        return True
    return spec_of(claim).get("volumeName") not in {None, "", name_of(volume)}


def decide_removal(volume: Object) -> Plan:
    """Return the end of a volume whose content is gone."""
    plan = Plan()
    released = _without_finalizer(volume)
    if released is not volume:
        plan.update.append(Update(VOLUMES, volume, released))
    if not is_deleting(volume):
        plan.delete.append(Deletion(VOLUMES, volume))
    return plan


def decide_guarding(volume: Object) -> Plan:
    """Keep the finalizer on volumes that are to be deleted, and on no others."""
    plan = Plan()
    if not is_ours(volume):
        return plan
    present = meta(volume).get("finalizers") or []
    if spec_of(volume).get("persistentVolumeReclaimPolicy") != "Delete":
        released = _without_finalizer(volume)
        if released is not volume:
            plan.update.append(Update(VOLUMES, volume, released))
    elif FINALIZER not in present and not is_deleting(volume):
        guarded = with_meta(volume, finalizers=[*present, FINALIZER])
        plan.update.append(Update(VOLUMES, volume, guarded))
    return plan


def _without_finalizer(volume: Object) -> Object:
    present: Sequence[str] = meta(volume).get("finalizers") or ()
    if FINALIZER not in present:
        return volume
    return with_meta(volume, finalizers=[one for one in present if one != FINALIZER])


# -- growing -----------------------------------------------------------------------------------


def decide_growth(claim: Object, volume: Object, now: float) -> Plan:
    """Return the next step for a bound claim that asks for more than it has.

    Args:
        claim: As committed.
        volume: The claim's, made here.
        now: Wall seconds.
    """
    plan = Plan()
    status = status_of(claim)
    wanted = requested(claim)
    present = (status.get("capacity") or {}).get("storage")
    if status.get("phase") != "Bound" or present is None or compare(wanted, present) <= 0:
        return plan
    if compare(capacity_of(volume), wanted) < 0:
        capacity = {**(spec_of(volume).get("capacity") or {}), "storage": wanted}
        grown = {**volume, "spec": {**spec_of(volume), "capacity": capacity}}
        plan.update.append(Update(VOLUMES, volume, grown))
        conditions = set_condition(
            status.get("conditions"), "Resizing", "True", now=format_time(now)
        )
        begun = with_status(claim, conditions=conditions, allocatedResources={"storage": wanted})
        plan.update.append(Update(CLAIMS, claim, begun, "status"))
        message = f"External resizer is resizing volume {name_of(volume)}"
        plan.events.append(Emit(claim, "Normal", "Resizing", message))
        return plan
    kept = remove_condition(status.get("conditions"), "Resizing")
    done = with_status(
        claim,
        conditions=kept or None,
        capacity={**status["capacity"], "storage": wanted},
        allocatedResources={"storage": wanted},
    )
    event = Emit(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")
    plan.update.append(Update(CLAIMS, claim, done, "status", event))
    return plan
