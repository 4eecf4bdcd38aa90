"""A real cluster as it was observed: its nodes, its pods, and what else scheduling looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.bench.failures import UserError
from orchestrator.resources.objects import Object, annotations_of, controller_of, name_of, spec_of

NEEDED: Final = ("Node", "Pod")
STORAGE: Final[Mapping[str, str]] = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "StorageClass": "storageclasses.storage.k8s.io",
    "CSINode": "csinodes.storage.k8s.io",
    "CSIDriver": "csidrivers.storage.k8s.io",
    "CSIStorageCapacity": "csistoragecapacities.storage.k8s.io",
    "VolumeAttachment": "volumeattachments.storage.k8s.io",
}
"""What volumes need: kinds and their resources."""

TELLS_OF_CLAIMS: Final = frozenset(
    {"PersistentVolumeClaim", "PersistentVolume", "StorageClass", "CSINode"}
)
"""Where there is none of these, nothing is known of claims, and pods are placed without them."""

OWNERS: Final[Mapping[str, str]] = {
    "Service": "services",
    "ReplicationController": "replicationcontrollers",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
}
"""What tells which pods belong together, and so are spread by default."""

USED: Final = ("Namespace", "PriorityClass", "PodDisruptionBudget", *STORAGE, *OWNERS)
"""Kinds that make the answers better where they are there."""

MIRROR: Final = "kubernetes.io/config.mirror"
_FINISHED: Final = frozenset({"Succeeded", "Failed"})


@dataclass(slots=True)
class Observed:
    """What a cluster had.

    Attributes:
        objects: By kind; all of `NEEDED` and some of `USED`.
        notes: What a user should know of how it was read.
    """

    objects: dict[str, list[Object]]
    notes: list[str] = field(default_factory=list)

    @property
    def nodes(self) -> list[Object]:
        """The nodes."""
        return self.objects["Node"]

    @property
    def running(self) -> list[Object]:
        """Pods that are on a node and have not ended."""
        return [pod for pod in self._pods() if spec_of(pod).get("nodeName")]

    @property
    def pending(self) -> list[Object]:
        """Pods that wait for a node, those behind scheduling gates left out."""
        return [
            pod
            for pod in self._pods()
            if not spec_of(pod).get("nodeName")
            and not spec_of(pod).get("schedulingGates")
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def _pods(self) -> Iterable[Object]:
        return (
            pod
            for pod in self.objects["Pod"]
            if (pod.get("status") or {}).get("phase") not in _FINISHED
        )


def collect(items: Iterable[Any], where: str) -> Observed:
    """Sort a dump's items by kind.

    Raises:
        UserError: It has no nodes, or an item is no object.
    """
    objects: dict[str, list[Object]] = {kind: [] for kind in (*NEEDED, *USED)}
    left_out: dict[str, int] = {}
    for number, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get("metadata"), Mapping):
            raise UserError(f"{where}: item {number} is no Kubernetes object")
        if not item["metadata"].get("name"):
            raise UserError(f"{where}: item {number} has no metadata.name")
        kind = str(item.get("kind"))
        if kind in objects:
            objects[kind].append(_with_uid(kind, dict(item)))
        else:
            left_out[kind] = left_out.get(kind, 0) + 1
    if not objects["Node"]:
        raise UserError(
            f"{where}: there are no nodes in it; "
            "make a dump by: kubectl get nodes,pods -A -o json > dump.json"
        )
    notes = [f"{where}: {count} {kind} not looked at" for kind, count in sorted(left_out.items())]
    if not objects["Pod"]:
        notes.append(f"{where}: there are no pods in it, so all nodes are taken to be empty")
    return Observed(objects, notes)


def _with_uid(kind: str, item: Object) -> Object:
    """Make sure that pods can be told apart: a dump may have been stripped of uids."""
    metadata = item["metadata"]
    if kind in OWNERS and not metadata.get("uid"):
        name = f"{metadata.get('namespace') or 'default'}/{metadata['name']}"
        return {**item, "metadata": {**metadata, "uid": name}}
    if kind != "Pod":
        return item
    if not isinstance(item.get("spec"), Mapping):
        raise UserError(f"pod {metadata['name']} has no spec")
    if metadata.get("uid"):
        return item
    namespace = metadata.get("namespace") or "default"
    return {**item, "metadata": {**metadata, "uid": f"{namespace}/{metadata['name']}"}}


def is_of_daemonset(pod: Object) -> bool:
    """Tell whether a pod belongs to its node: a DaemonSet made it."""
    owner = controller_of(pod)
    return owner is not None and owner.get("kind") == "DaemonSet"


def is_static(pod: Object) -> bool:
    """Tell whether a pod is a kubelet's own."""
    owner = controller_of(pod)
    return MIRROR in annotations_of(pod) or (owner is not None and owner.get("kind") == "Node")


def label_of(pod: Object) -> str:
    """Return what a pod is called in reports: ``namespace/name``."""
    return f"{pod['metadata'].get('namespace') or 'default'}/{name_of(pod)}"
