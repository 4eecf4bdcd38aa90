"""What EndpointSlices say: zones, hints, times, named ports, and how endpoints are packed.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.endpoints import (
    EndpointsController,
    Member,
    decide_endpoints,
    member_of,
)
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import parse_time

SLICES = "endpointslices.discovery.k8s.io"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def service(**spec: Any) -> Object:
    """Build a Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def pod(name: str = "p", *, ready: bool = True, going: bool = False, **spec: Any) -> Object:
    """Build a pod that has an address."""
    metadata: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    condition = {"type": "Ready", "status": str(ready)}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "n1", "containers": [], **spec},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [condition]},
    }


@pytest.mark.parametrize(
    ("wanted", "zone", "ready", "hints"),
    [
        (None, "a", True, None),
        ("PreferClose", "a", True, {"forZones": [{"name": "a"}]}),
        ("PreferSameZone", "a", True, {"forZones": [{"name": "a"}]}),
        (
            "PreferSameNode",
            "a",
            True,
            {"forZones": [{"name": "a"}], "forNodes": [{"name": "n1"}]},
        ),
        ("PreferSameNode", "", True, {"forNodes": [{"name": "n1"}]}),
        ("PreferSameZone", "", True, None),
        ("PreferSameZone", "a", False, None),
    ],
)
def test_traffic_distribution_comes_to_hints(
    wanted: str | None, zone: str, ready: bool, hints: Object | None
) -> None:
    """Every endpoint that is ready is for its own zone, or its own node.

    https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution
    """
    spec = {"trafficDistribution": wanted} if wanted else {}
    endpoint = member_of(service(**spec), pod(ready=ready), zone).endpoint
    assert (endpoint.get("hints"), endpoint.get("zone", "")) == (hints, zone)


@pytest.mark.parametrize(
    ("state", "publish", "conditions"),
    [
        ({}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"ready": False}, True, (True, False, False)),
        ({"going": True}, False, (False, True, True)),
        ({"going": True, "ready": False}, False, (False, False, True)),
        ({"going": True}, True, (True, True, True)),
    ],
    ids=["ready", "unready", "published", "going", "going unready", "going published"],
)
def test_conditions_are_ready_serving_and_terminating(
    state: dict[str, Any], publish: bool, conditions: tuple[bool, bool, bool]
) -> None:
    """Ready is serving and not terminating, unless not-ready addresses are published."""
    made = member_of(service(publishNotReadyAddresses=publish), pod(**state)).endpoint["conditions"]
    assert (made["ready"], made["serving"], made["terminating"]) == conditions


@pytest.mark.parametrize(
    ("containers", "inits", "found"),
    [
        ([{"name": "http", "containerPort": 8080}], [], [8080]),
        ([], [{"name": "http", "containerPort": 9090}], [9090]),
        ([{"name": "http", "containerPort": 8080, "protocol": "UDP"}], [], []),
        ([{"name": "other", "containerPort": 8080}], [], []),
    ],
    ids=["container", "sidecar", "other protocol", "other name"],
)
def test_named_ports_are_looked_up_in_containers_and_sidecars(
    containers: list[Object], inits: list[Object], found: list[int]
) -> None:
    """A pod that does not name the port offers none."""
    sidecar = {"name": "s", "restartPolicy": "Always", "ports": inits}
    plain = {"name": "i", "ports": [{"name": "http", "containerPort": 1}]}
    given = pod(containers=[{"name": "c", "ports": containers}], initContainers=[plain, sidecar])
    named = service(ports=[{"port": 80, "targetPort": "http"}])
    assert [port[2] for port in member_of(named, given).ports] == found


def members(number: int, prefix: str = "p") -> list[Member]:
    """Build endpoints."""
    return [member_of(service(), pod(f"{prefix}{at}")) for at in range(number)]


def present(*groups: list[Member]) -> list[Object]:
    """Build slices as the controller would have made them."""
    made: list[Object] = []
    for at, group in enumerate(groups):
        found = decide_endpoints(service(), group, [], None).create[0].object
        made.append({**found, "metadata": {**found["metadata"], "name": f"s{at}"}})
    return made


def test_new_endpoints_go_into_the_fullest_slice_that_takes_all_of_them() -> None:
    """One slice is written, though two with less room would take some each."""
    groups = [members(98, "a"), members(60, "b"), members(80, "c")]
    everyone = [*groups[0], *groups[1], *groups[2], *members(10, "new")]
    plan = decide_endpoints(service(), everyone, present(*groups), None)
    written = [item for item in plan.update if item.resource == SLICES]
    assert [(item.base["metadata"]["name"], len(item.new["endpoints"])) for item in written] == [
        ("s2", 90)
    ]
    assert [item.resource for item in plan.create] == ["endpoints"]


def test_endpoints_that_fit_nowhere_together_get_a_slice_of_their_own() -> None:
    """A new slice is preferred over several updates."""
    groups = [members(98, "a"), members(97, "b")]
    everyone = [*groups[0], *groups[1], *members(5, "new")]
    plan = decide_endpoints(service(), everyone, present(*groups), None)
    made = [len(item.object["endpoints"]) for item in plan.create if item.resource == SLICES]
    assert (made, [item for item in plan.update if item.resource == SLICES]) == ([5], [])


def test_slices_that_change_anyway_are_filled_first() -> None:
    """One that loses an endpoint takes the new ones; one that is emptied is used again."""
    groups = [members(50, "a"), members(50, "b")]
    everyone = [*groups[0], *groups[1][1:], *members(30, "new")]
    plan = decide_endpoints(service(), everyone, present(*groups), None)
    written = {
        item.base["metadata"]["name"]: len(item.new["endpoints"])
        for item in plan.update
        if item.resource == SLICES
    }
    assert written == {"s1": 79}
    plan = decide_endpoints(service(), members(100, "new"), present(members(9, "old")), None)
    (update,) = [item for item in plan.update if item.resource == SLICES]
    assert len(update.new["endpoints"]) == 100
    assert not plan.delete


@virtual
async def test_zones_come_from_nodes_and_times_from_what_changed(worlds: Any) -> None:
    """The trigger time is when the pods became ready, and goes when nothing was ready anew."""
    async with worlds.world(nodes=["n1", "n2"]) as world:
        for name, zone in (("n1", "a"), ("n2", "b")):
            labels = {"topology.kubernetes.io/zone": zone}
            node = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
            }
            await world.create("nodes", node, "")
        world.start(DeploymentController, ReplicaSetController, EndpointsController)
        made = service()
        del made["metadata"]["uid"]
        created = await world.create("services", made)
        await world.settle(3)
        (slice_,) = world.store.list(SLICES)
        assert slice_["metadata"]["annotations"] == {
            TRIGGER: created["metadata"]["creationTimestamp"]
        }
        await world.create("deployments.apps", worlds.deployment(replicas=4))
        await world.settle(5)
        (slice_,) = world.store.list(SLICES)
        zones = {e["nodeName"]: e["zone"] for e in slice_["endpoints"]}
        assert zones.items() <= {"n1": "a", "n2": "b"}.items()
        ready = parse_time(slice_["metadata"]["annotations"][TRIGGER])
        assert ready > parse_time(created["metadata"]["creationTimestamp"])
        await world.patch(
            "nodes",
            "n1",
            lambda node: {
                **node,
                "metadata": {**node["metadata"], "labels": {"topology.kubernetes.io/zone": "c"}},
            },
            "",
        )
        await world.settle(3)
        (slice_,) = world.store.list(SLICES)
        assert {e["zone"] for e in slice_["endpoints"] if e["nodeName"] == "n1"} <= {"c"}
        assert "annotations" not in slice_["metadata"]
