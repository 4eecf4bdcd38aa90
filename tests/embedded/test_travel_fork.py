"""Forks: a second cluster that goes on from a moment of the first one."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator import Cluster
from orchestrator.embedded import VersionError
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop
from tests.embedded.test_cluster import fetch
from tests.embedded.test_travel_restore import assert_same, state_of


@on_a_real_loop
async def test_a_fork_has_what_was_there_and_both_go_on_for_themselves() -> None:
    """Objects with their uids and versions, pods that run, a clock and a port of its own."""
    async with Cluster(epoch=EPOCH) as cluster:
        await cluster.apply([deployment("web"), config_map("a", x="1")])
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(hours=1)
        wanted = state_of(cluster)
        async with await cluster.fork() as fork:
            assert fork.clock.now() == cluster.clock.now()
            found = state_of(fork)
            own = ("nodes", "events")  # nodes register; what is called kubernetes has its port
            kept = {k: v for k, v in wanted.items() if k[0] not in own and k[2] != "kubernetes"}
            assert_same({key: obj for key, obj in found.items() if key in kept}, kept)
            assert fork.url != cluster.url
            assert (await asyncio.to_thread(fetch, f"{fork.url}/version"))["major"] == "1"
            await fork.apply([config_map("a", x="2"), deployment("web", replicas=3)])
            await fork.wait("deployment/web", "jsonpath={.status.availableReplicas}=3")
            await fork.clock.advance(days=1)
            assert (await cluster.api.get("cm", "a"))["data"] == {"x": "1"}
            assert len(await cluster.api.list("pods")) == 2
            assert fork.clock.now() > cluster.clock.now() + 86_000
            pods = {pod["metadata"]["uid"]: pod for pod in await fork.api.list("pods")}
            for pod in await cluster.api.list("pods"):
                twin = pods[pod["metadata"]["uid"]]
                assert twin["status"]["containerStatuses"] == pod["status"]["containerStatuses"]
        await cluster.apply(config_map("a", x="3"))
        assert (await cluster.api.get("cm", "a"))["data"] == {"x": "3"}


@on_a_real_loop
async def test_a_fork_outlives_the_cluster_it_comes_from() -> None:
    """Closing either leaves the other; forks have forks."""
    async with Cluster(listen=None) as cluster:
        await cluster.apply(deployment("web"))
        await cluster.wait("deployment/web", "Available")
        fork = await cluster.fork()
    try:
        await fork.api.patch("deployment", "web", {"spec": {"replicas": 4}})
        await fork.wait("deployment/web", "jsonpath={.status.availableReplicas}=4")
        async with await fork.fork() as another:
            assert len(await another.api.list("pods")) == 4
    finally:
        await fork.stop()


@on_a_real_loop
async def test_a_fork_of_the_past_begins_at_its_moment() -> None:
    """With its objects, its time and its history; pods of then run, later ones are not there."""
    async with Cluster(listen=None, epoch=EPOCH) as cluster:
        await cluster.apply(deployment("web"))
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(minutes=10)
        await cluster.apply(config_map("mark"))
        before = cluster.version
        uids = {pod["metadata"]["uid"] for pod in await cluster.api.list("pods")}
        await cluster.clock.advance(hours=5)
        await cluster.delete(deployment("web"))
        await cluster.apply(deployment("later"))
        await cluster.clock.advance(minutes=10)
        async with await cluster.fork(before) as fork:
            assert EPOCH + 600 <= fork.clock.now() < EPOCH + 660
            await fork.clock.advance(minutes=5)
            pods = await fork.api.list("pods")
            assert {pod["metadata"]["uid"] for pod in pods} == uids
            assert all(pod["status"]["phase"] == "Running" for pod in pods)
            assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in pods)
            assert await fork.api.find("deployment", "later") is None
            assert fork.history("deployment/web")[0].change == "added"
            assert fork.at(before).get("cm", "mark") == cluster.at(before).get("cm", "mark")
            pod = pods[0]["metadata"]["name"]
            await fork.api.delete("pod", pod)
            await fork.clock.advance(minutes=1)
            assert len(await fork.api.list("pods")) == 2


@on_a_real_loop
async def test_a_container_that_ends_after_some_time_has_the_rest_of_it() -> None:
    """In a fork by the clock, after a restore by what it had run when the snapshot was taken."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "work",
            "annotations": {"simulation.orchestrator/run-seconds": "100"},
        },
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "work"}]},
    }
    async with Cluster(listen=None, epoch=EPOCH) as cluster:
        await cluster.apply(pod)
        await cluster.clock.advance(seconds=60)
        snap = await cluster.snapshot()

        async def seconds_left(of: Cluster) -> float:
            began = of.clock.now()
            await of.wait("pod/work", "jsonpath={.status.phase}=Succeeded", timeout=200)
            return of.clock.now() - began

        async with await cluster.fork() as fork:
            assert await seconds_left(fork) == pytest.approx(40, abs=1)
        await cluster.clock.advance(seconds=50)
        await cluster.restore(snap)
        assert await seconds_left(cluster) == pytest.approx(40, abs=1)
        await cluster.clock.advance(hours=2)
        await cluster.restore(snap)
        assert await seconds_left(cluster) == pytest.approx(40, abs=1)


@on_a_real_loop
async def test_a_bounded_history_forks_from_where_it_begins() -> None:
    """What is before it comes as a state; a version that is not held is refused."""
    async with Cluster(listen=None, history=20_000) as cluster:
        await cluster.apply(deployment("web"))
        await cluster.wait("deployment/web", "Available")
        for turn in range(200):
            await cluster.apply(config_map("a", x=str(turn) * 50))
        with pytest.raises(VersionError, match="no longer there"):
            await cluster.fork(1)
        async with await cluster.fork(cluster.version - 5) as fork:
            assert len(await fork.api.list("pods")) == 2
            assert fork.at(cluster.version - 5).get("cm", "a")["data"]["x"] == "194" * 50
            assert fork.history("cm/a")[0].change == "held"
            await fork.api.patch("deployment", "web", {"spec": {"replicas": 3}})
            await fork.wait("deployment/web", "jsonpath={.status.availableReplicas}=3")


@on_a_real_loop
async def test_a_fork_of_what_is_to_come_is_refused() -> None:
    """With the versions that there are."""
    async with Cluster(listen=None) as cluster:
        with pytest.raises(VersionError, match="beyond the last one"):
            await cluster.fork(cluster.version + 1)
