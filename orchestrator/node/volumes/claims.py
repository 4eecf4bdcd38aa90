"""Where the content of a claim is on this machine: pure, from the claim and the volume it got.

Messages are those of the kubelet's volume manager.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from orchestrator.node.volumes.files import Sources, VolumeError
from orchestrator.resources.objects import Object, name_of, namespace_of, spec_of, uid_of

_BOUND: Final = "pv.kubernetes.io/bind-completed"


class HostPath(NamedTuple):
    """A path of the machine that a volume leads to.

    Attributes:
        path: Absolute.
        type: As in ``hostPath.type``; ``local`` for one that must exist, whatever it is.
        volume: Whose name complaints have.
        read_only: Whether the claim or its volume is only to be read.
    """

    path: str
    type: str
    volume: str
    read_only: bool = False


def claim_name(pod: Object, volume: Object) -> str | None:
    """Return the name of the claim that a volume is, or None when it is none."""
    if claim := volume.get("persistentVolumeClaim"):
        return str(claim.get("claimName") or "")
    if volume.get("ephemeral"):
        return f"{name_of(pod)}-{volume['name']}"
    return None


def claimed_volume(pod: Object, volume: Object, sources: Sources, *, begun: bool = False) -> Object:
    """Return the PersistentVolume that a pod's volume is bound to.

    Args:
        pod: Whose volume it is.
        volume: The volume.
        sources: The cluster's objects.
        begun: Whether the pod has it already: then the claim may be about to go.

    Raises:
        VolumeError: There is no claim, or it is not bound, or it is somebody else's.
    """
    namespace = namespace_of(pod)
    name = claim_name(pod, volume) or ""
    about = f"error processing PVC {namespace}/{name}"
    claim = sources.get("persistentvolumeclaims", namespace, name)
    if claim is None:
        raise _unprocessed(
            volume,
            f"{about}: failed to fetch PVC from API server: "
            f'persistentvolumeclaims "{name}" not found',
        )
    if volume.get("ephemeral") and not _is_owner(pod, claim):
        raise _unprocessed(
            volume,
            f"{about}: PVC {namespace}/{name} was not created for pod "
            f"{namespace}/{name_of(pod)} (pod is not owner)",
        )
    if "deletionTimestamp" in claim["metadata"] and not begun:
        raise _unprocessed(volume, f"{about}: PVC is being deleted")
    bound = spec_of(claim).get("volumeName")
    settled = (claim.get("status") or {}).get("phase") == "Bound" or _BOUND in (
        claim["metadata"].get("annotations") or {}
    )
    if not bound or not settled:
        raise _unprocessed(volume, f"{about}: PVC is not bound")
    found = sources.get("persistentvolumes", "", bound)
    if found is None:
        raise _unprocessed(
            volume,
            f'{about}: failed to fetch PV {bound} from API server: persistentvolumes "{bound}" '
            "not found",
        )
    return found


def _is_owner(pod: Object, claim: Object) -> bool:
    return any(
        reference.get("controller") and reference.get("uid") == uid_of(pod)
        for reference in claim["metadata"].get("ownerReferences") or ()
    )


def _unprocessed(volume: Object, why: str) -> VolumeError:
    name = volume["name"]
    return VolumeError(
        f"Unable to attach or mount volumes: unmounted volumes=[{name}], unattached volumes=[], "
        f"failed to process volumes=[{name}]: {why}"
    )


def path_of_claim(
    pod: Object, volume: Object, sources: Sources, *, begun: bool = False
) -> HostPath:
    """Return the path that a claim's volume stands for; arguments as of `claimed_volume`.

    Raises:
        VolumeError: It has none, or is of a type that has no paths.
    """
    bound = claimed_volume(pod, volume, sources, begun=begun)
    spec, name = spec_of(bound), name_of(bound)
    read_only = bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
    if source := spec.get("hostPath"):
        return HostPath(source["path"], source.get("type") or "", name, read_only)
    if source := spec.get("local"):
        return HostPath(source["path"], "local", name, read_only)
    if source := spec.get("csi"):
        driver = source.get("driver")
        raise VolumeError(
            f'MountVolume.MountDevice failed for volume "{name}" : kubernetes.io/csi: '
            "attacher.MountDevice failed to create newCsiDriverClient: driver name "
            f"{driver} not found in the list of registered CSI drivers"
        )
    kind = next(
        (key for key, value in spec.items() if isinstance(value, dict) and key in _OTHERS), "?"
    )
    raise VolumeError(
        f'MountVolume.SetUp failed for volume "{name}" : a volume of type {kind} is not supported '
        "by this node; processes can have hostPath and local volumes"
    )


_OTHERS = frozenset(
    (
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "cephfs",
        "cinder",
        "fc",
        "flexVolume",
        "flocker",
        "gcePersistentDisk",
        "glusterfs",
        "iscsi",
        "nfs",
        "photonPersistentDisk",
        "portworxVolume",
        "quobyte",
        "rbd",
        "scaleIO",
        "storageos",
        "vsphereVolume",
    )
)
