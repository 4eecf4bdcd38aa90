"""Claims and volumes that are used outlive their deletion until they are not."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.protection import ProtectionController
from orchestrator.resources.objects import Object


def claim(name: str) -> Object:
    """A claim."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec,
    }


@virtual
async def test_a_claim_waits_for_its_pod(worlds: Any) -> None:
    """One that no pod mounts goes at once."""
    async with worlds.world() as world:
        world.start(ProtectionController)
        for name in ("used", "free"):
            made = await world.create("persistentvolumeclaims", claim(name))
            assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": "used"}}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [volume]},
        }
        await world.create("pods", pod)
        await world.settle()
        for name in ("used", "free"):
            await world.store.delete("persistentvolumeclaims", "default", name)
        await world.settle()
        (left,) = world.store.list("persistentvolumeclaims")
        assert left["metadata"]["name"] == "used"
        await world.store.delete("pods", "default", "p")
        await world.until(lambda: not world.store.list("persistentvolumeclaims"))


@virtual
async def test_a_volume_waits_for_its_claim(worlds: Any) -> None:
    """It goes when it is no longer bound."""
    async with worlds.world() as world:
        world.start(ProtectionController)
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "v"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/data"},
            },
        }
        made = await world.create("persistentvolumes", volume, "")
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]

        async def phase(name: str) -> None:
            await world.store.modify(
                "persistentvolumes",
                "",
                "v",
                lambda old: {**old, "status": {"phase": name}},
                subresource="status",
                admit=False,
            )

        await phase("Bound")
        await world.store.delete("persistentvolumes", "", "v")
        await world.settle()
        assert world.store.get("persistentvolumes", "", "v") is not None
        await phase("Released")
        await world.until(lambda: world.store.get("persistentvolumes", "", "v") is None)
