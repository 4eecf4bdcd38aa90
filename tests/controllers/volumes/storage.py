"""Builders of claims, volumes, classes and pods, and a world in which they are bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from orchestrator.controllers.config import ControllerConfig
from orchestrator.controllers.localpath import LocalPathProvisioner
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.volumes import VolumeBindingController

Object = dict[str, Any]
CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
DEFAULT = "storageclass.kubernetes.io/is-default-class"


def claim(name: str = "c", size: str = "1Gi", modes: str = "RWO", **spec: Any) -> Object:
    """A claim; its metadata can be given apart as ``metadata``."""
    metadata = {"name": name, "namespace": "default", **spec.pop("metadata", {})}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {
            "accessModes": access(modes),
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def volume(name: str = "v", size: str = "1Gi", modes: str = "RWO", **spec: Any) -> Object:
    """A volume."""
    metadata = {"name": name, **spec.pop("metadata", {})}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": metadata,
        "spec": {
            "accessModes": access(modes),
            "capacity": {"storage": size},
            "hostPath": {"path": f"/data/{name}"},
            **spec,
        },
    }


def storage_class(name: str, provisioner: str = "example.com/disks", **parts: Any) -> Object:
    """A class; ``default=True`` makes it the default, ``late=True`` lets it wait for pods."""
    metadata: Object = {"name": name}
    if parts.pop("default", False):
        metadata["annotations"] = {DEFAULT: "true"}
    if parts.pop("late", False):
        parts["volumeBindingMode"] = "WaitForFirstConsumer"
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": provisioner,
        **parts,
    }


def node(name: str, ready: bool = True, **spec: Any) -> Object:
    """A node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": f"host-{name}"}},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def pod(name: str, *claims: str, **spec: Any) -> Object:
    """A pod that uses claims."""
    mounts = [
        {"name": f"v{at}", "persistentVolumeClaim": {"claimName": each}}
        for at, each in enumerate(claims)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": mounts, **spec},
    }


def access(modes: str) -> list[str]:
    """Read access modes as kubectl shows them."""
    names = {"O": "ReadWriteOnce", "X": "ReadWriteMany", "OP": "ReadWriteOncePod"}
    return [
        "ReadOnlyMany" if mode == "ROX" else names[mode.removeprefix("RW")]
        for mode in modes.split(",")
    ]


class Storage:
    """A world with the controllers of storage."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.store = world.store

    async def make(self, *objects: Object) -> None:
        """Create objects."""
        resources = {
            "PersistentVolumeClaim": CLAIMS,
            "PersistentVolume": VOLUMES,
            "StorageClass": CLASSES,
            "Node": "nodes",
            "Pod": "pods",
        }
        for obj in objects:
            namespace = obj["metadata"].get("namespace", "")
            await self.store.create(obj, resource=resources[obj["kind"]], namespace=namespace)
            if obj["kind"] == "Node":
                await self.store.modify(
                    "nodes",
                    "",
                    obj["metadata"]["name"],
                    lambda now, status=obj["status"]: {**now, "status": status},
                    subresource="status",
                )

    def claim(self, name: str = "c") -> Object:
        """Return a claim."""
        found: Object = self.world.get(CLAIMS, name)
        return found

    def volume(self, name: str = "v") -> Object:
        """Return a volume."""
        found: Object = self.world.get(VOLUMES, name, "")
        return found

    def phase(self, name: str) -> str:
        """Return a volume's phase."""
        return str(self.volume(name)["status"]["phase"])

    def bound_to(self, name: str = "c") -> str | None:
        """Return the volume of a claim that is bound, both sides checked; None without one."""
        found = self.claim(name)
        if found["status"]["phase"] != "Bound":
            return None
        volume = self.volume(found["spec"]["volumeName"])
        assert volume["spec"]["claimRef"]["uid"] == found["metadata"]["uid"]
        assert volume["status"]["phase"] == "Bound"
        assert found["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
        return str(volume["metadata"]["name"])

    def told(self, name: str = "c") -> list[tuple[str, str]]:
        """Return the reasons and messages told about an object."""
        return [
            (reason, message)
            for involved, _, reason, message in self.world.recorded.events
            if involved == name
        ]

    async def select(self, claim_name: str, node_name: str) -> None:
        """Choose a node for a claim, as the scheduler does."""
        key = "volume.kubernetes.io/selected-node"

        def change(now: Object) -> Object:
            metadata = now["metadata"]
            annotations = {**(metadata.get("annotations") or {}), key: node_name}
            return {**now, "metadata": {**metadata, "annotations": annotations}}

        await self.store.modify(CLAIMS, "default", claim_name, change)

    async def delete(self, resource: str, name: str) -> None:
        """Delete an object."""
        namespace = "default" if resource in {CLAIMS, "pods"} else ""
        await self.store.delete(resource, namespace, name)


@asynccontextmanager
async def storage(worlds: Any, remove: Any = None, provisioner: bool = True) -> AsyncIterator[Any]:
    """Open a world with the controllers of storage."""
    async with worlds.world() as world:
        world.start(VolumeBindingController, ProtectionController, kubelet=False)
        if provisioner:
            config = ControllerConfig(volume_directory="/data/volumes", remove_volume=remove)
            world.system.spawn(
                lambda: LocalPathProvisioner(world.store, world.recorded, config), "local-path"
            )
        await world.settle(0.1)  # they have listed what there is: nothing
        yield Storage(world)
