"""Generic ephemeral volumes.

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.ephemeral import EphemeralVolumeController
from orchestrator.controllers.garbage import GarbageCollector
from tests.controllers.volumes.storage import CLAIMS, claim, pod


def with_scratch(name: str) -> dict[str, Any]:
    """A pod with an ephemeral volume called ``scratch``."""
    made = pod(name)
    template = {"metadata": {"labels": {"type": "my"}}, "spec": claim()["spec"]}
    made["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    return made


@virtual
async def test_a_claim_is_made_owned_by_its_pod(worlds: Any) -> None:
    """The name is a combination of both with a hyphen; the Pod is the owner, so it goes along."""
    async with worlds.world() as world:
        world.start(EphemeralVolumeController, GarbageCollector, kubelet=False)
        owner = await world.create("pods", with_scratch("my-app"))
        await world.settle()
        found = world.get(CLAIMS, "my-app-scratch")
        assert found["metadata"]["labels"] == {"type": "my"}
        assert found["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": "my-app",
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert found["spec"]["resources"] == claim()["spec"]["resources"]
        await world.store.delete("pods", "default", "my-app")
        await world.settle()
        (left,) = world.store.list(CLAIMS)
        assert "deletionTimestamp" in left["metadata"]  # what uses it is the protection's to see


@virtual
async def test_another_claim_of_that_name_is_never_used(worlds: Any) -> None:
    """The existing one is not overwritten or modified; the Pod cannot start until it is gone."""
    async with worlds.world() as world:
        world.start(EphemeralVolumeController, kubelet=False)
        await world.create(CLAIMS, claim("p-scratch", metadata={"finalizers": []}))
        await world.create("pods", with_scratch("p"))
        await world.settle()
        assert "ownerReferences" not in world.get(CLAIMS, "p-scratch")["metadata"]
        assert world.recorded.messages("FailedBinding") == [
            (
                "ephemeral volume scratch: PVC default/p-scratch was not created for pod default/p "
                "(pod is not owner)"
            )
        ]

        def free(now: Any) -> Any:
            return {**now, "metadata": {**now["metadata"], "finalizers": []}}

        await world.store.delete(CLAIMS, "default", "p-scratch")
        await world.patch(CLAIMS, "p-scratch", free)
        await world.settle()
        assert world.get(CLAIMS, "p-scratch")["metadata"]["ownerReferences"]
