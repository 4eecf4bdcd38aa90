"""Addresses and node ports of services."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key
from orchestrator.store import Store
from orchestrator.store.allocation import ServiceAllocator


async def create(store: Store, obj: Any) -> Any:
    """Create a service."""
    return await store.create(obj, resource="services", namespace="default")


@virtual
async def test_a_service_gets_an_address_of_its_own(kit: Any) -> None:
    """And the fields that come with it; the band for chosen addresses stays free."""
    async with kit.opened() as store:
        first = await create(store, kit.service("a"))
        second = await create(store, kit.service("b"))
        assert first["spec"]["clusterIP"] == "127.96.1.0"
        assert second["spec"]["clusterIP"] == "127.96.1.1"
        assert first["spec"]["clusterIPs"] == ["127.96.1.0"]
        assert first["spec"]["ipFamilies"] == ["IPv4"]
        assert first["spec"]["ipFamilyPolicy"] == "SingleStack"


@virtual
async def test_headless_and_external_services_get_none(kit: Any) -> None:
    """``None`` is kept as it is."""
    async with kit.opened() as store:
        headless = await create(store, kit.service("a", clusterIP="None"))
        assert headless["spec"]["clusterIPs"] == ["None"]
        external = await create(
            store, kit.service("b", type="ExternalName", externalName="example.com", ports=None)
        )
        assert "clusterIP" not in external["spec"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.96.0.10", "provided IP is already allocated"),
        ("127.96.0.1", "provided IP is already allocated"),
        (
            "10.0.0.1",
            (
                "the provided IP (10.0.0.1) is not in the valid range. "
                "The range of valid IPs is 127.96.0.0/16"
            ),
        ),
    ],
)
def test_a_chosen_address_has_to_be_free_and_in_range(kit: Any, address: str, why: str) -> None:
    """422 in upstream's words."""

    @virtual
    async def run() -> None:
        async with kit.opened() as store:
            await create(store, kit.service("a", clusterIP="127.96.0.10"))
            with pytest.raises(StatusError) as refused:
                await create(store, kit.service("b", clusterIP=address))
            assert refused.value.code == 422
            assert refused.value.message == (
                f'Service "b" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: '
                f"failed to allocate IP {address}: {why}"
            )
            assert store.get("services", "default", "b") is None

    run()


@virtual
async def test_node_ports_are_given_checked_and_taken_back(kit: Any) -> None:
    """A port that is taken is refused until its service is gone."""
    async with kit.opened() as store:
        first = await create(store, kit.service("a", type="NodePort"))
        number = first["spec"]["ports"][0]["nodePort"]
        assert 30000 <= number <= 32767
        wanted = kit.service("b", type="NodePort", ports=[{"port": 80, "nodePort": number}])
        with pytest.raises(StatusError) as refused:
            await create(store, wanted)
        assert refused.value.message == (
            f'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: {number}: '
            "provided port is already allocated"
        )
        low = kit.service("b", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
        with pytest.raises(StatusError, match="The range of valid ports is 30000-32767"):
            await create(store, low)
        await store.delete("services", "default", "a")
        assert (await create(store, wanted))["spec"]["ports"][0]["nodePort"] == number


def test_node_ports_of_two_clusters_begin_apart() -> None:
    """They share 127.0.0.1; ports given out from the range's start would always collide."""

    def first_port(seed: int) -> int:
        allocator = ServiceAllocator(list, random.Random(seed))
        service = {
            "metadata": {"name": "a"},
            "spec": {"type": "NodePort", "ports": [{"port": 80}]},
        }
        made = allocator.allocate(Key("services", "default", "a"), service)
        return int(made["spec"]["ports"][0]["nodePort"])

    assert len({first_port(seed) for seed in range(10)}) == 10


@virtual
async def test_a_service_that_becomes_a_node_port_gets_ports(kit: Any) -> None:
    """And keeps its address."""
    async with kit.opened() as store:
        made = await create(store, kit.service("a"))
        after = await store.modify(
            "services",
            "default",
            "a",
            lambda obj: {**obj, "spec": {**obj["spec"], "type": "NodePort"}},
        )
        assert after["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        assert 30000 <= after["spec"]["ports"][0]["nodePort"] <= 32767


def retyped(type_: str, **more: Any) -> Callable[[Any], Any]:
    """Change a Service's type and nothing else, as ``kubectl patch`` does."""
    return lambda obj: {**obj, "spec": {**obj["spec"], "type": type_, **more}}


@virtual
async def test_a_change_of_type_drops_what_the_new_type_has_no_use_for(kit: Any) -> None:
    """A NodePort becomes a ClusterIP, an ExternalName and a ClusterIP again; all is given back."""
    async with kit.opened() as store:
        at = ("services", "default", "a")
        made = await create(store, kit.service("a", type="NodePort"))
        number = made["spec"]["ports"][0]["nodePort"]
        inner = await store.modify(*at, retyped("ClusterIP"))
        assert "nodePort" not in inner["spec"]["ports"][0]
        assert "externalTrafficPolicy" not in inner["spec"]
        assert inner["spec"]["clusterIP"] == made["spec"]["clusterIP"]
        outer = await store.modify(*at, retyped("ExternalName", externalName="example.com"))
        assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(outer["spec"])
        other = kit.service("b", type="NodePort", ports=[{"port": 80, "nodePort": number}])
        other["spec"]["clusterIP"] = made["spec"]["clusterIP"]
        await create(store, other)
        again = await store.modify(*at, retyped("ClusterIP"))
        assert again["spec"]["clusterIP"] not in {None, made["spec"]["clusterIP"]}
        assert again["spec"]["ipFamilies"] == ["IPv4"]


@virtual
async def test_what_is_changed_along_with_the_type_is_refused_not_dropped(kit: Any) -> None:
    """The user asked for a node port that a ClusterIP cannot have."""
    async with kit.opened() as store:
        await create(store, kit.service("a", type="NodePort"))
        change = retyped("ClusterIP", ports=[{"port": 80, "nodePort": 31999}])
        with pytest.raises(StatusError, match="may not be used when `type` is 'ClusterIP'"):
            await store.modify("services", "default", "a", change)


@virtual
async def test_a_port_keeps_its_node_port_when_its_number_changes(kit: Any) -> None:
    """Ports are known by their names."""
    async with kit.opened() as store:
        ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
        made = await create(store, kit.service("a", type="NodePort", ports=ports))
        held = [port["nodePort"] for port in made["spec"]["ports"]]
        ports = [{"name": "b", "port": 82}, {"name": "a", "port": 80}]
        after = await store.modify("services", "default", "a", retyped("NodePort", ports=ports))
        assert [port["nodePort"] for port in after["spec"]["ports"]] == held[::-1]


@virtual
async def test_allocations_are_rebuilt_on_restart(kit: Any) -> None:
    """What was given out before is not given out again."""
    log = MemoryLog()
    async with kit.opened(log) as store:
        first = await create(store, kit.service("a", type="NodePort"))
    async with kit.opened(log) as store:
        second = await create(store, kit.service("b", type="NodePort"))
        assert second["spec"]["clusterIP"] != first["spec"]["clusterIP"]
        assert second["spec"]["ports"][0]["nodePort"] != first["spec"]["ports"][0]["nodePort"]


@virtual
async def test_the_first_address_is_the_api_servers(kit: Any) -> None:
    """``default/kubernetes`` gets it without asking."""
    async with kit.opened(service_cidr="127.97.0.0/24") as store:
        made = await create(store, kit.service("kubernetes"))
        assert made["spec"]["clusterIP"] == "127.97.0.1"


@virtual
async def test_a_full_range_is_an_error_and_a_freed_address_is_used_again(kit: Any) -> None:
    """Nothing is lost at the edges of a small range."""
    async with kit.opened(service_cidr="127.97.0.0/29") as store:
        for n in range(5):
            await create(store, kit.service(f"s{n}"))
        with pytest.raises(StatusError, match="failed to allocate a serviceIP: range is full"):
            await create(store, kit.service("more"))
        await store.delete("services", "default", "s2")
        await create(store, kit.service("more"))
