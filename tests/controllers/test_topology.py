"""Topology aware routing: each zone gets as many endpoints as it has processors.

https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.endpoints import EndpointsController, Member, member_of
from orchestrator.controllers.endpoints.members import is_automatic
from orchestrator.controllers.endpoints.topology import route, zone_shares
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time

MODE = "service.kubernetes.io/topology-mode"
ZONE = "topology.kubernetes.io/zone"
NO_NODES = (
    "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
)


def node(
    name: str, zone: str, cpu: str = "4", *, ready: bool = True, **labels: str
) -> dict[str, Any]:
    """Build a node."""
    moment = format_time(0)
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": moment}
    labels = {label.replace("_", "-"): value for label, value in labels.items()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**labels, **({ZONE: zone} if zone else {})}},
        "status": {"allocatable": {"cpu": cpu} if cpu else {}, "conditions": [condition]},
    }


@pytest.mark.parametrize(
    ("nodes", "shares"),
    [
        ([node("1", "a"), node("2", "b")], {"a": 0.5, "b": 0.5}),
        ([node("1", "a", "6"), node("2", "b", "1500m"), node("3", "b", "500m")], (0.75, 0.25)),
        ([node("1", "a"), node("2", "b"), node("3", "c", ready=False)], (0.5, 0.5)),
        ([node("1", "a"), node("2", "a")], {}),
        ([node("1", "a"), node("2", "b"), node("3", "")], {}),
        ([node("1", "a"), node("2", "b"), node("3", "c", "")], {}),
        ([], {}),
    ],
    ids=["even", "by cpu", "unready", "one zone", "no zone", "no cpu", "no node"],
)
def test_shares_are_those_of_the_allocatable_processors(nodes: list[Any], shares: Any) -> None:
    """One ready node that does not say enough makes them unknown."""
    found = zone_shares(nodes)
    assert (tuple(found.values()) if isinstance(shares, tuple) else found) == shares


def test_nodes_of_the_control_plane_do_not_count() -> None:
    """They don't usually take workloads."""
    away = node("3", "c", "64")
    away["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    assert zone_shares([node("1", "a"), node("2", "b"), away]) == {"a": 0.5, "b": 0.5}


def members(zones: str, *, ready: bool = True) -> list[Member]:
    """Build endpoints, one for each letter: its zone, ``-`` for none."""
    found = []
    for at, zone in enumerate(zones):
        pod = {
            "metadata": {"name": f"p{at:02}", "namespace": "default", "uid": f"u{at}"},
            "spec": {"nodeName": "n"},
            "status": {
                "podIP": "10.0.0.1",
                "conditions": [{"type": "Ready", "status": str(ready)}],
            },
        }
        service = {"metadata": {"name": "s"}, "spec": {}}
        found.append(member_of(service, pod, "" if zone == "-" else zone))
    return found


def served(found: Any) -> str:
    """Return the zone that each endpoint serves, as `members` writes them."""
    zones = [member.endpoint.get("hints", {}).get("forZones") for member in found.members]
    return "".join(zone[0]["name"] if zone else "-" for zone in zones)


@pytest.mark.parametrize(
    ("zones", "shares", "before", "hints"),
    [
        ("aabb", {"a": 0.5, "b": 0.5}, "", "aabb"),
        ("aaaabbb", {"a": 0.5, "b": 0.5}, "", "aaaabbb"),
        ("aaaaaabb", {"a": 0.5, "b": 0.5}, "", "aaaabbbb"),
        ("aaaaaabb", {"a": 0.5, "b": 0.5}, "bb", "bbaaaabb"),
        ("aaaa", {"a": 0.5, "b": 0.5}, "", "aabb"),
    ],
    ids=["even", "within the threshold", "moved", "moved as before", "none there"],
)
def test_a_zone_with_too_few_endpoints_gets_some_of_others(
    zones: str, shares: dict[str, float], before: str, hints: str
) -> None:
    """No endpoint gets more than a fifth over its share, and as few as can be serve elsewhere."""
    earlier = {f"p{at:02}": zone for at, zone in enumerate(before)}
    found = route(members(zones), shares, earlier)
    assert not found.problem
    assert served(found) == hints


def test_endpoints_of_a_zone_without_nodes_serve_the_others() -> None:
    """Such a zone has no share, so it gives where endpoints are short."""
    found = route(members("ccccaabb"), {"a": 0.5, "b": 0.5}, {})
    assert min(served(found).count(zone) for zone in "ab") >= 8 * 0.5 / 1.2


@pytest.mark.parametrize(
    ("found", "shares", "problem"),
    [
        (members("ab"), {}, NO_NODES),
        (
            members("a"),
            {"a": 0.5, "b": 0.5},
            "Insufficient number of endpoints (1 endpoints, 2 zones)",
        ),
        (
            members("ab", ready=False),
            {"a": 0.5, "b": 0.5},
            "Insufficient number of endpoints (0 endpoints, 2 zones)",
        ),
        (
            members("aabb"),
            {"a": 0.64, "b": 0.36},
            (
                "Unable to allocate minimum required endpoints to each zone without exceeding "
                "overload threshold (4 endpoints, 2 zones)"
            ),
        ),
        (
            members("ab-a"),
            {"a": 0.5, "b": 0.5},
            "One or more endpoints do not have a zone specified",
        ),
    ],
    ids=["nodes", "too few", "none ready", "overload", "no zone"],
)
def test_without_safeguards_there_are_no_hints(
    found: list[Member], shares: dict[str, float], problem: str
) -> None:
    """The four safeguards of the documentation, in upstream's words."""
    result = route(found, shares, {})
    assert result.problem == problem
    assert set(served(result)) == {"-"}


@pytest.mark.parametrize(
    ("annotations", "automatic"),
    [
        ({}, False),
        ({MODE: "Auto"}, True),
        ({MODE: "auto"}, True),
        ({MODE: "Disabled"}, False),
        ({"service.kubernetes.io/topology-aware-hints": "auto"}, True),
    ],
)
def test_an_annotation_asks_for_it(annotations: dict[str, str], automatic: bool) -> None:
    """The former annotation goes on to work."""
    assert is_automatic({"metadata": {"annotations": annotations}}) is automatic


@virtual
async def test_hints_come_and_go_with_the_annotation_and_the_nodes(worlds: Any) -> None:
    """Events say so once."""
    async with worlds.world(nodes=["n1", "n2"]) as world:
        world.start(ReplicaSetController, EndpointsController)
        for name, zone in (("n1", "a"), ("n2", "b")):
            made = node(name, zone)
            await world.create("nodes", made, "")
            await world.store.modify(
                "nodes",
                "",
                name,
                lambda old, status=made["status"]: {**old, "status": status},
                subresource="status",
                admit=False,
            )
        rs = worlds.deployment(replicas=6)
        await world.create("replicasets.apps", {**rs, "kind": "ReplicaSet"})
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "default", "annotations": {MODE: "Auto"}},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }
        await world.settle(3)
        await world.create("services", service)
        await world.settle(3)

        def hints() -> list[str]:
            (found,) = world.store.list("endpointslices.discovery.k8s.io")
            every = [endpoint.get("hints") for endpoint in found["endpoints"]]
            return sorted(hint["forZones"][0]["name"] for hint in every if hint)

        assert set(hints()) == {"a", "b"}
        assert len(hints()) == 6
        enabled = "Topology Aware Hints has been enabled, addressType: IPv4"
        assert world.recorded.messages("TopologyAwareHintsEnabled") == [enabled]

        def relabel(old: Object) -> Object:
            return {**old, "metadata": {**old["metadata"], "labels": {}}}

        await world.patch("nodes", "n2", relabel, "")
        await world.settle(3)
        assert hints() == []
        (told,) = world.recorded.messages("TopologyAwareHintsDisabled")
        assert told == f"{NO_NODES}, addressType: IPv4"

        await world.patch(
            "nodes",
            "n2",
            lambda old: {**old, "metadata": {**old["metadata"], "labels": {ZONE: "b"}}},
            "",
        )
        await world.settle(3)
        assert len(hints()) == 6

        def ask_no_more(old: Object) -> Object:
            rest = {key: value for key, value in old["metadata"].items() if key != "annotations"}
            return {**old, "metadata": rest}

        await world.patch("services", "web", ask_no_more)
        await world.settle(3)
        assert hints() == []
        assert world.recorded.messages("TopologyAwareHintsDisabled")[1:] == [
            "Topology Aware Hints has been disabled, addressType: IPv4"
        ]
        quiet = world.store.sequence
        await world.settle(60)
        assert world.store.sequence == quiet
