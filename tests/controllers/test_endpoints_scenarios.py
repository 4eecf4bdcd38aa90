"""Endpoints that follow the pods of a Service, with a real store."""

from __future__ import annotations

from typing import Any

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.endpoints import EndpointsController
from orchestrator.controllers.replicaset import ReplicaSetController

SLICES = "endpointslices.discovery.k8s.io"


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Build a Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }


def start(world: Any) -> None:
    """Start what endpoints need."""
    world.start(DeploymentController, ReplicaSetController, EndpointsController)


def addresses(world: Any, name: str = "web", *, ready: bool = True) -> Any:
    """Return the addresses in the slices of a Service."""
    return sorted(
        address
        for found in world.store.list(SLICES)
        if found["metadata"]["labels"]["kubernetes.io/service-name"] == name
        for endpoint in found["endpoints"]
        if endpoint["conditions"]["ready"] == ready
        for address in endpoint["addresses"]
    )


def pod_addresses(world: Any) -> Any:
    """Return the addresses of the pods."""
    return sorted(pod["status"]["podIP"] for pod in world.pods(app="web"))


@virtual
async def test_slices_and_endpoints_follow_the_pods(worlds: Any) -> None:
    """Pods appear when they are ready and go when they are gone; both objects agree."""
    async with worlds.world() as world:
        start(world)
        await world.create("services", service())
        await world.settle(1)
        (empty,) = world.store.list(SLICES)
        assert empty["endpoints"] == []
        assert "subsets" not in world.get("endpoints", "web")
        await world.create("deployments.apps", worlds.deployment(replicas=3))
        await world.settle()
        assert addresses(world) == pod_addresses(world)
        (found,) = world.store.list(SLICES)
        assert found["metadata"]["labels"] == {
            "team": "a",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        assert found["metadata"]["ownerReferences"][0]["kind"] == "Service"
        assert found["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]
        (subset,) = world.get("endpoints", "web")["subsets"]
        assert [address["ip"] for address in subset["addresses"]] == pod_addresses(world)
        assert subset["ports"] == [{"port": 8080, "protocol": "TCP"}]
        await world.spec("deployments.apps", "web", replicas=1)
        await world.settle()
        assert len(addresses(world)) == 1
        assert addresses(world) == pod_addresses(world)


@virtual
async def test_a_terminating_pod_still_serves_but_takes_nothing_new(worlds: Any) -> None:
    """It stays in the slice as serving and terminating, and leaves the Endpoints."""
    async with worlds.world() as world:
        start(world)
        await world.create("services", service())
        await world.create("deployments.apps", worlds.deployment(replicas=1))
        await world.settle()
        world.holds = lambda pod: True
        await world.spec("deployments.apps", "web", replicas=0)
        await world.settle()
        (found,) = world.store.list(SLICES)
        (endpoint,) = found["endpoints"]
        assert endpoint["conditions"] == {"ready": False, "serving": True, "terminating": True}
        assert "subsets" not in world.get("endpoints", "web")


@virtual
async def test_a_service_without_selector_is_left_alone(worlds: Any) -> None:
    """Its endpoints are somebody else's."""
    async with worlds.world() as world:
        start(world)
        plain = service("plain")
        del plain["spec"]["selector"]
        await world.create("services", plain)
        await world.settle()
        assert world.store.list(SLICES) == []
        assert world.store.list("endpoints") == []


@virtual
async def test_what_others_change_is_repaired(worlds: Any) -> None:
    """A deleted slice and edited Endpoints come back; a deleted Service leaves no Endpoints."""
    async with worlds.world() as world:
        start(world)
        await world.create("services", service())
        await world.create("deployments.apps", worlds.deployment(replicas=2))
        await world.settle()
        (found,) = world.store.list(SLICES)
        await world.store.delete(SLICES, "default", found["metadata"]["name"])
        await world.patch("endpoints", "web", lambda obj: {**obj, "subsets": []})
        await world.settle()
        assert addresses(world) == pod_addresses(world)
        assert world.get("endpoints", "web")["subsets"]
        await world.store.delete("services", "default", "web")
        await world.settle()
        assert world.store.list("endpoints") == []


@virtual
async def test_a_changed_service_changes_its_endpoints(worlds: Any) -> None:
    """Another selector, another port, unready pods published: all of it shows."""
    async with worlds.world() as world:
        start(world)
        await world.create("services", service())
        await world.create("deployments.apps", worlds.deployment(replicas=2))
        await world.settle()
        await world.spec("services", "web", ports=[{"port": 80, "targetPort": 9090}])
        await world.settle()
        (found,) = world.store.list(SLICES)
        assert found["ports"][0]["port"] == 9090
        await world.spec("services", "web", selector={"app": "other"})
        await world.settle()
        assert addresses(world) == []


@virtual
async def test_many_pods_fill_several_slices(worlds: Any) -> None:
    """250 endpoints take three slices, and losing some touches no more slices than needed."""
    async with worlds.world() as world:
        start(world)
        await world.create("services", service())
        await world.create("deployments.apps", worlds.deployment(replicas=250))
        await world.settle(20)
        assert addresses(world) == pod_addresses(world)
        sizes = sorted(len(found["endpoints"]) for found in world.store.list(SLICES))
        assert max(sizes) <= 100
        assert sum(sizes) == 250
        touched = set()
        watching = worlds.Watching(world.store, [SLICES], lambda event: touched.add(event.key))
        victim = world.pods(app="web")[0]["metadata"]["name"]
        await world.store.delete("pods", "default", victim)
        await world.settle()
        watching.verify()
        assert addresses(world) == pod_addresses(world)
        assert len(touched) <= 2


@virtual
async def test_endpoints_of_a_service_that_went_unseen_are_removed(worlds: Any) -> None:
    """The controller was not there when the Service was deleted; it finds out when it lists."""
    async with worlds.world() as world:
        await world.create("services", service())
        start(world)
        await world.settle(1)
        await world.system.stop(world.system.guardian.rare().children["endpointscontroller"])
        await world.store.delete("services", "default", "web")
        assert world.store.get("endpoints", "default", "web") is not None
        world.start(EndpointsController, kubelet=False)
        await world.settle(1)
        assert world.store.get("endpoints", "default", "web") is None
