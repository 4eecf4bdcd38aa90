"""Claims and volumes that are used outlive their deletion until they are not.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection
"""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.protection import ProtectionController
from orchestrator.controllers.protection.core import is_using
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

        def ended(now: Object) -> Object:
            return {**now, "status": {**now["status"], "phase": "Succeeded"}}

        await world.store.modify("pods", "default", "p", ended, subresource="status")
        await world.settle()
        assert world.store.list("persistentvolumeclaims"), "in use as long as the Pod object exists"
        await world.store.delete("pods", "default", "p")
        await world.until(lambda: not world.store.list("persistentvolumeclaims"))


@virtual
async def test_protection_that_was_taken_away_is_put_back(worlds: Any) -> None:
    """A finalizer that somebody removed from a claim which stays comes back."""
    async with worlds.world() as world:
        world.start(ProtectionController)
        await world.create("persistentvolumeclaims", claim("c"))

        def bare(now: Object) -> Object:
            return {**now, "metadata": {**now["metadata"], "finalizers": []}}

        await world.patch("persistentvolumeclaims", "c", bare)
        await world.settle()
        (found,) = world.store.list("persistentvolumeclaims")
        assert found["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_a_claim_of_an_ephemeral_volume_waits_for_its_own_pod_only() -> None:
    """And not for the end of a pod that is shut down: its finalizer may wait for the claim."""
    owner = {"kind": "Pod", "name": "p", "uid": "1", "controller": True}
    mine = {"metadata": {"name": "p-v", "ownerReferences": [owner], "deletionTimestamp": "x"}}
    others = {"metadata": {"name": "p-v", "deletionTimestamp": "x"}}
    volumes = [{"name": "v", "ephemeral": {}}]
    spec = {"nodeName": "n", "volumes": volumes}
    pod = {"metadata": {"name": "p", "uid": "1"}, "spec": spec}
    down = {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}
    ended = {**pod, "metadata": {**pod["metadata"], **down}}  # type: ignore[dict-item] # of a test
    assert is_using(pod, mine)
    assert not is_using(pod, others)
    assert not is_using(ended, mine)
    assert not is_using({**pod, "spec": {"volumes": volumes}}, mine)


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


def test_a_pods_own_claim_is_let_go_when_its_node_is_done_with_it() -> None:
    """A StatefulSet may have its pod own its claim; deleted in the foreground, the pod waits."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]
    pod: Any = {
        "metadata": {"name": "db-0", "namespace": "default", "uid": "p"},
        "spec": {"nodeName": "n1", "volumes": volumes},
        "status": {"phase": "Failed"},
    }
    shut_down = {
        **pod,
        "metadata": {
            **pod["metadata"],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 0,
        },
    }
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": "db-0", "uid": "p"}]
    own: Any = {
        "metadata": {"name": "data-db-0", "namespace": "default", "ownerReferences": owners}
    }
    free: Any = {"metadata": {"name": "data-db-0", "namespace": "default"}}
    assert is_using(pod, own)
    assert not is_using(shut_down, own)
    assert is_using(shut_down, free)
