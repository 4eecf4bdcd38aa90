"""Time is moved by several at once, and by functions that the cluster itself calls.

Each gets what it asked for, or is told at once why it cannot have it: nobody stands until some
deadline is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from orchestrator import Cluster, StatusError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "main", "image": "worker:1"}]},
}


def nothing() -> None:
    """Be due."""


def fail() -> None:
    """Be due, and fail."""
    raise ZeroDivisionError


@on_a_real_loop
async def test_an_awaited_condition_is_asked_at_each_moment_and_time_stands_meanwhile() -> None:
    """As a plain one is: it sees the very second at which a pod is ready."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        cluster.image("worker:1", ready_seconds=7)
        await cluster.apply(POD)
        await cluster.clock.settle()
        started = cluster.clock.now()

        async def ready() -> bool:
            await asyncio.sleep(0.001)
            pod = await cluster.api.get("pod", "p")
            conditions = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
            return conditions.get("Ready") == "True"

        other = asyncio.ensure_future(cluster.clock.advance(hours=1))
        assert await cluster.clock.advance_until(ready, minutes=5)
        assert 7 <= cluster.clock.now() - started < 10
        await other


@pytest.mark.parametrize("awaited", [False, True], ids=["plain", "awaited"])
@on_a_real_loop
async def test_a_condition_waits_for_clients_outside_when_its_time_is_over(awaited: bool) -> None:
    """One that is awaited as much as one that is not; then it holds, in real time."""
    async with (
        Cluster(epoch=EPOCH, nodes=0) as cluster,
        httpx.AsyncClient(base_url=cluster.url) as client,
    ):
        path = "/api/v1/namespaces/default/configmaps"
        assert (await client.get(path)).json()["items"] == []

        async def write_late() -> None:
            await asyncio.sleep(0.2)
            (await client.post(path, json=config_map())).raise_for_status()

        def plain() -> Any:
            return cluster.store.get("configmaps", "default", "settings")

        async def asked() -> Any:
            return (await client.get(path)).json()["items"]

        writing = asyncio.ensure_future(write_late())
        assert await cluster.clock.advance_until(asked if awaited else plain, seconds=1)
        await writing


@on_a_real_loop
async def test_a_condition_s_own_looks_from_outside_keep_nobody_waiting() -> None:
    """What it reads is not taken for an operator at work: neither at its moments nor at the end."""
    async with (
        Cluster(epoch=EPOCH, nodes=0) as cluster,
        httpx.AsyncClient(base_url=cluster.url) as client,
    ):
        asked = []
        for minute in range(60):
            cluster.store.clock.call_later(60 * minute, nothing)

        async def never() -> bool:
            asked.append(cluster.clock.now())
            return bool((await client.get("/api/v1/namespaces/default/pods")).json()["items"])

        began = time.monotonic()
        with pytest.raises(TimeoutError, match="within 3600 s of the cluster's time"):
            await cluster.clock.advance_until(never, hours=1)
        assert len(set(asked)) >= 61
        # Sixty moments with a client's grace each would be over four seconds; a client that has
        # only read is given one second, and not the hour that its looks would take.
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("kind", ["advance", "wait", "sleep", "until"])
@on_a_real_loop
async def test_a_webhook_that_waits_for_time_is_told_that_it_stands(kind: str) -> None:
    """The request that it is asked about holds the clock, so it would stand until its timeout."""
    async with Cluster(nodes=0, listen=None) as cluster:
        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            "advance": lambda: cluster.clock.advance(1),
            "wait": lambda: cluster.wait("configmap/other", "exists"),
            "sleep": lambda: cluster.clock.sleep(1),
            "until": lambda: cluster.clock.advance_until(lambda: False),
        }

        async def handler(_: dict[str, Any]) -> None:
            await ways[kind]()

        async with cluster.webhook(handler, "cm", name="slow.example.com"):
            with pytest.raises(
                StatusError, match=r"ClusterError: the webhook slow\.example\.com is"
            ):
                await cluster.apply(config_map())
        await cluster.clock.advance(1)


@on_a_real_loop
async def test_what_a_webhook_sets_in_motion_may_wait_once_it_has_answered() -> None:
    """And what takes no time may be done before."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        later = []

        async def go_on() -> float:
            await cluster.clock.sleep(0)
            await answered.wait()
            await cluster.clock.advance(5)
            return cluster.clock.now()

        async def handler(_: dict[str, Any]) -> None:
            later.append(asyncio.ensure_future(go_on()))
            await cluster.clock.settle()
            await cluster.nodes["node-1"].crash()

        answered = asyncio.Event()
        async with cluster.webhook(handler, "cm"), asyncio.timeout(4):  # no wait for itself
            await cluster.apply(config_map())
            answered.set()
            assert await later[0] == EPOCH + 5


def test_a_webhook_of_a_cluster_without_asyncio_is_told_the_same() -> None:
    """On whatever thread it runs."""
    with Cluster.sync(nodes=0, listen=None) as cluster:

        def handler(_: dict[str, Any]) -> None:
            cluster.clock.advance(1)

        with (
            cluster.webhook(handler, "cm", name="slow.example.com"),
            pytest.raises(StatusError, match=r"slow\.example\.com is being asked about a request"),
        ):
            cluster.apply(config_map())


@on_a_real_loop
async def test_functions_of_containers_may_move_time_while_others_do() -> None:
    """In a main process, a command, a port; also a wait. It passes for all of them."""
    async with Cluster(epoch=EPOCH) as cluster:
        image = cluster.image("worker:1")
        passed: dict[str, float] = {}

        async def move(what: str) -> None:
            before = cluster.clock.now()
            await cluster.clock.advance(30)
            passed[what] = cluster.clock.now() - before

        @image
        async def main(container: Any) -> None:
            await move("main")
            await cluster.wait("pod/p", "Ready")
            await container.terminated

        @image.exec
        async def run(_: Any) -> str:
            await move("command")
            return "done"

        @image.http(8080)
        async def answer(_: Any) -> str:
            await move("port")
            return "answered"

        await cluster.apply(POD)
        async with asyncio.timeout(4), httpx.AsyncClient(base_url=cluster.url) as client:
            await cluster.clock.advance(hours=1)
            result = await cluster.api.exec("p", ["anything"])
            assert result.stdout == "done"
            found = await client.get("/api/v1/namespaces/default/pods/p:8080/proxy/")
            assert found.text == "answered"
        assert passed == {"main": 30, "command": 30, "port": 30}
        assert cluster.clock.now() == EPOCH + 3600 + 60


@on_a_real_loop
async def test_a_condition_may_itself_wait() -> None:
    """Time passes for it, and the wait that asks it sees that."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        await cluster.apply(deployment())

        async def condition() -> bool:
            await cluster.wait("deployment/web", "Available")
            await cluster.clock.advance(60)
            return cluster.clock.now() >= EPOCH + 600

        async with asyncio.timeout(4):
            assert await cluster.clock.advance_until(condition)
        assert cluster.clock.now() < EPOCH + 700


def test_a_condition_on_another_thread_may_itself_wait() -> None:
    """What it calls there belongs to the wait that asks it."""
    with Cluster.sync(epoch=EPOCH, listen=None) as cluster:
        cluster.apply(deployment())

        def condition() -> bool:
            cluster.wait("deployment/web", "Available")
            cluster.clock.advance(60)
            return cluster.clock.now() >= EPOCH + 600

        began = time.monotonic()
        assert cluster.clock.advance_until(condition)
        assert time.monotonic() - began < 4  # each step that waited for the condition takes five


@on_a_real_loop
async def test_time_stands_for_a_restore_that_others_would_move_it_in() -> None:
    """What is put back is the snapshot, whoever advances meanwhile; they go on afterwards."""
    async with Cluster(epoch=EPOCH, listen=None) as cluster:
        cluster.image("web:1", start_seconds=3, ready_seconds=4)
        await cluster.apply(deployment(replicas=5))
        await cluster.clock.advance(1)
        snap = await cluster.snapshot()
        for name in ("node-1", "node-2"):
            await cluster.nodes[name].crash()
        await cluster.clock.advance(hours=1)
        moving = asyncio.ensure_future(cluster.clock.advance(hours=2))
        await asyncio.sleep(0)
        before = cluster.clock.now()
        await cluster.restore(snap)
        assert cluster.clock.now() - before < 1  # a step that was begun before it
        assert not cluster.diff(snap.version, cluster.version)
        await moving
        assert cluster.clock.now() == EPOCH + 1 + 3 * 3600
        await cluster.wait("deployment/web", "Available")


@on_a_real_loop
async def test_a_timer_that_fails_does_not_stop_time_that_moves_by_itself() -> None:
    """The loop's handler of exceptions is told, and who waits goes on to."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: told.append(found))
    async with Cluster(time="auto", nodes=0) as cluster:
        cluster.store.clock.call_later(5, fail)
        async with asyncio.timeout(4):
            await cluster.clock.sleep(10)
    assert [type(each["exception"]) for each in told] == [ZeroDivisionError]
