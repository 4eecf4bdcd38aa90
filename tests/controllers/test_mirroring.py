"""EndpointSlices that mirror Endpoints which somebody wrote.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.endpoints import EndpointsController
from orchestrator.controllers.mirroring import MirroringController, decide_mirror, is_mirrored

SLICES = "endpointslices.discovery.k8s.io"


def endpoints(*subsets: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Build Endpoints."""
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "db", "namespace": "default", "uid": "u", **metadata},
        "subsets": list(subsets),
    }


def subset(ips: str, port: int = 80, field: str = "addresses", **more: Any) -> dict[str, Any]:
    """Build a subset with one port."""
    addresses = [{"ip": ip, **more} for ip in ips.split()]
    return {field: addresses, "ports": [{"name": f"p{port}", "port": port, "protocol": "TCP"}]}


def shown(made: dict[str, Any]) -> tuple[Any, ...]:
    """Return what of a slice says where to go."""
    ready = {
        endpoint["addresses"][0]: endpoint["conditions"]["ready"] for endpoint in made["endpoints"]
    }
    return made["addressType"], [port["port"] for port in made["ports"]], ready


@pytest.mark.parametrize(
    ("subsets", "slices"),
    [
        ([], []),
        ([subset("1.1.1.1 1.1.1.2")], [("IPv4", [80], {"1.1.1.1": True, "1.1.1.2": True})]),
        (
            [subset("1.1.1.1"), subset("1.1.1.2", field="notReadyAddresses")],
            [("IPv4", [80], {"1.1.1.1": True, "1.1.1.2": False})],
        ),
        (
            [subset("1.1.1.1"), subset("1.1.1.2", 81)],
            [("IPv4", [80], {"1.1.1.1": True}), ("IPv4", [81], {"1.1.1.2": True})],
        ),
        (
            [subset("1.1.1.1"), subset("1.1.1.1", 81)],
            [("IPv4", [80, 81], {"1.1.1.1": True})],
        ),
        (
            [subset("1.1.1.1 fd00::1")],
            [("IPv4", [80], {"1.1.1.1": True}), ("IPv6", [80], {"fd00::1": True})],
        ),
    ],
    ids=["none", "one", "not ready", "ports", "one address, two ports", "both families"],
)
def test_each_set_of_ports_and_each_family_gets_a_slice(
    subsets: list[dict[str, Any]], slices: list[Any]
) -> None:
    """Each distinct subset of an Endpoints object is one slice, and so is each IP family of it."""
    plan = decide_mirror(endpoints(*subsets), [])
    assert [shown(item.object) for item in plan.create] == slices
    assert not plan.events


def test_a_slice_takes_labels_annotations_and_details_over() -> None:
    """But for what is about the Endpoints object itself."""
    given = endpoints(
        subset("1.1.1.1", nodeName="n1", hostname="h", targetRef={"kind": "Pod", "name": "p"}),
        labels={"tier": "x", "endpointslice.kubernetes.io/managed-by": "me"},
        annotations={
            "note": "y",
            "endpoints.kubernetes.io/last-change-trigger-time": "t",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
        },
    )
    (item,) = decide_mirror(given, []).create
    metadata = item.object["metadata"]
    assert metadata["labels"] == {
        "tier": "x",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert (metadata["annotations"], metadata["generateName"]) == ({"note": "y"}, "db-")
    assert metadata["ownerReferences"][0]["kind"] == "Endpoints"
    assert item.object["endpoints"] == [
        {
            "addresses": ["1.1.1.1"],
            "conditions": {"ready": True},
            "targetRef": {"kind": "Pod", "name": "p"},
            "nodeName": "n1",
            "hostname": "h",
        }
    ]


def test_what_cannot_be_mirrored_is_told() -> None:
    """Invalid addresses, and those beyond a thousand of one subset."""
    plan = decide_mirror(endpoints(subset("1.1.1.1 nonsense")), [])
    assert [(event.reason, event.message) for event in plan.events] == [
        (
            "InvalidIPAddress",
            "Skipped 1 invalid IP addresses when mirroring to EndpointSlices",
        )
    ]
    many = " ".join(f"10.0.{at // 250}.{at % 250}" for at in range(1003))
    plan = decide_mirror(endpoints(subset(many)), [])
    (event,) = plan.events
    assert event.reason == "TooManyAddressesToMirror"
    assert event.message.endswith("per Endpoints subset. 3 addresses were skipped")
    assert len(plan.create[0].object["endpoints"]) == 1000


@pytest.mark.parametrize(
    ("metadata", "spec", "mirrored"),
    [
        ({}, {}, True),
        ({}, {"selector": {"a": "b"}}, False),
        ({}, None, False),
        ({"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}, {}, False),
        ({"labels": {"endpointslice.kubernetes.io/skip-mirror": "no"}}, {}, True),
        ({"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}, {}, False),
    ],
    ids=["plain", "selector", "no Service", "skipped", "not skipped", "leader"],
)
def test_not_all_endpoints_are_mirrored(
    metadata: dict[str, Any], spec: dict[str, Any] | None, mirrored: bool
) -> None:
    """The four exceptions of the documentation."""
    service = None if spec is None else {"spec": spec}
    assert is_mirrored(endpoints(**metadata), service) is mirrored


@virtual
async def test_slices_follow_endpoints_and_the_services_selector(worlds: Any) -> None:
    """Written, changed and deleted Endpoints show; a selector hands the Service over."""
    async with worlds.world() as world:
        world.start(MirroringController, EndpointsController, kubelet=False)
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {"ports": [{"port": 80}]},
        }
        await world.create("services", service)
        given = endpoints(subset("10.0.0.1"))
        del given["metadata"]["uid"]
        await world.create("endpoints", given)
        await world.settle()
        (slice_,) = world.store.list(SLICES)
        assert shown(slice_) == ("IPv4", [80], {"10.0.0.1": True})

        await world.patch("endpoints", "db", lambda old: {**old, "subsets": [subset("10.0.0.2")]})
        await world.settle()
        (after,) = world.store.list(SLICES)
        assert after["metadata"]["uid"] == slice_["metadata"]["uid"]
        assert shown(after) == ("IPv4", [80], {"10.0.0.2": True})
        await world.store.delete(SLICES, "default", after["metadata"]["name"])
        await world.settle()
        assert len(world.store.list(SLICES)) == 1
        quiet = world.store.sequence
        await world.settle(60)
        assert world.store.sequence == quiet

        await world.store.delete("endpoints", "default", "db")
        await world.settle()
        assert world.store.list(SLICES) == []
        await world.create("endpoints", given)
        await world.settle()
        assert len(world.store.list(SLICES)) == 1
        await world.spec("services", "db", selector={"app": "db"})
        await world.settle()
        managers = {
            found["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
            for found in world.store.list(SLICES)
        }
        assert managers == {"endpointslice-controller.k8s.io"}
