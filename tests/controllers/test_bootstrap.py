"""The first objects of a cluster, and all its controllers together."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers import ApiEndpoint, controller_specs, ensure_bootstrap

SLICES = "endpointslices.discovery.k8s.io"


@virtual
async def test_bootstrap_is_made_once_and_follows_the_apis_address(worlds: Any) -> None:
    """A second start changes nothing; one on another port moves the endpoints."""
    async with worlds.world() as world:
        api = ApiEndpoint(address="127.0.0.1", port=6443, service_range="127.96.0.0/16")
        await ensure_bootstrap(world.store, api)
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            assert world.get("namespaces", name, "")
        sequence = world.store.sequence
        await ensure_bootstrap(world.store, api)
        assert world.store.sequence == sequence
        moved = ApiEndpoint(address="127.0.0.1", port=7000, service_range="127.96.0.0/16")
        await ensure_bootstrap(world.store, moved)
        assert world.get(SLICES, "kubernetes")["ports"][0]["port"] == 7000
        assert world.get("endpoints", "kubernetes")["subsets"][0]["ports"][0]["port"] == 7000
        service = world.get("services", "kubernetes")
        assert service["spec"]["clusterIP"] == "127.96.0.1"
        assert service["spec"]["ports"][0]["targetPort"] == 7000


@virtual
async def test_all_controllers_work_together(worlds: Any) -> None:
    """A Deployment comes and goes under every controller of a cluster; then all is quiet."""
    async with worlds.world() as world:
        for spec in controller_specs(world.store):
            world.system.spawn(spec.factory, spec.name)
        for name in world.nodes:
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            await world.create("nodes", node, "")
        world.start()
        await world.create("deployments.apps", worlds.deployment(replicas=5))
        await world.settle()
        assert len(world.pods(app="web")) == 5
        reasons = {event["reason"] for event in world.store.list("events")}
        assert {"ScalingReplicaSet", "SuccessfulCreate"} <= reasons
        sequence = world.store.sequence
        await world.settle(30)
        assert world.store.sequence == sequence
        await world.store.delete("deployments.apps", "default", "web")
        await world.settle()
        assert world.pods() == []
        assert world.store.list("replicasets.apps") == []


def test_a_seed_gives_one_history(worlds: Any) -> None:
    """The names of pods come from the system's generator, not from anywhere else."""

    @virtual
    async def run() -> Any:
        async with worlds.world() as world:
            for spec in controller_specs(world.store):
                world.system.spawn(spec.factory, spec.name)
            world.start()
            await world.create("deployments.apps", worlds.deployment(replicas=5))
            await world.settle()
            return [pod["metadata"]["name"] for pod in world.pods()]

    assert run() == run()
