"""Claims and volumes find each other, part, and are told why not.

Sentences: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from tests.controllers.volumes.storage import (
    CLAIMS,
    CLASSES,
    VOLUMES,
    claim,
    pod,
    storage,
    storage_class,
    volume,
)

NO_CLASS = "no persistent volumes available for this claim and no storage class is set"


@virtual
async def test_a_claim_gets_the_smallest_volume_that_fits(worlds: Any) -> None:
    """The user will always get at least what they asked for, and both sides say whose they are."""
    async with storage(worlds) as s:
        await s.make(volume("big", "10Gi"), volume("fits", "2Gi"), volume("small", "500Mi"))
        await s.make(claim(size="1Gi"))
        await s.world.settle()
        assert s.bound_to() == "fits"
        found = s.claim()
        assert found["status"]["capacity"] == {"storage": "2Gi"}
        assert found["status"]["accessModes"] == ["ReadWriteOnce"]
        assert found["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] == "yes"
        given = s.volume("fits")
        assert given["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] == "yes"
        assert given["status"]["lastPhaseTransitionTime"]
        assert s.phase("big") == "Available"


@virtual
async def test_claims_remain_unbound_until_a_matching_volume_appears(worlds: Any) -> None:
    """Claims will be bound as matching volumes become available."""
    async with storage(worlds) as s:
        await s.make(claim(size="100Gi"), volume("fifty", "50Gi"))
        await s.world.settle()
        assert s.bound_to() is None
        assert s.told() == [("FailedBinding", NO_CLASS)]
        await s.make(volume("hundred", "100Gi"))
        await s.world.settle()
        assert s.bound_to() == "hundred"


@virtual
async def test_each_volume_goes_to_one_claim_only(worlds: Any) -> None:
    """A PVC to PV binding is a one-to-one mapping; nothing is left over for want of a look."""
    async with storage(worlds) as s:
        for at in range(12):
            await s.make(claim(f"c{at}", f"{12 - at}Gi"))
        for at in range(12):
            await s.make(volume(f"v{at}", f"{at + 1}Gi"))
        await s.world.settle()
        found = [s.bound_to(f"c{at}") for at in range(12)]
        assert None not in found
        assert len(set(found)) == 12


@virtual
async def test_a_volume_is_reserved_by_naming_its_claim(worlds: Any) -> None:
    """If you declare a claimRef, other claims do not get the volume, however well it fits."""
    async with storage(worlds) as s:
        await s.make(volume(claimRef={"namespace": "default", "name": "mine"}))
        await s.make(claim("other"), claim("mine"))
        await s.world.settle()
        assert s.bound_to("mine") == "v"
        assert s.bound_to("other") is None
        assert "pv.kubernetes.io/bound-by-controller" not in (
            s.volume()["metadata"].get("annotations") or {}
        )


@virtual
async def test_a_claim_names_its_volume(worlds: Any) -> None:
    """By specifying a PersistentVolume in a claim, you declare a binding between that two."""
    async with storage(worlds) as s:
        await s.make(volume("a"), volume("b"), claim(volumeName="b"), claim("late", volumeName="b"))
        await s.world.settle()
        assert s.bound_to() == "b"
        assert s.told("late") == [
            ("FailedBinding", 'volume "b" already bound to a different claim.')
        ]
        await s.make(claim("large", "5Gi", volumeName="a"))
        await s.world.settle()
        assert s.told("large") == [
            ("VolumeMismatch", 'Cannot bind to requested volume "a": requested PV is too small')
        ]


@virtual
async def test_retain_leaves_a_released_volume_to_the_administrator(worlds: Any) -> None:
    """The volume is considered released, but not yet available for another claim."""
    async with storage(worlds) as s:
        await s.make(volume(), claim())
        await s.world.settle()
        await s.delete(CLAIMS, "c")
        await s.world.settle()
        assert s.phase("v") == "Released"
        await s.make(claim("next"))
        await s.world.settle()
        assert s.bound_to("next") is None

        def freed(now: Any) -> Any:
            spec = {key: value for key, value in now["spec"].items() if key != "claimRef"}
            return {**now, "spec": spec}

        await s.store.modify(VOLUMES, "", "v", freed)
        await s.world.settle()
        assert s.bound_to("next") == "v"


@virtual
async def test_what_cannot_be_reclaimed_fails_with_a_reason(worlds: Any) -> None:
    """Failed: the volume has failed its (automated) reclamation."""
    reasons = {
        "Delete": 'error getting deleter volume plugin for volume "Delete": '
        "no deletable volume plugin matched",
        "Recycle": "No recycler plugin found for the volume!",
    }
    async with storage(worlds) as s:
        for policy in reasons:
            made = volume(policy.lower(), persistentVolumeReclaimPolicy=policy)
            await s.make(made, claim(policy.lower(), volumeName=policy.lower()))
        await s.world.settle()
        for policy in reasons:
            await s.delete(CLAIMS, policy.lower())
        await s.world.settle(60)
        for policy, message in reasons.items():
            name = policy.lower()
            assert s.phase(name) == "Failed"
            told = (f"VolumeFailed{policy}", message.replace(policy + '"', name + '"'))
            assert s.told(name) == [told]
            assert s.volume(name)["status"]["message"] == told[1]


@virtual
async def test_a_claim_without_its_volume_is_lost(worlds: Any) -> None:
    """Lost: its data is gone, which an event tells once."""
    async with storage(worlds) as s:
        await s.make(volume())
        await s.world.settle()
        await s.make(claim())
        await s.world.settle()

        def let_go(now: Any) -> Any:
            return {**now, "metadata": {**now["metadata"], "finalizers": []}}

        await s.delete(VOLUMES, "v")
        await s.world.settle()
        assert s.bound_to() == "v"
        await s.store.modify(VOLUMES, "", "v", let_go)
        await s.world.settle()
        assert s.claim()["status"] == {"phase": "Lost"}
        told = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        assert s.told() == [("ClaimLost", told)]


@virtual
async def test_claims_without_a_class_get_the_default_later(worlds: Any) -> None:
    """When a default StorageClass becomes available, the control plane updates them."""
    async with storage(worlds) as s:
        await s.make(claim(), claim("none", storageClassName=""))
        await s.world.settle()
        await s.make(storage_class("gold", default=True))
        await s.world.settle()
        assert s.claim()["spec"]["storageClassName"] == "gold"
        assert s.claim("none")["spec"]["storageClassName"] == ""


@virtual
async def test_external_provisioners_are_called_upon(worlds: Any) -> None:
    """They are named in annotations, and an event says who is waited for."""
    async with storage(worlds) as s:
        await s.make(storage_class("gold"), claim(storageClassName="gold"))
        await s.make(claim("lost", storageClassName="nowhere"))
        await s.make(storage_class("hand", "kubernetes.io/no-provisioner"))
        await s.make(claim("manual", storageClassName="hand"))
        await s.world.settle()
        annotations = s.claim()["metadata"]["annotations"]
        assert annotations == {
            "volume.beta.kubernetes.io/storage-provisioner": "example.com/disks",
            "volume.kubernetes.io/storage-provisioner": "example.com/disks",
        }
        ((reason, message),) = s.told()
        assert reason == "ExternalProvisioning"
        assert message.startswith(
            "Waiting for a volume to be created either by the external provisioner "
            "'example.com/disks' or manually by the system administrator."
        )
        assert s.told("lost") == [
            ("ProvisioningFailed", 'storageclass.storage.k8s.io "nowhere" not found')
        ]
        assert s.told("manual") == [
            (
                "ProvisioningFailed",
                "no volume plugin matched name: kubernetes.io/no-provisioner",
            )
        ]
        await s.make(storage_class("nowhere"))
        await s.world.settle()
        assert s.told("lost")[-1][0] == "ExternalProvisioning"


@virtual
async def test_claims_that_wait_for_a_pod_say_so(worlds: Any) -> None:
    """WaitForFirstConsumer delays the binding until a Pod using the claim is created.

    https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
    """
    async with storage(worlds) as s:
        await s.make(storage_class("late", late=True), volume(storageClassName="late"))
        await s.make(claim(storageClassName="late"))
        await s.world.settle(100)
        assert s.bound_to() is None
        waiting = (
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding",
        )
        assert s.told() == [waiting]
        await s.make(pod("p", "c"))
        await s.world.settle(1)
        await s.make(pod("q", "c"))
        await s.world.settle(30)
        scheduled = "waiting for pods p,q to be scheduled"
        assert s.told() == [waiting, ("WaitForPodScheduled", scheduled)]
        await s.select("c", "n1")
        await s.world.settle(1)
        assert s.told()[-1][0] == "ExternalProvisioning"


@virtual
async def test_a_default_class_is_found_among_several(worlds: Any) -> None:
    """If more than one is marked as default, the newest is used."""
    async with storage(worlds) as s:
        await s.make(claim())
        await s.make(storage_class("old"))
        await s.world.settle()
        await s.make(storage_class("new", default=True))

        def mark(now: Any) -> Any:
            metadata = {
                **now["metadata"],
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            }
            return {**now, "metadata": metadata}

        await s.store.modify(CLASSES, "", "old", mark)
        await s.world.settle()
        assert s.claim()["spec"]["storageClassName"] == "new"
