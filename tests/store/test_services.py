"""Addresses and node ports of services."""

from __future__ import annotations

import random
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
