"""``pods/portforward``: SPDY in a WebSocket, as kubectl has it, and channels, as Python's clients.

https://kubernetes.io/docs/tasks/access-application-cluster/port-forward-access-application-cluster/
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    RejectData,
)

from actors import RealClock
from orchestrator.api import ApiApplication, ApiConfig, ApiServer
from orchestrator.api.streaming.forwarding import check_headers
from orchestrator.api.streaming.ports import parse_ports
from orchestrator.api.streaming.spdy.frames import (
    Pinged,
    StreamReplied,
    StreamReset,
    data_frame,
    ping_frame,
)
from orchestrator.node import ContainerOf, SimulatedRuntime
from orchestrator.node.pod_sessions import NodeSessions
from orchestrator.node.simulated_ports import Visit
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import uid_of
from orchestrator.store import Store
from tests.api.sockets import Socket, opened
from tests.api.spdy_client import Spdy, upgraded

TOKEN = "secret-token"
BEARER = {"authorization": f"Bearer {TOKEN}"}
PATH = "/api/v1/namespaces/default/pods/p/portforward"
TUNNEL = "SPDY/3.1+portforward.k8s.io"


class Ground:
    """A server, and a pod that answers on three ports."""

    server: ApiServer

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.ended = 0

    def answer(self, visit: Visit) -> Awaitable[None] | None:
        """80 gives back what comes in capitals, 81 says hello and closes, 82 waits for ever."""
        programs = {80: self._shout, 81: self._greet, 82: self._wait}
        found = programs.get(visit.port)
        return found(visit) if found else None

    async def _shout(self, visit: Visit) -> None:
        while data := await visit.incoming.read():
            await visit.outgoing.write(data.upper())

    async def _greet(self, visit: Visit) -> None:
        await visit.outgoing.write(b"hello")

    async def _wait(self, visit: Visit) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended += 1


@pytest.fixture
async def ground(store: Store) -> AsyncIterator[Ground]:
    """A pod that runs on a simulated node."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "n"},
    }
    pod = await store.create(body, resource="pods", namespace="default")
    made = Ground(uid_of(pod))
    runtime = SimulatedRuntime(RealClock(), random.Random(1), server=made.answer)
    runtime.run(ContainerOf("n", uid_of(pod), "c", 0), "10.0.0.1")
    app = ApiApplication(store, ApiConfig(token=TOKEN), sessions=NodeSessions(runtime))
    async with ApiServer(app, "127.0.0.1", 0) as server:
        made.server = server
        yield made
    await runtime.close(grace=0)


async def accepted(client: Socket) -> str | None:
    """The subprotocol agreed on."""
    event = await client.next()
    assert isinstance(event, AcceptConnection), event
    return event.subprotocol


def tunnelled(client: Socket) -> Spdy:
    """A SPDY client in a WebSocket."""
    return Spdy(lambda data: client.send(BytesMessage(data=data)), client.data)


# -- SPDY


async def test_kubectl_tunnels_spdy(ground: Ground) -> None:
    """Each stream is replied to; bytes go both ways, and the end of one side is passed on."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        assert await accepted(client) == TUNNEL
        spdy = tunnelled(client)
        error, data = spdy.connect(80)
        assert [await spdy.frame(), await spdy.frame()] == [
            StreamReplied(error, {}),
            StreamReplied(data, {}),
        ]
        spdy.send(data_frame(data, b"he") + data_frame(data, b"llo"))
        spdy.send(data_frame(data, b"", fin=True))
        assert await spdy.ends(error, data) == {error: b"", data: b"HELLO"}


async def test_one_connection_forwards_many(ground: Ground) -> None:
    """Pairs are told apart by their request; pings are answered in between."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        spdy = tunnelled(client)
        pairs = [spdy.connect(81, str(number)) for number in range(20)]
        numbers = [number for pair in pairs for number in pair]
        found = await spdy.ends(*numbers)
        assert [found[data] for _, data in pairs] == [b"hello"] * 20
        spdy.send(ping_frame(1))
        assert await spdy.frame() == Pinged(1)


async def test_a_port_where_nobody_listens_is_told_on_the_error_stream(ground: Ground) -> None:
    """In Go's words, with the port and the pod."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        spdy = tunnelled(client)
        error, data = spdy.connect(99)
        found = await spdy.ends(error, data)
    assert found[error].decode() == (
        f"error forwarding port 99 to pod p, uid {ground.uid}: "
        "dial tcp :99: connect: connection refused"
    )


async def test_streams_that_make_no_sense_are_reset(ground: Ground) -> None:
    """Nothing else happens to the connection."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        spdy = tunnelled(client)
        number = spdy.begin(streamtype="data")
        assert await spdy.frame() == StreamReset(number, 5)
        error, data = spdy.connect(81)
        assert (await spdy.ends(error, data))[data] == b"hello"


async def test_more_than_a_pipe_holds_goes_through(ground: Ground) -> None:
    """Back-pressure holds the sender up, and loses nothing."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        spdy = tunnelled(client)
        error, data = spdy.connect(80)
        sent = random.Random(1).randbytes(700_000)
        for at in range(0, len(sent), 50_000):
            spdy.send(data_frame(data, sent[at : at + 50_000]))
        spdy.send(data_frame(data, b"", fin=True))
        assert (await spdy.ends(error, data))[data] == sent.upper()


async def test_a_client_that_vanishes_ends_its_connections(ground: Ground) -> None:
    """Nothing is left of them."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        spdy = tunnelled(client)
        spdy.connect(82)
        await spdy.frame()
        await spdy.frame()
    async with asyncio.timeout(10):
        while not ground.ended:
            await asyncio.sleep(0.005)


async def test_bytes_that_are_no_spdy_end_the_connection(ground: Ground) -> None:
    """Whoever sends them is not answered."""
    async with opened(ground.server, PATH, headers=BEARER, subprotocols=[TUNNEL]) as client:
        await accepted(client)
        client.send(BytesMessage(data=b"\x80nonsense"))
        assert isinstance(await client.next(), CloseConnection)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"streamtype": "data", "port": "80"}, ""),
        ({"streamtype": "error", "port": "65535"}, ""),
        ({"streamtype": "data"}, '"port" header is required'),
        ({"streamtype": "data", "port": "x"}, 'unable to parse "x" as a port'),
        ({"streamtype": "data", "port": "65536"}, 'unable to parse "65536" as a port'),
        ({"streamtype": "data", "port": "0"}, 'port "0" must be > 0'),
        ({"port": "80"}, '"streamType" header is required'),
        ({"streamtype": "stdin", "port": "80"}, 'invalid stream type "stdin"'),
    ],
)
def test_a_streams_headers_are_checked(headers: dict[str, str], why: str) -> None:
    """In the kubelet's words."""
    assert check_headers(headers) == why


async def test_older_kubectls_speak_spdy_in_place_of_http(ground: Ground) -> None:
    """Up to 1.30: the connection itself goes over to it."""
    headers = [*BEARER.items(), ("X-Stream-Protocol-Version", "portforward.k8s.io")]
    async with upgraded(ground.server, PATH, headers) as (head, spdy):
        assert "x-stream-protocol-version: portforward.k8s.io" in head
        error, data = spdy.connect(80)
        spdy.send(data_frame(data, b"hello") + data_frame(data, b"", fin=True))
        assert await spdy.ends(error, data) == {error: b"", data: b"HELLO"}


# -- channels


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", ""])
async def test_python_gets_two_channels_for_each_port(ground: Ground, protocol: str) -> None:
    """The first message of each is the port; then come bytes, and on the odd one errors."""
    offered = [protocol] if protocol else []
    path = f"{PATH}?ports=80,99"
    async with opened(ground.server, path, headers=BEARER, subprotocols=offered) as client:
        assert await accepted(client) == (protocol or None)
        first = [await client.data() for _ in range(4)]
        assert first == [b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x63\x00", b"\x03\x63\x00"]
        failed = await client.data()
        assert failed[:1] == b"\x03"
        assert b"connection refused" in failed
        client.send(BytesMessage(data=b"\x00hello"))
        assert await client.data() == b"\x00HELLO"


async def test_the_connection_closes_when_all_ports_have(ground: Ground) -> None:
    """The pod's side ends it."""
    path = f"{PATH}?ports=81&ports=99"
    async with opened(ground.server, path, headers=BEARER) as client:
        await accepted(client)
        got = {}
        while not isinstance(event := await client.next(), CloseConnection):
            assert isinstance(event, BytesMessage)
            got[event.data[0]] = bytes(event.data[1:])
    assert got[0] == b"hello"


@pytest.mark.parametrize(
    ("values", "ports"),
    [((), []), (("80",), [80]), (("80,81", "82"), [80, 81, 82]), (("65535",), [65535])],
)
def test_ports_are_a_list(values: tuple[str, ...], ports: list[int]) -> None:
    """Given several times, or with commas."""
    assert parse_ports(values) == ports


@pytest.mark.parametrize("text", ["", "x", "65536", "0", "-1", "80,"])
def test_what_is_no_port_is_refused(text: str) -> None:
    """400."""
    with pytest.raises(StatusError) as caught:
        parse_ports((text,))
    assert caught.value.code == 400


# -- refusals


@pytest.mark.parametrize(
    ("query", "protocols", "code", "text"),
    [
        ("", ["v4.channel.k8s.io"], 400, "is required"),
        ("?ports=80", ["v5.channel.k8s.io"], 403, TUNNEL),
    ],
)
async def test_what_makes_no_sense_is_refused(
    ground: Ground, query: str, protocols: list[str], code: int, text: str
) -> None:
    """Before the upgrade."""
    async with opened(
        ground.server, PATH + query, headers=BEARER, subprotocols=protocols
    ) as client:
        event = await client.next()
        assert isinstance(event, RejectConnection)
        body = await client.next()
    assert event.status_code == code
    assert isinstance(body, RejectData)
    assert text in bytes(body.data).decode()


async def test_a_pod_that_does_not_run_is_not_found(ground: Ground, store: Store) -> None:
    """In the kubelet's words."""
    body: Any = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "q", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x"}], "nodeName": "n"},
    }
    await store.create(body, resource="pods", namespace="default")
    path = PATH.replace("/p/", "/q/")
    async with opened(ground.server, path, headers=BEARER, subprotocols=[TUNNEL]) as client:
        event = await client.next()
        assert isinstance(event, RejectConnection)
        body = await client.next()
    assert (event.status_code, bytes(body.data)) == (500, b'pod not found ("q_default")\n')
