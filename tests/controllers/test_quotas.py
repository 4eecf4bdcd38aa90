"""ResourceQuotas in a cluster: refused pods are reported, and time frees what hangs."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.quotas import QuotaController
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.objects import Object

QUOTAS = "resourcequotas"


def quota(**hard: str) -> Object:
    """A quota."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": hard},
    }


@virtual
async def test_a_replica_set_reports_that_the_quota_is_used_up(worlds: Any) -> None:
    """It goes on when there is room again."""
    async with worlds.world() as world:
        world.start(DeploymentController, ReplicaSetController, QuotaController)
        await world.create(QUOTAS, quota(pods="2"))
        await world.create("deployments.apps", worlds.deployment(replicas=3))
        await world.settle()
        assert len(world.pods()) == 2
        told = world.recorded.messages("FailedCreate")[0]
        assert told.startswith('Error creating: pods "web-')
        assert told.endswith(
            "is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
        )
        await world.spec(QUOTAS, "q", hard={"pods": "3"})
        await world.until(lambda: len(world.pods()) == 3)
        assert world.get(QUOTAS, "q")["status"] == {"hard": {"pods": "3"}, "used": {"pods": "3"}}


@virtual
async def test_a_pod_that_hangs_past_its_grace_no_longer_counts(worlds: Any) -> None:
    """Nothing is written at that moment, so the controller counts anew."""
    async with worlds.world(holds=lambda _: True) as world:
        world.start(QuotaController)
        await world.create(QUOTAS, quota(pods="2"))
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await world.create("pods", pod)
        await world.settle()
        await world.store.delete("pods", "default", "p")
        await world.settle()
        assert world.get(QUOTAS, "q")["status"]["used"] == {"pods": "1"}
        await world.settle(70)
        assert world.store.get("pods", "default", "p") is not None
        assert world.get(QUOTAS, "q")["status"]["used"] == {"pods": "0"}


@virtual
async def test_a_status_that_somebody_wrote_is_put_right(worlds: Any) -> None:
    """Users may write a status, which lasts until the quota is counted again."""
    async with worlds.world() as world:
        world.start(QuotaController)
        await world.create(QUOTAS, quota(pods="2"))
        wrong = {"hard": {"pods": "7"}, "used": {"pods": "5"}}
        written = await world.store.modify(
            QUOTAS, "default", "q", lambda old: {**old, "status": wrong}, subresource="status"
        )
        assert written["status"] == wrong
        await world.settle()
        assert world.get(QUOTAS, "q")["status"] == wrong
        await world.settle(300)
        assert world.get(QUOTAS, "q")["status"] == {"hard": {"pods": "2"}, "used": {"pods": "0"}}
