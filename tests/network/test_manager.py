"""The manager keeps listeners in step with the objects in the store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.network import ServiceManager
from orchestrator.network.manager import SERVICES, SLICES
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object, name_of
from orchestrator.store import Store

RANGE = "127.216.0.0/24"
FRONT = "127.216.0.9"
BACK = "127.217.0.1"
DEADLINE = 5.0


@dataclass
class Recorded:
    """Keeps Events instead of storing them."""

    events: list[tuple[str, str, str, str]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 - the API's word
        """Keep one Event."""
        self.events.append((name_of(involved), type, reason, message))
        self.news.set()


@asynccontextmanager
async def managed() -> AsyncIterator[tuple[Store, Recorded]]:
    """Run a manager on a store of its own."""
    recorder = Recorded()
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"), service_cidr=RANGE)
        system.spawn(lambda: ServiceManager(store, recorder), "network")
        yield store, recorder


@asynccontextmanager
async def greeter(text: str, address: str = BACK) -> AsyncIterator[int]:
    """Serve a greeting on a free port."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        writer.close()

    server = await asyncio.start_server(serve, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def free_port(address: str) -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Return whether nobody listens there on 127.0.0.1; other clusters of the machine may."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def service(port: int, **spec: Any) -> Object:
    """Return a Service at `FRONT`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"clusterIP": FRONT, "ports": [{"port": port}], **spec},
    }


def endpoints(port: int, *, ready: bool = True) -> Object:
    """Return the Service's EndpointSlice."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [BACK], "conditions": {"ready": ready}}],
    }


async def greeting(port: int, address: str = FRONT) -> str:
    """Return what a new connection reads; ``""`` when it is refused or reset."""
    try:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            return (await reader.read()).decode()
        finally:
            writer.close()
    except ConnectionError:
        return ""


async def wait_for_greeting(expected: str, port: int, address: str = FRONT) -> None:
    """Connect until the answer is as expected."""
    async with asyncio.timeout(DEADLINE):
        while await greeting(port, address) != expected:
            await asyncio.sleep(0)


async def test_a_service_listens_once_it_has_endpoints_and_stops_when_deleted() -> None:
    """From the objects alone: created in any order, changed, deleted."""
    front = free_port(FRONT)
    async with managed() as (store, _), greeter("one") as one, greeter("two") as two:
        await store.create(service(front), resource=SERVICES, namespace="default")
        assert await greeting(front) == ""
        await store.create(endpoints(one), resource=SLICES, namespace="default")
        await wait_for_greeting("one", front)
        await store.update(endpoints(two), resource=SLICES, namespace="default", name="web-1")
        await wait_for_greeting("two", front)
        unready = endpoints(two, ready=False)
        await store.update(unready, resource=SLICES, namespace="default", name="web-1")
        await wait_for_greeting("", front)
        await store.update(endpoints(one), resource=SLICES, namespace="default", name="web-1")
        await wait_for_greeting("one", front)
        await store.delete(SERVICES, "default", "web")
        await wait_for_greeting("", front)


async def test_a_node_port_is_served_on_the_nodes_address() -> None:
    """A NodePort Service answers there and at its cluster address."""
    front = free_port(FRONT)
    async with managed() as (store, _), greeter("hello") as back:
        await store.create(endpoints(back), resource=SLICES, namespace="default")
        node_port = next(port for port in range(32767, 30000, -1) if is_free(port))
        public = service(front, type="NodePort")
        public["spec"]["ports"][0]["nodePort"] = node_port
        await store.create(public, resource=SERVICES, namespace="default")
        await wait_for_greeting("hello", front)
        await wait_for_greeting("hello", node_port, "127.0.0.1")


async def test_a_taken_port_becomes_an_event_and_other_ports_go_on() -> None:
    """The Event names address and port and says what to do."""
    front = free_port(FRONT)
    with socket.socket() as taken:
        taken.bind((FRONT, 0))
        taken.listen()
        blocked = int(taken.getsockname()[1])
        async with managed() as (store, recorder), greeter("hello") as back:
            slice_ = endpoints(back)
            slice_["ports"] = [
                {"name": name, "port": back, "protocol": "TCP"} for name in ("a", "b")
            ]
            await store.create(slice_, resource=SLICES, namespace="default")
            ports = [{"name": "a", "port": blocked}, {"name": "b", "port": front}]
            await store.create(service(front, ports=ports), resource=SERVICES, namespace="default")
            await wait_for_greeting("hello", front)
            async with asyncio.timeout(DEADLINE):
                await recorder.news.wait()
    [(name, type_, reason, message)] = recorder.events
    assert (name, type_, reason) == ("web", "Warning", "FailedToListen")
    assert f"{FRONT}:{blocked}" in message
    assert "another program may use the port" in message
