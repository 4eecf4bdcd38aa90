"""Watchers in groups: encoded once, each event once for each, slow ones left to themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.api import ApiApplication, ApiServer, _sending
from orchestrator.api._events import View
from orchestrator.api._fanout import Fanout, Hub
from orchestrator.api._watching import Watch
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import Store
from orchestrator.store.operations import Create, Modify
from orchestrator.store.window import WindowLimits


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[tuple[Store, Fanout]]:
    """A store in memory and a fan-out over it."""
    async with ActorSystem("fanout") as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"), **options)
        yield store, Fanout(lambda resource, wake: store.follow([resource], wake))


def config_map(name: str) -> Object:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
    }


def change(name: str, number: int) -> Modify:
    """A write that leaves a number in a ConfigMap."""

    def numbered(obj: Object) -> Object:
        return {**obj, "data": {**(obj.get("data") or {}), "n": str(number)}}

    return Modify("configmaps", "default", name, numbered, "*")


class Connection:
    """A client of one watch, over a transport that stops taking bytes when told so."""

    def __init__(self, store: Store, fanout: Fanout, view: View) -> None:
        self.seen: list[bytes] = []
        self.takes = True
        self.writable = asyncio.Event()
        self.writable.set()
        self.watch = Watch(
            "configmaps",
            view,
            follow=lambda wake, after: store.follow(["configmaps"], wake, after=after),
            after=store.sequence,
            fanout=fanout,
            encode_initial=json.dumps,  # type: ignore[arg-type]  # there are no initial objects
        )
        self.watch.attach(self.push)
        self.task = asyncio.create_task(self.run())

    def push(self, chunk: bytes) -> bool:
        assert self.writable.is_set(), "written to although it takes nothing"
        self.take(chunk.partition(b"\r\n")[2].removesuffix(b"\r\n"))
        return self.writable.is_set()

    def take(self, data: bytes) -> None:
        self.seen += data.splitlines()
        if data and not self.takes:
            self.writable.clear()

    async def run(self) -> None:
        async for piece in self.watch.chunks():
            await self.writable.wait()
            self.take(piece)

    def stop(self) -> None:
        """Take one more piece, then nothing."""
        self.takes = False

    def go(self) -> None:
        """Take everything again."""
        self.takes = True
        self.writable.set()

    def names(self) -> list[str]:
        return [json.loads(line)["object"]["metadata"]["name"] for line in self.seen]


async def settle() -> None:
    """Let everything that is due happen."""
    await asyncio.sleep(1)


def counting(encoded: list[str]) -> Callable[[Object], bytes]:
    """An encoder that notes what it encodes."""

    def encode(obj: Object) -> bytes:
        encoded.append(obj["metadata"]["name"])
        return json.dumps(obj).encode()

    return encode


@virtual
async def test_an_event_is_encoded_once_for_all_views_of_a_shape() -> None:
    """However many watch, and whatever they select."""
    encoded: list[str] = []
    async with opened() as (store, fanout):
        encode = counting(encoded)
        views = [
            View(key="all", shape="s", encode=encode),
            View(key="a", shape="s", encode=encode, name="a"),
            View(key="selected", shape="s", encode=encode, matches=lambda _: True),
        ]
        clients = [Connection(store, fanout, view) for view in views for _ in range(3)]
        await settle()
        for name in "abc":
            await store.write([Create("configmaps", config_map(name))])
        await settle()
        assert encoded == ["a", "b", "c"]
        assert [client.names() for client in clients] == [
            *[["a", "b", "c"]] * 3,
            *[["a"]] * 3,
            *[["a", "b", "c"]] * 3,
        ]
        for client in clients:
            client.task.cancel()


@virtual
async def test_watchers_of_one_value_are_asked_about_its_events_only() -> None:
    """They see what comes to it, happens in it and leaves it, as all others would."""
    asked: list[str] = []

    def fields_of(obj: Object) -> dict[str, str]:
        return {"data.node": (obj.get("data") or {}).get("node", "")}

    def at(node: str) -> View:
        def matches(obj: Object) -> bool:
            asked.append(node)
            return fields_of(obj)["data.node"] == node

        trigger = ("data.node", node)
        return View(key=node, matches=matches, trigger=trigger, fields_of=fields_of)

    def moved(node: str) -> Modify:
        data = {"node": node}
        return Modify("configmaps", "default", "m", lambda obj: {**obj, "data": data}, "*")

    async with opened() as (store, fanout):
        one, two, other = (Connection(store, fanout, at(node)) for node in ("1", "2", "3"))
        await settle()
        await store.write([Create("configmaps", config_map("m"))])
        await settle()
        asked.clear()
        for node in ("1", "2", "2", "1", ""):
            await store.write([moved(node)])
            await settle()
        assert [json.loads(line)["type"] for line in one.seen] == [
            "ADDED",
            "DELETED",
            "ADDED",
            "DELETED",
        ]
        assert [json.loads(line)["type"] for line in two.seen] == ["ADDED", "DELETED"]
        assert other.seen == []
        assert "3" not in asked
        for client in (one, two, other):
            client.task.cancel()
        await settle()


@virtual
async def test_a_connection_that_stops_goes_on_where_it_was() -> None:
    """Nothing is written to it meanwhile, the others go on, and nothing is lost."""
    async with opened() as (store, fanout):
        slow, quick = (Connection(store, fanout, View(key=1)) for _ in range(2))
        await settle()
        slow.stop()
        for number in range(20):
            await store.write([Create("configmaps", config_map(f"m{number:02}"))])
            await settle()
        names = [f"m{number:02}" for number in range(20)]
        assert quick.names() == names
        assert slow.names() == ["m00"]
        slow.go()
        await settle()
        assert slow.names() == names
        await store.write([Create("configmaps", config_map("last"))])
        await settle()
        assert slow.names() == quick.names() == [*names, "last"]
        for client in (slow, quick):
            client.task.cancel()


@virtual
async def test_a_connection_that_stays_away_is_told_to_list_again() -> None:
    """What it missed is not kept for it."""
    async with opened(limits=WindowLimits(events=50)) as (store, fanout):
        slow = Connection(store, fanout, View(key=1))
        await settle()
        slow.stop()
        for number in range(200):
            await store.write([Create("configmaps", config_map(f"m{number}"))])
        await settle()
        assert len(slow.seen) < 100
        slow.go()
        await asyncio.wait_for(slow.task, 10)
        last = json.loads(slow.seen[-1])
        assert (last["type"], last["object"]["reason"]) == ("ERROR", "Expired")


@virtual
async def test_a_hub_ends_with_its_last_watcher() -> None:
    """Nobody follows for nobody."""
    async with opened() as (store, fanout):
        before = len(store._followers)
        clients = [Connection(store, fanout, View(key=key)) for key in range(3)]
        await settle()
        assert len(store._followers) == before + 1
        for client in clients:
            client.task.cancel()
        await settle()
        assert len(store._followers) == before
        assert isinstance(fanout.hub("configmaps"), Hub)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 700)),
        st.tuples(st.just("join"), st.integers(0, 2)),
        st.tuples(st.just("stop"), st.integers(0, 5)),
        st.tuples(st.just("go"), st.integers(0, 5)),
        st.tuples(st.just("settle"), st.just(0)),
        st.tuples(st.just("yield"), st.integers(1, 5)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@example(steps=[("join", 0), ("write", 1), ("write", 502), ("join", 0)])
@given(steps=STEPS)
def test_every_watcher_sees_every_event_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Whoever joins, stops and goes on whenever."""

    @virtual
    async def run() -> None:
        async with opened() as (store, fanout):
            await store.write([Create("configmaps", config_map("m"))])
            clients: list[tuple[Connection, int]] = []
            written: list[int] = []

            for step, number in steps:
                if step == "write":
                    changes = [change("m", n) for n in range(number)]
                    for result in await store.write(changes):
                        assert isinstance(result, dict), result
                        version = int(result["metadata"]["resourceVersion"])
                        if not written or version > written[-1]:
                            written.append(version)
                elif step == "join":
                    view = View(key=number)
                    if number == 1:  # all events are about the one object that it triggers on
                        view = View(key=1, trigger=("name", "m"), fields_of=lambda _: {"name": "m"})
                    clients.append((Connection(store, fanout, view), store.sequence))
                elif step == "settle":
                    await settle()
                elif step == "yield":
                    for _ in range(number):
                        await asyncio.sleep(0)
                elif number < len(clients):
                    getattr(clients[number][0], step)()
            for client, _ in clients:
                client.go()
            await settle()
            for client, begin in clients:
                seen = [
                    int(json.loads(line)["object"]["metadata"]["resourceVersion"])
                    for line in client.seen
                ]
                assert seen == [version for version in written if version > begin]
                client.task.cancel()

    run()


async def test_a_client_that_never_reads_holds_up_nobody(store: Store) -> None:
    """Over real sockets: its connection takes what the system buffers, the others get it all."""
    big = {**config_map("big"), "data": {"x": "x" * 200_000}}
    await store.create(big, resource="configmaps", namespace="default")
    app = ApiApplication(store)
    async with ApiServer(app, "127.0.0.1", 0) as server:
        request = (
            f"GET /api/v1/configmaps?watch=1&resourceVersion={store.sequence} HTTP/1.1\r\n"
            "host: x\r\n\r\n"
        ).encode()
        stuck = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for connection in stuck:
            connection.sendall(request)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 20)
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        for number in range(100):
            await store.write([change("big", number)])
            async with asyncio.timeout(10):
                while not (await reader.readline()).startswith(b'{"type":"MODIFIED"'):
                    pass
        assert server._hosted is not None
        held = [
            protocol.transport.get_write_buffer_size() for protocol in server._hosted.connections
        ]
        assert len(held) == 6
        assert max(held) < 1_200_000  # of 20 MB that were sent to the others
        writer.close()
        for connection in stuck:
            connection.close()


async def test_a_client_that_never_reads_is_dropped_after_its_watch(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is up, and it does not take the rest: the connection goes, with what it holds."""
    monkeypatch.setattr(_sending, "STUCK_SECONDS", 0.1)
    big = {**config_map("big"), "data": {"x": "x" * 500_000}}
    await store.create(big, resource="configmaps", namespace="default")
    async with ApiServer(ApiApplication(store), "127.0.0.1", 0) as server:
        before = len(store._followers)
        request = b"GET /api/v1/configmaps?watch=1&timeoutSeconds=1 HTTP/1.1\r\nhost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port)) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(request)
            assert server._hosted is not None
            connections = server._hosted.connections
            async with asyncio.timeout(20):
                while not connections:
                    await asyncio.sleep(0)
                for number in range(60):
                    await store.write([change("big", number)])
                while connections or len(store._followers) > before:
                    await asyncio.sleep(0.01)
