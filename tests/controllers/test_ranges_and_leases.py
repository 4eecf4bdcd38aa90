"""ServiceCIDRs are kept while their addresses are in use; Leases of gone API servers are not.

https://kubernetes.io/docs/tasks/network/extend-service-ip-ranges/
https://kubernetes.io/docs/concepts/architecture/leases/#api-server-identity
"""

from __future__ import annotations

from typing import Any

import pytest

from actors.testing import virtual
from orchestrator.controllers.system.leases import LEASES, LeaseCollector, decide_lease
from orchestrator.controllers.system.ranges import FINALIZER, ServiceRanges
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.timestamps import format_micro

NOW = 1_800_000_000.0
RANGES = "servicecidrs.networking.k8s.io"
ADDRESSES = "ipaddresses.networking.k8s.io"
API = "networking.k8s.io/v1"


def address_range(name: str, *cidrs: str) -> dict[str, Any]:
    """Build a ServiceCIDR."""
    return {
        "apiVersion": API,
        "kind": "ServiceCIDR",
        "metadata": {"name": name},
        "spec": {"cidrs": list(cidrs)},
    }


def address(text: str) -> dict[str, Any]:
    """Build an IPAddress."""
    parent = {"resource": "services", "namespace": "default", "name": "web"}
    return {
        "apiVersion": API,
        "kind": "IPAddress",
        "metadata": {"name": text},
        "spec": {"parentRef": parent},
    }


@virtual
async def test_a_range_with_addresses_is_not_removed(worlds: Any) -> None:
    """The ServiceCIDR is protected by a finalizer to avoid leaving Service IPs orphan."""
    async with worlds.world() as world:
        store = world.store
        world.system.spawn(
            lambda: ServiceRanges(store, world.recorded, "10.96.0.0/16"), "service-ranges"
        )
        await store.create(address_range("a", "10.96.1.0/24"), resource=RANGES, namespace="")
        await store.create(address_range("far", "10.1.0.0/16"), resource=RANGES, namespace="")
        await store.create(address("10.96.1.7"), resource=ADDRESSES, namespace="")
        await world.settle()
        found = world.get(RANGES, "a", "")
        assert found["metadata"]["finalizers"] == [FINALIZER]
        condition = find_condition(found, "Ready")
        assert condition is not None
        assert condition["message"] == "Kubernetes Service CIDR is ready"
        outside = find_condition(world.get(RANGES, "far", ""), "Ready")
        assert outside is not None
        assert (outside["status"], outside["reason"]) == ("False", "OutsideServiceRange")
        await store.delete(RANGES, "", "a")
        await world.settle(100)
        condition = find_condition(world.get(RANGES, "a", ""), "Ready")
        assert condition is not None
        assert (condition["status"], condition["reason"], condition["message"]) == (
            "False",
            "Terminating",
            (
                "There are still IPAddresses referencing the ServiceCIDR, "
                "please remove them or create a new ServiceCIDR"
            ),
        )
        await store.create(address_range("b", "10.96.0.0/20"), resource=RANGES, namespace="")
        await world.settle()
        assert store.get(RANGES, "", "a") is None, "another range holds the address"
        await store.delete(RANGES, "", "b")
        await store.delete(ADDRESSES, "", "10.96.1.7")
        await world.settle(5)
        assert store.get(RANGES, "", "b") is not None, "ten seconds of grace"
        await world.settle(10)
        assert store.get(RANGES, "", "b") is None


def lease(renewed: float | None, seconds: int | None, label: str = "kube-apiserver") -> Any:
    """Build an API server's Lease."""
    spec: dict[str, Any] = {"holderIdentity": "apiserver-1"}
    if renewed is not None:
        spec["renewTime"] = format_micro(renewed)
    if seconds is not None:
        spec["leaseDurationSeconds"] = seconds
    metadata = {"name": "apiserver-1", "labels": {"apiserver.kubernetes.io/identity": label}}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {**metadata, "namespace": "kube-system"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("found", "removed", "left"),
    [
        (lease(NOW - 3599, 3600), False, 1),
        (lease(NOW - 3600, 3600), True, None),
        (lease(None, 3600), True, None),
        (lease(NOW, None), True, None),
        (lease(NOW - 9999, 3600, "aggregated"), False, None),
    ],
)
def test_expired_leases_of_api_servers_go(found: Any, removed: bool, left: float | None) -> None:
    """They are kept while they are renewed; others' are not looked at."""
    plan = decide_lease(found, NOW)
    assert (len(plan.delete), plan.requeue_after) == (int(removed), left)


@virtual
async def test_leases_are_removed_in_time(worlds: Any) -> None:
    """Expired leases from kube-apiservers that no longer exist are garbage collected."""
    async with worlds.world() as world:
        world.start(LeaseCollector, kubelet=False)
        now = world.system.clock.now()
        await world.create(LEASES, lease(now, 3600), "kube-system")
        await world.settle(3500)
        assert world.store.list(LEASES)
        await world.settle(101)
        assert world.store.list(LEASES) == []
