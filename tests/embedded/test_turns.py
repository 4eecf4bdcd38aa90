"""What concerns a whole cluster happens in turn, each thing to its end, whoever is cancelled."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orchestrator import Cluster, ClusterError, StatusError
from orchestrator.embedded.clock.clocks import Mode
from orchestrator.embedded.turns import Turns, end_task
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop


@on_a_real_loop
async def test_turns_are_taken_one_after_another_and_go_on_without_who_waits() -> None:
    """One that had not begun is given up with its caller, or at the end."""
    turns = Turns()
    seen: list[str] = []
    gates = {name: asyncio.Event() for name in "abcde"}

    async def work(name: str) -> str:
        seen.append(f"{name} begins")
        await gates[name].wait()
        seen.append(f"{name} ends")
        return name

    def take(name: str) -> asyncio.Future[str]:
        return asyncio.ensure_future(turns.take(lambda: work(name)))

    first, second, third, last = map(take, "abcd")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.wait({first, second})
    gates["a"].set()
    gates["c"].set()
    assert await third == "c"
    closing = asyncio.ensure_future(turns.close())
    late = take("e")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not closing.done()
    gates["d"].set()
    await closing
    assert await last == "d"
    with pytest.raises(ClusterError, match="stopped while this waited for it"):
        await late
    assert seen == [f"{name} {what}" for name in "acd" for what in ("begins", "ends")]


@on_a_real_loop
async def test_what_is_asked_for_during_a_restart_waits_for_it() -> None:
    """Snapshots, restores, forks, nodes' faults, another restart: they find it alive."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply(deployment())
        snap = await cluster.snapshot()
        node = cluster.nodes["node-1"]

        async def fork() -> None:
            async with await cluster.fork():
                pass

        restarting = asyncio.ensure_future(cluster.faults.restart())
        await asyncio.sleep(0)
        ways: list[Callable[[], Awaitable[Any]]] = [
            cluster.snapshot,
            lambda: cluster.restore(snap),
            fork,
            node.partition,
            node.crash,
            lambda: cluster.nodes.add("node-9"),
            cluster.faults.restart,
        ]
        await asyncio.gather(*(way() for way in ways))
        assert restarting.done()
        await restarting
        assert node.state == "crashed"
        await cluster.wait("deployment/web", "Available")


@on_a_real_loop
async def test_a_wait_goes_on_over_a_restart() -> None:
    """It looks at what the new control plane knows; on real time too."""
    modes: list[Mode] = ["manual", "real"]
    for time in modes:
        async with Cluster(time=time, listen=None, nodes=0) as cluster:
            waiting = asyncio.ensure_future(cluster.wait("cm/settings", "exists", timeout=20))
            with cluster.clock.held():
                await asyncio.sleep(0.01)
                await cluster.faults.restart()
                await cluster.apply(config_map())
            assert await waiting


@on_a_real_loop
async def test_a_cluster_that_is_stopped_during_a_restart_leaves_nothing() -> None:
    """Neither tasks of its containers' functions nor a control plane that comes up afterwards."""
    cluster = Cluster()
    await cluster.start()
    ended: list[str] = []

    @cluster.image("web:1")
    async def main(container: Any) -> None:
        try:
            await container.terminated
        finally:
            ended.append(container.env["HOSTNAME"])

    await cluster.apply(deployment(replicas=2))
    await cluster.wait("deployment/web", "Available")
    restarting = asyncio.ensure_future(cluster.faults.restart())
    await asyncio.sleep(0)
    await asyncio.gather(cluster.stop(), cluster.stop())
    await asyncio.wait({restarting})
    assert len(ended) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_a_real_loop
async def test_whoever_is_cancelled_leaves_a_restore_and_a_restart_whole() -> None:
    """Also a stop: it goes on, and who stops it again waits for its end."""
    cluster = Cluster(epoch=EPOCH, listen=None)
    async with cluster:
        await cluster.apply(deployment())
        await cluster.wait("deployment/web", "Available")
        snap = await cluster.snapshot()
        for node in ("node-1", "node-2", "node-3"):
            await cluster.nodes[node].crash()
        await cluster.clock.advance(hours=1)
        ways: list[Callable[[], Awaitable[None]]] = [
            lambda: cluster.restore(snap),
            cluster.faults.restart,
        ]
        for way in ways:
            task = asyncio.ensure_future(way())
            await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait({task})
        await cluster.snapshot()  # waits for both
        assert [cluster.nodes[node].state for node in cluster.nodes] == ["running"] * 3
        await cluster.api.create(config_map())
        stopping = asyncio.ensure_future(cluster.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait({stopping})
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_a_real_loop
async def test_webhooks_that_are_begun_at_once_share_a_server_and_end_with_it() -> None:
    """No server is left to the collector, be it a second one or one that comes too late."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with Cluster(nodes=0, listen=None) as cluster:

            async def serve() -> None:
                async with cluster.webhook(lambda _: None, "cm"):
                    await asyncio.sleep(0.01)

            await asyncio.gather(serve(), serve(), serve())
        cluster = Cluster(nodes=0, listen=None)
        await cluster.start()
        serving = asyncio.ensure_future(cluster.webhook(lambda _: None, "cm").__aenter__())
        await asyncio.sleep(0)
        await cluster.stop()
        with pytest.raises((ClusterError, StatusError)):
            await serving
        gc.collect()


@on_a_real_loop
async def test_a_watch_that_is_given_up_while_it_is_opened_fails_nowhere() -> None:
    """Its answer finds nobody."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, found: told.append(found))
    async with Cluster(nodes=0, listen=None) as cluster:
        for turns in range(12):
            opening = asyncio.ensure_future(cluster.api.watch("cm").__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.wait({opening})
            if not opening.cancelled():
                break
    assert not told


@on_a_real_loop
async def test_a_webhook_that_is_given_up_while_it_is_begun_is_asked_by_nobody() -> None:
    """Its configuration may be there before who made it has been told: it goes all the same."""
    async with Cluster(nodes=0, listen=None) as cluster:
        async with cluster.webhook(lambda _: None, "secrets"):
            pass  # from now on there is a server, so that nothing takes a thread
        for turns in range(0, 40, 3):
            beginning = asyncio.ensure_future(cluster.webhook(lambda _: None, "cm").__aenter__())
            for _ in range(turns):
                await asyncio.sleep(0)
            beginning.cancel()
            await asyncio.wait({beginning})
            if beginning.cancelled():
                assert await cluster.api.list("validatingwebhookconfigurations") == [], turns
        await cluster.api.list("cm")


@on_a_real_loop
async def test_a_webhook_s_block_may_outlive_its_cluster() -> None:
    """There is nothing to withdraw any more."""
    cluster = Cluster(nodes=0, listen=None)
    await cluster.start()
    async with cluster.webhook(lambda _: None, "cm"):
        await cluster.stop()


@on_a_real_loop
async def test_who_is_cancelled_while_it_ends_its_task_is_cancelled() -> None:
    """Twice at once, as by a deadline and by the end of a test: neither is lost."""
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await let_go.wait()
            raise LookupError("nobody waits for this")

    task = asyncio.create_task(slow_to_end())
    await begun.wait()
    ending = asyncio.create_task(end_task(task))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait({ending})
    assert ending.cancelled()
    let_go.set()
    await asyncio.wait({task})

    async def fail() -> None:
        raise LookupError("this is raised")

    failing = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(LookupError, match="this is raised"):
        await end_task(failing)
