"""Services relay real connections on loopback addresses."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from actors import ActorRef, ActorSystem
from orchestrator.network.balancing import Balancer
from orchestrator.network.plans import Listener, ServicePlan, plan_service
from orchestrator.network.service import (
    Command,
    Configure,
    GetStatistics,
    Retire,
    ServiceActor,
    ServiceStatistics,
)
from orchestrator.resources.objects import Object
from orchestrator.resources.service_endpoints import Endpoint

FRONT = "127.213.0.1"
BACKS = ("127.214.0.1", "127.214.0.2", "127.214.0.3")


def free_port(address: str = FRONT) -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def echo_server(address: str, port: int) -> AsyncIterator[asyncio.Server]:
    """Answer each line with the server's address and the line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(f"{address} ".encode() + line)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, address, port)
    try:
        yield server
    finally:
        server.close()


class Client:
    """One open connection through the Service."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection(FRONT, port))

    async def ask(self, text: str) -> str:
        self.writer.write(f"{text}\n".encode())
        async with asyncio.timeout(5):
            return (await self.reader.readline()).decode().strip()

    def close(self) -> None:
        self.writer.close()


def plan(front: int, back: int, *backs: str, affinity: int = 0) -> ServicePlan:
    """Return a plan with one listener and the given endpoints."""
    endpoints = tuple(Endpoint(address, back) for address in backs)
    return ServicePlan((Listener(FRONT, front, ""),), {"": endpoints}, affinity)


@asynccontextmanager
async def service(
    first: ServicePlan, failures: list[str] | None = None
) -> AsyncIterator[ActorRef[Command]]:
    """Run one service actor that has applied ``first``."""

    def report(listener: Listener, error: OSError) -> None:
        if failures is not None:
            failures.append(f"{listener.address}:{listener.port} {error.strerror}")

    async with ActorSystem(seed=1) as system:
        ref = system.spawn(lambda: ServiceActor(report, lambda: first), "svc")
        await ref.ask(GetStatistics())
        yield ref


async def answers(port: int, count: int) -> list[str]:
    """Return which endpoint answered each of ``count`` new connections."""
    found = []
    for _ in range(count):
        client = await Client.connect(port)
        found.append((await client.ask("x")).split()[0])
        client.close()
    return found


async def test_connections_are_spread_over_the_endpoints() -> None:
    """Three endpoints and nine connections: three each."""
    front, back = free_port(), free_port()
    async with (
        echo_server(BACKS[0], back),
        echo_server(BACKS[1], back),
        echo_server(BACKS[2], back),
        service(plan(front, back, *BACKS)),
    ):
        found = await answers(front, 9)
    assert sorted(found) == sorted([*BACKS] * 3)


async def test_a_change_of_endpoints_does_not_drop_live_connections() -> None:
    """An open connection goes on to an endpoint that takes no new ones."""
    front, back = free_port(), free_port()
    async with (
        echo_server(BACKS[0], back),
        echo_server(BACKS[1], back),
        service(plan(front, back, BACKS[0])) as ref,
    ):
        old = await Client.connect(front)
        assert await old.ask("a") == f"{BACKS[0]} a"
        await ref.ask(Configure(plan=plan(front, back, BACKS[1])))
        assert await old.ask("b") == f"{BACKS[0]} b"
        assert set(await answers(front, 3)) == {BACKS[1]}
        old.close()


async def test_an_endpoint_that_refuses_is_passed_over() -> None:
    """A dead endpoint costs a second dial, not a failed request."""
    front, back = free_port(), free_port()
    async with (
        echo_server(BACKS[1], back),
        service(plan(front, back, BACKS[0], BACKS[1])) as ref,
    ):
        assert set(await answers(front, 6)) == {BACKS[1]}
        statistics: ServiceStatistics = await ref.ask(GetStatistics())
    assert statistics.accepted == 6
    assert statistics.refused == 0
    assert statistics.redialled >= 2


async def test_without_endpoints_clients_are_refused() -> None:
    """No endpoint, no listener: the client gets connection refused, and later an answer."""
    front, back = free_port(), free_port()
    async with echo_server(BACKS[0], back), service(plan(front, back)) as ref:
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(front)
        await ref.ask(Configure(plan=plan(front, back, BACKS[0])))
        assert await answers(front, 1) == [BACKS[0]]


async def test_client_affinity_keeps_a_client_with_its_endpoint() -> None:
    """With ClientIP affinity all connections of one address end at one endpoint."""
    front, back = free_port(), free_port()
    async with (
        echo_server(BACKS[0], back),
        echo_server(BACKS[1], back),
        service(plan(front, back, *BACKS[:2], affinity=60)),
    ):
        assert len(set(await answers(front, 6))) == 1


async def test_a_taken_port_is_reported_and_tried_again() -> None:
    """A listener that fails is reported once; the Service's other ports go on."""
    taken, free, back = free_port(), free_port(), free_port()
    both = ServicePlan(
        (Listener(FRONT, taken, ""), Listener(FRONT, free, "")),
        {"": (Endpoint(BACKS[0], back),)},
        0,
    )
    failures: list[str] = []
    servers = (echo_server(FRONT, taken), echo_server(BACKS[0], back))
    async with servers[0], servers[1], service(both, failures) as ref:
        assert await answers(free, 1) == [BACKS[0]]
        statistics: ServiceStatistics = await ref.ask(GetStatistics())
        assert [one.port for one in statistics.listening] == [free]
    (failure,) = failures
    assert failure.startswith(f"{FRONT}:{taken} ")
    assert "address already in use" in failure.lower()


async def test_large_transfers_pass_whole_and_with_back_pressure() -> None:
    """Sixteen megabytes through a slow reader arrive complete."""
    front, back = free_port(), free_port()
    size = 16 * 1024 * 1024

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * size)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(pour, BACKS[0], back)
    async with server, service(plan(front, back, BACKS[0])):
        client = await Client.connect(front)
        received = 0
        async with asyncio.timeout(20):
            while chunk := await client.reader.read(1 << 16):
                received += len(chunk)
        client.close()
    assert received == size


async def test_the_end_of_one_direction_leaves_the_other_open() -> None:
    """A client that says it sent all (half-close) still gets its answer."""
    front, back = free_port(), free_port()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(len(await reader.read())).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(count, BACKS[0], back)
    async with server, service(plan(front, back, BACKS[0])):
        client = await Client.connect(front)
        client.writer.write(b"12345")
        client.writer.write_eof()
        async with asyncio.timeout(5):
            assert await client.reader.read() == b"5"
        client.close()


async def test_a_retired_service_lets_connections_end() -> None:
    """Nothing new is accepted, what is open goes on, and then the actor stops."""
    front, back = free_port(), free_port()
    async with echo_server(BACKS[0], back), service(plan(front, back, BACKS[0])) as ref:
        client = await Client.connect(front)
        assert await client.ask("a")
        await ref.ask(Retire())
        with pytest.raises(ConnectionRefusedError):
            await Client.connect(front)
        assert await client.ask("b") == f"{BACKS[0]} b"
        client.close()
        await ref.stopped(timeout=5)


def slice_of(*endpoints: tuple[str, dict[str, bool]], port: int = 80, name: str = "") -> Object:
    """Return an EndpointSlice with one port."""
    return {
        "endpoints": [
            {"addresses": [address], "conditions": conditions} for address, conditions in endpoints
        ],
        "ports": [{"name": name, "port": port, "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([("a", {"ready": True}), ("b", {"ready": False})], ["a"]),
        ([("a", {})], ["a"]),
        ([("a", {"ready": False, "serving": True, "terminating": True})], ["a"]),
        (
            [("a", {"ready": False, "serving": True, "terminating": True}), ("b", {"ready": True})],
            ["b"],
        ),
        ([("a", {"ready": False, "serving": False, "terminating": True})], []),
    ],
    ids=["ready-only", "unset-is-ready", "ending-if-none-ready", "ready-before-ending", "none"],
)
def test_endpoints_for_new_connections(
    endpoints: list[tuple[str, dict[str, bool]]], expected: list[str]
) -> None:
    """Ready endpoints count; where there are none, those that end but still serve."""
    service_object = {"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}}
    found = plan_service(service_object, [slice_of(*endpoints)], ())
    assert [one.address for one in found.endpoints.get("", ())] == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"clusterIP": "None", "ports": [{"port": 80}]}, []),
        ({"type": "ExternalName", "externalName": "x"}, []),
        ({"clusterIP": "10.0.0.1", "ports": [{"port": 53, "protocol": "UDP"}]}, []),
        (
            {"clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30000, "name": "w"}]},
            [("10.0.0.1", 80, "w"), ("127.0.0.1", 30000, "w")],
        ),
    ],
    ids=["headless", "external-name", "udp", "node-port"],
)
def test_listeners_of_a_service(spec: Object, expected: list[tuple[str, int, str]]) -> None:
    """Each TCP port listens on the cluster IP and, with a node port, on the node addresses."""
    assert [tuple(one) for one in plan_service({"spec": spec}, [], ("127.0.0.1",)).listeners] == (
        expected
    )


def test_affinity_is_forgotten_after_its_time() -> None:
    """A client that stays away longer than the timeout may be sent elsewhere."""
    balancer = Balancer(random.Random(1))
    first, second = Endpoint("a", 1), Endpoint("b", 1)
    balancer.configure((first, second), 10)
    balancer.connected("client", second, 0.0)
    assert next(balancer.candidates("client", 5.0)) == second
    balancer.configure((first,), 10)
    assert next(balancer.candidates("client", 5.0)) == first
    balancer.configure((first, second), 10)
    balancer.connected("client", second, 5.0)
    chosen = {next(balancer.candidates("client", 100.0 + turn)) for turn in range(4)}
    assert chosen == {first, second}
