"""A control plane that goes down and comes back on its log, at the same address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kubernetes import client, config

from orchestrator import Cluster
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop


@on_a_real_loop
async def test_objects_containers_and_faults_outlive_the_control_plane() -> None:
    """Nothing is started a second time, and everything goes on."""
    async with Cluster(nodes=3, listen=None, epoch=EPOCH) as cluster:
        await cluster.apply(deployment(replicas=6))
        await cluster.wait("deployment/web", "Available")
        await cluster.nodes["node-3"].crash()
        await cluster.nodes["node-2"].partition()
        fault = cluster.faults.api(kind="secrets", error=503).start()
        before = {
            pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["containerID"]
            for pod in cluster.nodes["node-1"].pods
        }
        runtime: Any = cluster.core.nodes._runtimes["simulated"]
        live = {record.started.id for record in runtime._records if record.exited is None}
        seed, system, version = cluster.seed, cluster.core.system, cluster.version
        async with cluster.client() as api, api.watch("pods", since=version) as events:
            await cluster.faults.restart()
            with pytest.raises(ConnectionResetError):
                await anext(events)
            assert await api.get("deployment", "web")
        assert cluster.core.system is not system
        assert cluster.seed == seed
        assert cluster.version >= version
        assert live == {record.started.id for record in runtime._records if record.exited is None}
        assert before == {
            pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["containerID"]
            for pod in cluster.nodes["node-1"].pods
        }
        assert [node.state for node in cluster.nodes.values()] == [
            "running",
            "partitioned",
            "crashed",
        ]
        assert "kind=secrets" in repr(cluster.faults)
        fault.stop()
        await cluster.wait("node/node-2", "Ready=Unknown", timeout=120)
        await cluster.clock.advance(minutes=7)
        await cluster.nodes["node-2"].heal()
        await cluster.nodes["node-3"].recover()
        found = await cluster.wait("deployment/web", "rollout", timeout=60)
        assert found is not None
        assert found["status"]["readyReplicas"] == 6
        await cluster.api.scale("deployment", "web", 2)
        await cluster.faults.restart()
        await cluster.wait("deployment/web", "rollout", timeout=60)
        assert len(await cluster.api.list("pods")) == 2
        past = cluster.at(version).get("deployment", "web")
        assert past is not None
        assert past["spec"]["replicas"] == 6


@pytest.mark.parametrize("listen", ["http", "https"])
def test_clients_outside_find_it_where_it_was(listen: Any) -> None:
    """The same address, credentials and objects; requests during it are not answered."""

    @on_a_real_loop
    async def scenario() -> None:
        async with Cluster(nodes=1, listen=listen) as cluster:
            await cluster.apply(config_map(colour="green"))
            api = client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
            jane = cluster.kubeconfig_for("jane", groups=("system:masters",))
            hers = client.CoreV1Api(config.new_client_from_config(str(jane)))

            def colour(of: client.CoreV1Api) -> str:
                found: str = of.read_namespaced_config_map("settings", "default").data["colour"]
                return found

            url = cluster.url
            assert await asyncio.to_thread(colour, api) == "green"
            await cluster.faults.restart()
            assert cluster.url == url
            assert await asyncio.to_thread(colour, api) == "green"
            assert await asyncio.to_thread(colour, hers) == "green"

    scenario()


@on_a_real_loop
async def test_snapshots_and_forks_reach_over_the_control_planes_end() -> None:
    """A snapshot from before is this cluster's, and nodes that are dead now lived then."""
    async with Cluster(nodes=2, listen=None, epoch=EPOCH) as cluster:
        await cluster.apply(deployment(replicas=2))
        await cluster.wait("deployment/web", "Available")
        snap = await cluster.snapshot()
        await cluster.nodes["node-1"].crash()
        await cluster.faults.restart()
        async with await cluster.fork(snap.version) as fork:
            assert [node.state for node in fork.nodes.values()] == ["running", "running"]
        await cluster.restore(snap)
        assert [node.state for node in cluster.nodes.values()] == ["running", "running"]
        assert len(cluster.nodes["node-1"].pods) == 1
        await cluster.wait("deployment/web", "Available")


@on_a_real_loop
async def test_what_is_changed_at_the_same_time_is_changed_in_turn() -> None:
    """Two ends of the control plane, nodes that go and come, snapshots: none meets another."""
    async with Cluster(nodes=2, listen=None) as cluster:
        await cluster.apply(deployment(replicas=3))
        await cluster.wait("deployment/web", "Available")
        snap = await cluster.snapshot()
        one, two = cluster.nodes.values()
        restart = cluster.faults.restart
        await asyncio.gather(restart(), one.crash(), restart(), two.partition(), restart())
        assert [one.state, two.state] == ["crashed", "partitioned"]
        going = asyncio.create_task(cluster.fork())
        back = (one.recover(), restart(), two.heal(), cluster.restore(snap), cluster.snapshot())
        await asyncio.gather(*back, cluster.nodes.add("three"), restart())
        async with await going:
            assert [node.state for node in cluster.nodes.values()] == ["running"] * 3
            await cluster.wait("node/three", "Ready", timeout=60)
            await cluster.wait("deployment/web", "rollout", timeout=120)
