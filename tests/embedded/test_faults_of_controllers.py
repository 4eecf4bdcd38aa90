"""Controllers that fail, and start anew with nothing but what the store has."""

from __future__ import annotations

import pytest

from orchestrator import Cluster
from orchestrator.embedded import ClusterError
from tests.embedded.kit import deployment, on_a_real_loop


@on_a_real_loop
async def test_a_rollout_survives_every_controller_in_its_middle() -> None:
    """Level-triggered: each goes on from what it finds."""
    async with Cluster(nodes=2, listen=None, seed=3) as cluster:
        web = deployment(replicas=4)
        web["spec"]["template"]["metadata"]["annotations"] = {
            "simulation.orchestrator/start-seconds": "10"
        }
        await cluster.apply(web)
        await cluster.wait("deployment/web", "rollout", timeout=60)
        before = cluster.core.system.restarts
        image = {"spec": {"containers": [{"name": "main", "image": "web:2"}]}}
        await cluster.api.patch("deployments", "web", {"spec": {"template": image}})
        for name in cluster.faults.controllers:
            cluster.faults.crash_controller(name)
            await cluster.clock.advance(1)
        assert cluster.core.system.restarts == before + len(cluster.faults.controllers)
        await cluster.wait("deployment/web", "rollout", timeout=300)
        pods = await cluster.api.list("pods")
        assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"web:2"}


@on_a_real_loop
async def test_only_controllers_can_be_crashed_and_all_of_them_are_named() -> None:
    """Without the store and the nodes there is no cluster."""
    async with Cluster(nodes=1, listen=None) as cluster:
        assert {"deployment", "job", "scheduler"} <= set(cluster.faults.controllers)
        cluster.faults.crash_controller("deployment-controller")
        for name in ("store", "nodes", "nope"):
            with pytest.raises(ClusterError, match=f"no controller '{name}': there are .*deploy"):
                cluster.faults.crash_controller(name)
