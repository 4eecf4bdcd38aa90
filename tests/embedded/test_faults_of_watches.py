"""Faults of watches that go on: cut, expired, stale and late ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestrator import Cluster
from orchestrator.resources.errors import StatusError
from tests.embedded.kit import EPOCH, config_map, on_a_real_loop


async def names(events: Any, count: int) -> list[str]:
    """Read so many events of a watch."""
    return [(await anext(events)).object["metadata"]["name"] for _ in range(count)]


async def nothing_comes(cluster: Cluster, reading: asyncio.Task[Any]) -> None:
    """Make sure that a watch says nothing at this moment."""
    await cluster.clock.settle()
    assert not reading.done()


@on_a_real_loop
async def test_an_open_watch_is_cut_and_a_new_one_goes_on() -> None:
    """The connection breaks in the middle; nothing is lost for who watches on from there."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api, since = cluster.api, cluster.version
        async with api.watch("configmaps", since=since) as events:
            await api.create(config_map("one"))
            assert await names(events, 1) == ["one"]
            with cluster.faults.api(kind="configmaps", drop_watch=True, times=1) as fault:
                await api.create(config_map("two"))
                with pytest.raises(ConnectionResetError):
                    await names(events, 2)
                async with api.watch("configmaps", since=since) as again:
                    assert await names(again, 2) == ["one", "two"]
            assert fault.hits == 1


@on_a_real_loop
async def test_a_watch_is_cut_or_expires_after_so_many_events() -> None:
    """The events before it arrive whole."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api, since = cluster.api, cluster.version
        for name in ("one", "two", "three"):
            await api.create(config_map(name))
        with cluster.faults.api(drop_watch=True, events=2):
            async with api.watch("configmaps", since=since) as events:
                assert await names(events, 2) == ["one", "two"]
                with pytest.raises(ConnectionResetError):
                    await anext(events)
        with cluster.faults.api(error=410, events=1):
            async with api.watch("configmaps", since=since) as events:
                assert await names(events, 1) == ["one"]
                with pytest.raises(StatusError) as caught:
                    await anext(events)
                assert (caught.value.code, caught.value.reason) == (410, "Expired")


@on_a_real_loop
async def test_open_watches_expire_when_watches_are_named() -> None:
    """An ERROR event in the stream, as when the version that was asked for is too old."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        async with api.watch("configmaps", since=cluster.version) as events:
            reading = asyncio.create_task(names(events, 1))
            await cluster.clock.settle()
            with cluster.faults.api(verb="watch", kind="configmaps", error=410) as fault:
                with pytest.raises(StatusError, match="too old"):
                    await reading
                assert fault.hits == 1
                with pytest.raises(StatusError, match="too old"):
                    async with api.watch("configmaps", since=cluster.version) as again:
                        await names(again, 1)


@on_a_real_loop
async def test_a_new_watch_can_be_refused() -> None:
    """Other codes than 410 are answers to the request for it."""
    async with Cluster(nodes=0, listen=None) as cluster:
        with cluster.faults.api(verb="watch", error=429):
            with pytest.raises(StatusError) as caught:
                async with cluster.api.watch("configmaps"):
                    pass
            assert caught.value.reason == "TooManyRequests"
        with cluster.faults.api(verb="watch", error="reset"), pytest.raises(ConnectionResetError):
            async with cluster.api.watch("configmaps"):
                pass


@on_a_real_loop
async def test_a_stale_watch_tells_nothing_until_the_fault_stops_and_then_everything() -> None:
    """As with a server of several that lags behind."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        async with api.watch("configmaps", since=cluster.version) as events:
            with cluster.faults.api(kind="configmaps", stale_watch=True):
                reading = asyncio.create_task(names(events, 3))
                for name in ("one", "two"):
                    await api.create(config_map(name))
                    await nothing_comes(cluster, reading)
            await api.create(config_map("three"))
            assert await reading == ["one", "two", "three"]


@on_a_real_loop
async def test_a_watch_is_stale_for_a_while_or_late_by_a_while_of_the_clusters_time() -> None:
    """Each event by the same delay, in order."""
    async with Cluster(nodes=0, listen=None, epoch=EPOCH) as cluster:
        api = cluster.api
        async with api.watch("configmaps", since=cluster.version) as events:
            with cluster.faults.api(stale_watch=60):
                reading = asyncio.create_task(names(events, 1))
                await api.create(config_map("one"))
                await cluster.clock.advance(59)
                await nothing_comes(cluster, reading)
                await cluster.clock.advance(1)
                assert await reading == ["one"]
            with cluster.faults.api(delay_watch=10):
                reading = asyncio.create_task(names(events, 2))
                await api.create(config_map("two"))
                await cluster.clock.advance(6)
                await api.create(config_map("three"))
                await cluster.clock.advance(4)
                await nothing_comes(cluster, reading)
                assert cluster.clock.now() == EPOCH + 70
                await cluster.clock.advance(6)
                assert await reading == ["two", "three"]
            await api.create(config_map("four"))
            assert await names(events, 1) == ["four"]


@on_a_real_loop
async def test_faults_of_watches_are_gone_with_their_block() -> None:
    """Late events come at once, no count of events goes on, nothing stays held back."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        async with api.watch("configmaps", since=cluster.version) as events:
            with cluster.faults.api(delay_watch=10):
                reading = asyncio.create_task(names(events, 1))
                await api.create(config_map("one"))
                await nothing_comes(cluster, reading)
            await cluster.clock.settle()
            assert reading.done()
            with cluster.faults.api(drop_watch=True, events=2):
                await api.create(config_map("two"))
                assert await names(events, 1) == ["two"]
            for name in ("three", "four"):
                await api.create(config_map(name))
            assert await names(events, 2) == ["three", "four"]


@on_a_real_loop
async def test_a_fault_that_stops_while_another_delays_a_watch_holds_nothing_back() -> None:
    """Before it came to act, and after."""
    async with Cluster(nodes=0, listen=None) as cluster:
        api = cluster.api
        for stale_first in (True, False):
            late = cluster.faults.api(verb="watch", latency=5)
            stale = cluster.faults.api(stale_watch=True)
            for fault in (stale, late) if stale_first else (late, stale):
                fault.start()

            async def read(since: int = cluster.version) -> list[str]:
                async with api.watch("configmaps", since=since) as events:
                    return await names(events, 1)

            reading = asyncio.create_task(read())
            await api.create(config_map(f"one-{stale_first}".lower()))
            await cluster.clock.advance(1)
            stale.stop()
            await cluster.clock.advance(5)
            assert reading.done()
            late.stop()
            await reading


@on_a_real_loop
async def test_a_watch_is_answered_where_writes_lose_their_answers() -> None:
    """It writes nothing that could be carried out, and would have no end."""
    async with Cluster(nodes=0, listen=None) as cluster:
        with cluster.faults.api(error="timeout-after-write"):
            with pytest.raises(StatusError) as caught:
                async with cluster.api.watch("configmaps"):
                    pass
            assert caught.value.code == 504
