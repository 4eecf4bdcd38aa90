"""Builders of storage objects, and a small cluster to ask the volume plugins about."""

from __future__ import annotations

from typing import Any

from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import VOLUME_FILTERS
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.volumes import RESOURCES, VolumeChange, VolumeDemand

Object = dict[str, Any]

ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
HOST = "kubernetes.io/hostname"
EBS = "ebs.csi.aws.com"

_RESOURCES = {
    "StorageClass": "storageclasses.storage.k8s.io",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "CSINode": "csinodes.storage.k8s.io",
    "CSIDriver": "csidrivers.storage.k8s.io",
    "CSIStorageCapacity": "csistoragecapacities.storage.k8s.io",
    "VolumeAttachment": "volumeattachments.storage.k8s.io",
}
assert set(_RESOURCES.values()) == set(RESOURCES)


def resource_of(obj: Object) -> str:
    """Return the resource of a storage object."""
    return _RESOURCES[obj["kind"]]


def storage(kind: str, name: str, namespace: str = "", **parts: Any) -> Object:
    """Make a storage object; the metadata's parts are those that belong there."""
    version = "v1" if kind.startswith("Persistent") else "storage.k8s.io/v1"
    metadata: Object = {"name": name, "uid": f"uid-{name}"}
    if namespace:
        metadata["namespace"] = namespace
    for part in ("annotations", "deletionTimestamp", "labels", "ownerReferences"):
        if part in parts:
            metadata[part] = parts.pop(part)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def within(key: str, *values: str) -> Object:
    """Make a volume's node affinity to nodes with one of these labels."""
    expression = {"key": key, "operator": "In", "values": list(values)}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


def volume(
    name: str,
    size: str = "10Gi",
    storage_class: str = "",
    *,
    source: Object | None = None,
    claim: str | None = None,
    claim_uid: str | None = None,
    affinity: Object | None = None,
    phase: str = "Available",
    modes: tuple[str, ...] = ("ReadWriteOnce",),
    **parts: Any,
) -> Object:
    """Make a PersistentVolume; ``claim`` is whom it is for, in the namespace default."""
    spec: Object = {"capacity": {"storage": size}, "accessModes": list(modes)}
    spec |= source or {"csi": {"driver": EBS, "volumeHandle": f"handle-{name}"}}
    spec |= parts.pop("spec", {})
    if storage_class:
        spec["storageClassName"] = storage_class
    if affinity is not None:
        spec["nodeAffinity"] = affinity
    if claim is not None:
        spec["claimRef"] = {"namespace": "default", "name": claim}
        if claim_uid is not None:
            spec["claimRef"]["uid"] = claim_uid
    return storage("PersistentVolume", name, spec=spec, status={"phase": phase}, **parts)


def claim(
    name: str,
    size: str | None = "5Gi",
    storage_class: str = "",
    *,
    to: str = "",
    bound: bool = True,
    modes: tuple[str, ...] = ("ReadWriteOnce",),
    phase: str = "Pending",
    namespace: str = "default",
    **parts: Any,
) -> Object:
    """Make a PersistentVolumeClaim; ``to`` is its volume, bound unless told otherwise."""
    spec: Object = {"accessModes": list(modes), **parts.pop("spec", {})}
    if size is not None:
        spec["resources"] = {"requests": {"storage": size}}
    if storage_class:
        spec["storageClassName"] = storage_class
    annotations = parts.pop("annotations", {})
    if to:
        spec["volumeName"] = to
        if bound:
            annotations = {"pv.kubernetes.io/bind-completed": "yes", **annotations}
    return storage(
        "PersistentVolumeClaim",
        name,
        namespace,
        spec=spec,
        status={"phase": phase},
        annotations=annotations,
        **parts,
    )


def storage_class(
    name: str, provisioner: str = EBS, *, waits: bool = True, topologies: Any = None
) -> Object:
    """Make a StorageClass, whose claims wait for their first pod unless told otherwise."""
    mode = "WaitForFirstConsumer" if waits else "Immediate"
    parts: Object = {"provisioner": provisioner, "volumeBindingMode": mode}
    if topologies is not None:
        parts["allowedTopologies"] = topologies
    return storage("StorageClass", name, **parts)


def topology(**labels: tuple[str, ...]) -> Object:
    """Make a topology term of a StorageClass."""
    return {
        "matchLabelExpressions": [
            {"key": key, "values": list(values)} for key, values in labels.items()
        ]
    }


def csi_node(name: str, limits: dict[str, int | None] | None = None, migrated: str = "") -> Object:
    """Make a CSINode with limits by driver; None for a driver without a count."""
    drivers = [
        {"name": driver, "nodeID": name}
        | ({} if count is None else {"allocatable": {"count": count}})
        for driver, count in (limits or {}).items()
    ]
    annotations = {"storage.alpha.kubernetes.io/migrated-plugins": migrated} if migrated else {}
    return storage("CSINode", name, spec={"drivers": drivers}, annotations=annotations)


def capacity(
    name: str,
    of_class: str,
    size: str | None,
    *,
    selector: Object | None = None,
    largest: str | None = None,
) -> Object:
    """Make a CSIStorageCapacity; without a selector it can be reached from nowhere."""
    parts: Object = {"storageClassName": of_class}
    if size is not None:
        parts["capacity"] = size
    if largest is not None:
        parts["maximumVolumeSize"] = largest
    if selector is not None:
        parts["nodeTopology"] = selector
    return storage("CSIStorageCapacity", name, "default", **parts)


def attachment(name: str, node: str, volume_name: str, driver: str = EBS) -> Object:
    """Make a VolumeAttachment."""
    source = {"persistentVolumeName": volume_name}
    spec = {"nodeName": node, "attacher": driver, "source": source}
    return storage("VolumeAttachment", name, spec=spec)


def uses(*claims: str) -> list[Object]:
    """Make a pod's volumes of these claims."""
    return [
        {"name": f"v{index}", "persistentVolumeClaim": {"claimName": name}}
        for index, name in enumerate(claims)
    ]


class World:
    """A cluster with storage, and the words to ask about it."""

    def __init__(self, *objects: Object) -> None:
        self.cluster = Cluster()
        self.book = self.cluster.volumes
        self.pods: dict[str, tuple[Object, str]] = {}
        self.put(*objects)

    def put(self, *objects: Object) -> list[VolumeChange]:
        """Take over storage objects."""
        return [self.book.put(resource_of(obj), obj) for obj in objects]

    def remove(self, *objects: Object) -> list[VolumeChange]:
        """Forget storage objects."""
        return [self.book.remove(resource_of(obj), obj) for obj in objects]

    def node(self, name: str, **labels: str) -> World:
        """Add a node; labels are named with ``_`` for zone, region or host."""
        keys = {"zone": ZONE, "region": REGION}
        full = {HOST: name} | {keys.get(key, key): value for key, value in labels.items()}
        node: Object = {
            "metadata": {"name": name, "labels": full},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
        }
        self.cluster.put_node(node, None)
        return self

    def demand(
        self, volumes: list[Object], name: str = "p", namespace: str = "default"
    ) -> VolumeDemand | None:
        """Resolve a pod."""
        spec = {"volumes": volumes}
        self.pods[name] = spec, namespace
        return self.book.resolve(spec, namespace, name, f"uid-{name}")

    def place(self, volumes: list[Object], on: str, name: str = "placed") -> None:
        """Resolve a pod, and count it on a node."""
        demand = self.demand(volumes, name)
        key = Key("pods", "default", name)
        pod_class = PodClass({"containers": []}, volumes=demand)
        self.cluster.place(PodState(f"uid-{name}", key, pod_class), on)

    def displace(self, name: str = "placed") -> None:
        """Count a pod on no node."""
        self.cluster.displace(f"uid-{name}")

    def refresh(self) -> set[str]:
        """Resolve anew what is stale; return the names of those pods."""
        names = {uid.removeprefix("uid-") for uid in self.book.take_stale()}
        for name in names:
            spec, namespace = self.pods[name]
            self.book.resolve(spec, namespace, name, f"uid-{name}")
        return names

    def why_not(
        self, on: str, volumes: list[Object] | None = None, name: str = "p"
    ) -> tuple[str, tuple[str, ...], bool] | None:
        """Return the first plugin that rejects the pod there, its reasons and their help."""
        if volumes is None:
            volumes = self.pods[name][0]["volumes"]
        demand = self.demand(volumes, name)
        if demand is not None and demand.parts.refusals:
            plugin, message = demand.parts.refusals[0]
            return plugin, (message,), False
        pod = PodClass({"containers": []}, volumes=demand)
        node = self.cluster.by_name[on]
        for each in VOLUME_FILTERS:
            found = each.check(pod, node, self.cluster)
            if found is not None:
                return each.name, found.reasons, found.resolvable
        return None
