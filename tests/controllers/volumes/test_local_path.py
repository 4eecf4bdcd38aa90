"""The built-in provisioner makes, grows and deletes volumes as an external one would.

Sentences: https://kubernetes.io/docs/concepts/storage/persistent-volumes/ and
https://kubernetes.io/docs/concepts/storage/storage-classes/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.localpath.classes import NAME, default_class
from orchestrator.node.volumes import ProvisionedVolumes
from orchestrator.resources.errors import StatusError
from tests.controllers.volumes.storage import (
    CLAIMS,
    VOLUMES,
    claim,
    node,
    pod,
    storage,
    storage_class,
    volume,
)

FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"


def immediate(**parts: Any) -> Any:
    """A class whose volumes are made at once."""
    return storage_class("now", NAME, **parts)


def grown(size: str) -> Any:
    """Return a change that asks for more."""

    def change(now: Any) -> Any:
        resources = {"requests": {"storage": size}}
        return {**now, "spec": {**now["spec"], "resources": resources}}

    return change


@virtual
async def test_a_volume_is_made_where_the_first_pod_goes(worlds: Any) -> None:
    """Volumes are provisioned conforming to the topology of the Pod's scheduling constraints."""
    async with storage(worlds) as s:
        await s.make(default_class(), node("n1"), node("n2"), claim(size="2Gi"))
        await s.world.settle()
        assert s.store.list(VOLUMES) == []
        await s.select("c", "n2")
        await s.world.settle()
        found = s.claim()
        name = f"pvc-{found['metadata']['uid']}"
        assert s.bound_to() == name
        assert found["status"]["capacity"] == {"storage": "2Gi"}
        made = s.volume(name)
        assert made["metadata"]["annotations"] == {"pv.kubernetes.io/provisioned-by": NAME}
        assert made["metadata"]["finalizers"] == [FINALIZER, "kubernetes.io/pv-protection"]
        spec = made["spec"]
        assert spec["hostPath"] == {
            "path": f"/data/volumes/{name}_default_c",
            "type": "DirectoryOrCreate",
        }
        assert spec["persistentVolumeReclaimPolicy"] == "Delete"
        assert spec["storageClassName"] == "local-path"
        (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": ["host-n2"]}
        ]
        assert [reason for reason, _ in s.told()] == [
            "WaitForFirstConsumer",
            "ExternalProvisioning",
            "Provisioning",
            "ProvisioningSucceeded",
        ]
        assert s.told()[-1][1] == f"Successfully provisioned volume {name}"


@virtual
async def test_immediate_binding_needs_no_pod(worlds: Any) -> None:
    """The Immediate mode makes a volume once the claim is created: on a node that is fit for it."""
    async with storage(worlds) as s:
        await s.make(node("down", ready=False), node("off", unschedulable=True))
        await s.make(immediate(), claim(storageClassName="now"))
        await s.world.settle()
        assert s.bound_to() is None
        assert s.told()[-1] == (
            "ProvisioningFailed",
            (
                'failed to provision volume with StorageClass "now": '
                "no node is ready, schedulable and of an allowed topology"
            ),
        )
        await s.make(node("up"))
        await s.world.settle()
        name = s.bound_to()
        (term,) = s.volume(name)["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"][0]["values"] == ["host-up"]


@virtual
async def test_what_several_nodes_may_mount_is_on_all_of_them(worlds: Any) -> None:
    """ReadWriteMany: every node is this machine, so that the volume is tied to none."""
    async with storage(worlds) as s:
        await s.make(node("n1"), immediate())
        for name, modes in (("many", "RWX"), ("pod", "RWOP")):
            await s.make(claim(name, modes=modes, storageClassName="now"))
        await s.world.settle()
        assert "nodeAffinity" not in s.volume(s.bound_to("many"))["spec"]
        assert "nodeAffinity" in s.volume(s.bound_to("pod"))["spec"]


@virtual
@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"selector": {"matchLabels": {"a": "b"}}}, "claim.Spec.Selector is not supported"),
        ({"volumeMode": "Block"}, f"{NAME} does not support block volume provisioning"),
        (
            {"dataSource": {"kind": "PersistentVolumeClaim", "name": "old"}},
            "volumes begin empty, not as PersistentVolumeClaim old",
        ),
    ],
)
async def test_what_is_not_supported_is_refused(worlds: Any, spec: Any, why: str) -> None:
    """An event says why there is no volume."""
    async with storage(worlds) as s:
        await s.make(node("n1"), immediate(), claim(storageClassName="now", **spec))
        await s.world.settle()
        assert s.told()[-1] == (
            "ProvisioningFailed",
            f'failed to provision volume with StorageClass "now": {why}',
        )


@virtual
async def test_a_node_that_is_gone_is_given_back_to_the_scheduler(worlds: Any) -> None:
    """Taking the annotation away asks it to choose anew."""
    async with storage(worlds) as s:
        await s.make(default_class(), claim())
        await s.select("c", "gone")
        await s.world.settle()
        assert "volume.kubernetes.io/selected-node" not in s.claim()["metadata"]["annotations"]
        await s.make(node("n1"))
        await s.select("c", "n1")
        await s.world.settle()
        assert s.bound_to()


@virtual
async def test_delete_removes_the_volume_and_what_is_in_it(worlds: Any) -> None:
    """Deletion removes both the PersistentVolume and the storage asset; failures are told."""
    calls: list[str] = []

    async def remove(name: str, path: str) -> None:
        calls.append(path)
        if len(calls) < 3:
            raise OSError("busy")

    async with storage(worlds, remove) as s:
        await s.make(node("n1"), immediate(), claim(storageClassName="now"))
        await s.world.settle()
        name = s.bound_to()
        await s.delete(CLAIMS, "c")
        await s.world.settle(0.5)
        assert s.phase(name) == "Released"
        assert s.told(name) == [("VolumeFailedDelete", "busy")]
        await s.world.settle(10)
        assert s.store.list(VOLUMES) == []
        assert calls == [f"/data/volumes/{name}_default_c"] * 3


@virtual
async def test_a_volume_deleted_first_is_still_cleaned_up(worlds: Any) -> None:
    """The finalizer ensures that the reclaim policy is honored in any order of deletion."""
    calls: list[str] = []

    async def remove(name: str, path: str) -> None:
        calls.append(name)

    async with storage(worlds, remove) as s:
        await s.make(node("n1"), immediate(), claim(storageClassName="now"))
        await s.world.settle()
        name = s.bound_to()
        await s.delete(VOLUMES, name)
        await s.world.settle()
        assert s.phase(name) == "Bound"
        assert calls == []
        await s.delete(CLAIMS, "c")
        await s.world.settle()
        assert s.store.list(VOLUMES) == []
        assert calls == [name]


@virtual
async def test_retained_volumes_keep_their_directories(worlds: Any) -> None:
    """A volume whose policy is changed to Retain can be deleted with nothing lost."""
    calls: list[str] = []

    async def remove(name: str, path: str) -> None:
        calls.append(name)

    async with storage(worlds, remove) as s:
        await s.make(node("n1"), immediate(), claim(storageClassName="now"))
        await s.world.settle()
        name = s.bound_to()

        def retain(now: Any) -> Any:
            return {**now, "spec": {**now["spec"], "persistentVolumeReclaimPolicy": "Retain"}}

        await s.store.modify(VOLUMES, "", name, retain)
        await s.world.settle()
        assert s.volume(name)["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
        await s.delete(CLAIMS, "c")
        await s.world.settle()
        assert s.phase(name) == "Released"
        await s.delete(VOLUMES, name)
        await s.world.settle()
        assert s.store.list(VOLUMES) == []
        assert calls == []


@virtual
async def test_claims_grow_where_their_class_lets_them(worlds: Any) -> None:
    """You can only expand a PVC if its storage class's allowVolumeExpansion field is true."""
    async with storage(worlds) as s:
        await s.make(node("n1"), immediate(allowVolumeExpansion=True))
        await s.make(claim(storageClassName="now"))
        await s.world.settle()
        name = s.bound_to()
        await s.store.modify(CLAIMS, "default", "c", grown("3Gi"))
        await s.world.settle()
        status = s.claim()["status"]
        assert status["capacity"] == {"storage": "3Gi"}
        assert "conditions" not in status
        assert s.volume(name)["spec"]["capacity"] == {"storage": "3Gi"}
        assert [
            ("ExternalExpanding", "waiting for an external controller to expand this PVC"),
            ("Resizing", f"External resizer is resizing volume {name}"),
            ("VolumeResizeSuccessful", "Resize volume succeeded"),
        ] == sorted(s.told()[-3:])
        with pytest.raises(StatusError, match="field can not be less than"):
            await s.store.modify(CLAIMS, "default", "c", grown("2Gi"))
        await s.make(storage_class("fixed", NAME), claim("d", storageClassName="fixed"))
        await s.world.settle()
        with pytest.raises(StatusError, match="only dynamically provisioned pvc can be resized"):
            await s.store.modify(CLAIMS, "default", "d", grown("2Gi"))


@virtual
async def test_a_volume_that_is_no_longer_needed_goes(worlds: Any) -> None:
    """One that was made for a claim which got another meanwhile is deleted."""
    async with storage(worlds, provisioner=False) as s:
        await s.make(storage_class("now", NAME), claim(storageClassName="now"))
        await s.make(volume("hand", storageClassName="now"))
        await s.world.settle()
        assert s.bound_to() == "hand"
        reference = {"namespace": "default", "name": "c", "uid": s.claim()["metadata"]["uid"]}
        made = volume(
            "late",
            storageClassName="now",
            persistentVolumeReclaimPolicy="Delete",
            claimRef=reference,
            metadata={"annotations": {"pv.kubernetes.io/provisioned-by": NAME}},
        )
        await s.make(made)
        await s.world.settle()
        assert s.phase("late") == "Released"


async def test_only_the_volumes_own_directory_is_deleted(tmp_path: Path) -> None:
    """No path that a user thought out, no link, nothing outside; what is gone is no error."""
    volumes = tmp_path / "volumes"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    disk = ProvisionedVolumes(volumes)
    await disk.remove("pvc-1", f"{volumes}/pvc-1_default_c")
    own = volumes / "pvc-1_default_c"
    (own / "deep").mkdir(parents=True)
    (own / "deep" / "link").symlink_to(outside)
    link = volumes / "pvc-2_default_c"
    link.symlink_to(outside)
    for wrong in (
        str(outside),
        f"{volumes}",
        f"{volumes}/pvc-2_default_c",
        f"{volumes}/../volumes/pvc-1_default_c",
        f"{own}/deep",
        f"{volumes}/pvc-1_/../pvc-1_default_c",
    ):
        with pytest.raises(ValueError, match="is not deleted"):
            await disk.remove("pvc-1", wrong)
    assert own.is_dir()
    await disk.remove("pvc-1", str(own))
    await disk.remove("pvc-1", str(own))
    await disk.remove("pvc-2", str(link))
    assert list(volumes.iterdir()) == []
    assert (outside / "precious").exists()
    volumes.rmdir()
    volumes.symlink_to(outside)
    with pytest.raises(OSError, match="volumes"):
        await disk.remove("pvc-1", f"{volumes}/pvc-1_default_c")


@virtual
async def test_a_claim_made_anew_under_a_pod_is_for_the_pods_node(worlds: Any) -> None:
    """No scheduler comes by again for a pod that has its node; with the node gone, none is chosen.

    A StatefulSet makes its claims anew, and one may be deleted as its pod is just being bound.
    """
    async with storage(worlds) as s:
        await s.make(node("n1"), default_class(), claim("early"))
        await s.make(pod("p", "early", "late", nodeName="n1"), claim("late"))
        await s.make(claim("lost"), pod("q", "lost", nodeName="gone"))
        await s.world.settle()
        assert s.bound_to("early")
        assert s.bound_to("late")
        assert s.bound_to("lost") is None
        assert "annotations" not in s.claim("lost")["metadata"]
