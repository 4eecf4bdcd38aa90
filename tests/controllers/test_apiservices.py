"""APIServices: whether what stands behind them is there."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.controllers.apiservices import AvailabilityController
from orchestrator.controllers.apiservices.core import LOCAL, Availability, decide_by_objects
from orchestrator.egress import Answer, Call, CallError, Egress
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import Store

MISSING = 'endpointslices for service/s in "default" have no addresses with port name "https"'
API_SERVICES = "apiservices.apiregistration.k8s.io"


def api_service(**spec: Any) -> Object:
    """An APIService of a Service."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.example.com"},
        "spec": {
            "group": "example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 10,
            "insecureSkipTLSVerify": True,
            "service": {"name": "s", "namespace": "default", "port": 443},
            **spec,
        },
    }


def service(port: int = 443, **spec: Any) -> Object:
    """The Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"ports": [{"name": "https", "port": port, "protocol": "TCP"}], **spec},
    }


def endpoints(*addresses: str) -> Object:
    """Its EndpointSlice."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "s-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "s"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses],
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("found", "slices", "expected"),
    [
        (
            None,
            [],
            ("False", "ServiceNotFound", 'service/s in "default" is not present'),
        ),
        (
            service(80),
            [],
            ("False", "ServicePortError", 'service/s in "default" is not listening on port 443'),
        ),
        (
            service(),
            [],
            (
                "False",
                "EndpointsNotFound",
                'cannot find endpointslices for service/s in "default"',
            ),
        ),
        (
            service(),
            [endpoints()],
            (
                "False",
                "MissingEndpoints",
                MISSING,
            ),
        ),
        (service(), [endpoints("10.0.0.1")], None),
        (service(type="ExternalName", ports=[]), [], None),
    ],
    ids=["no service", "port", "no slices", "no endpoints", "ask", "external"],
)
def test_what_the_objects_tell(
    found: Object | None, slices: list[Object], expected: tuple[str, str, str] | None
) -> None:
    """Upstream's reasons and words; None means that the server has to be asked."""
    decided = decide_by_objects(api_service(), found, slices)
    assert decided == (Availability(*expected) if expected else None)


def test_one_without_a_service_is_this_servers_own() -> None:
    """And always available."""
    assert decide_by_objects(api_service(service=None), None, []) == LOCAL


class Answers(Egress):
    """Answers with a code, or not at all."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.code: int | None = 200
        self.calls: list[Call] = []

    async def request(self, call: Call) -> Answer:
        self.calls.append(call)
        await asyncio.sleep(0.1)
        if self.code is None:
            raise CallError(f'Get "{call.url}": nobody there')
        return Answer(self.code, {}, b"{}")


def available(store: Store) -> tuple[str, str]:
    """Return status and reason of the condition."""
    obj = store.get(API_SERVICES, "", "v1.example.com")
    assert obj is not None
    condition = find_condition(obj, "Available") or {}
    return condition.get("status", ""), condition.get("reason", "")


class Silent:
    """Records nothing."""

    def event(self, *_: object, **__: object) -> None:
        """Record nothing."""


@virtual
async def test_the_condition_follows_the_server() -> None:
    """Asked at once, again every 30 s, and again when the Service changes."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        egress = Answers()
        system.spawn(lambda: AvailabilityController(store, Silent(), egress), "availability")
        await store.create(api_service(), resource=API_SERVICES)
        await asyncio.sleep(1)
        assert available(store) == ("False", "ServiceNotFound")
        await store.create(service(), resource="services", namespace="default")
        await store.create(
            endpoints("10.0.0.1"),
            resource="endpointslices.discovery.k8s.io",
            namespace="default",
        )
        await asyncio.sleep(1)
        assert available(store) == ("True", "Passed")
        asked = len(egress.calls)
        egress.code = None
        await asyncio.sleep(31)
        assert available(store) == ("False", "FailedDiscoveryCheck")
        egress.code = 403
        await asyncio.sleep(31)
        assert available(store) == ("True", "Passed")
        assert len(egress.calls) == asked + 2
        assert egress.calls[-1].url == "https://s.default.svc:443/apis/example.com/v1"
        assert egress.calls[-1].upstream is not None
        assert egress.calls[-1].upstream[:2] == ("10.0.0.1", 8443)
