"""What a failed test is told of its cluster, also without pytest."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from orchestrator import Cluster, ClusterError
from orchestrator.testing import describe
from orchestrator.testing import living as lives
from orchestrator.testing.living import living
from orchestrator.testing.reports import EVENTS, RECORDS, ROWS, aligned, at_once, sections
from orchestrator.testing.settings import ALIVE, Settings
from tests.embedded.kit import EPOCH, config_map, deployment, on_a_real_loop


@on_a_real_loop
async def test_a_report_is_a_page_or_two_however_large_the_cluster() -> None:
    """The first of each kind, and how many more there are."""
    async with Cluster(nodes=2, listen=None, seed=3, epoch=EPOCH) as cluster:
        await cluster.apply([config_map(f"m-{at:03}") for at in range(60)])
        await cluster.apply(deployment(replicas=40))
        await cluster.wait("deployment/web", "Available")
        await cluster.clock.advance(2)  # components tell of Events a second later
        text = describe(cluster)
        assert f"... and {60 - ROWS} more" in text
        assert f"event log, the last {RECORDS} records" in text
        assert f"events, the last {EVENTS} of " in text
        version, how = cluster.version, f"Cluster(seed=3, epoch={EPOCH:.6f})"
        assert text.startswith(
            f"Kubernetes 1.35, 2 nodes, version {version}, time 2026-01-01T00:00:02Z (manual)\n"
            f"seed 3: repeat it with pytest --cluster-seed=3, or {how}\n"
        )
        assert max(map(len, text.splitlines())) < 250


def test_it_describes_what_has_ended_and_what_runs_on_a_thread_of_its_own() -> None:
    """What is in memory stays there."""
    with Cluster.sync(nodes=1, listen=None) as cluster:
        cluster.apply(config_map("mine"))
        assert "mine" in describe(cluster)
        assert "mine" in describe(cluster.asynchronous)


def test_a_cluster_that_cannot_be_described_hides_no_failure() -> None:
    """Its section says so."""
    ((title, text),) = sections([Cluster()])
    assert title == "cluster"
    assert text.startswith("it cannot be described: ClusterError(")


def test_columns_stand_below_one_another() -> None:
    """With two spaces before and three between."""
    assert aligned([["NAME", "AGE"], ["longer", "1s"]]) == "  NAME     AGE\n  longer   1s"


def test_what_would_wait_is_not_waited_for() -> None:
    """A report is made in between, where no loop runs."""

    async def quick() -> bytes:
        return b"words"

    async def slow() -> bytes:
        await asyncio.sleep(0)
        return b""

    assert at_once(quick) == b"words"
    with pytest.raises(BlockingIOError):
        at_once(slow)


@on_a_real_loop
async def test_a_cluster_that_does_not_end_is_an_error_with_what_is_under_way() -> None:
    """After its time, not never."""

    async def hang() -> None:
        await asyncio.sleep(3600)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "STOP_SECONDS", 0.05)
        async with contextlib.AsyncExitStack() as exits:
            caught = exits.enter_context(
                pytest.raises(ClusterError, match=r"did not end within 0.05 s")
            )
            node = Node()
            cluster = await exits.enter_async_context(living(Settings({"nodes": 1}), node))  # type: ignore[arg-type] # has what is used of one
            assert node.stash[ALIVE] == [cluster]
            ends, cluster.stop = cluster.stop, hang  # type: ignore[method-assign] # on purpose
        assert not node.stash[ALIVE]
        await ends()
    assert "under way" in str(caught.value)


class Node:
    """What a test is to the fixtures: it keeps things."""

    def __init__(self) -> None:
        self.stash = pytest.Stash()
        self.session = self


def test_nodes_are_shown_when_there_is_something_to_be_seen() -> None:
    """Otherwise their number is enough."""
    with Cluster.sync(nodes=2, listen=None) as cluster:
        assert describe(cluster).startswith("Kubernetes 1.35, 2 nodes, version")
        assert "nodes:" not in describe(cluster)
        cluster.nodes["node-2"].cordon()
        text = describe(cluster)
        assert text.startswith("Kubernetes 1.35, 2 nodes (1 not well), version")
        assert "node-2   Ready,SchedulingDisabled" in text


def test_a_cluster_says_in_a_word_which_it_is(tmp_path: Path) -> None:
    """As pytest shows it beside the failed line."""
    with Cluster.sync(nodes=0) as cluster:
        version = cluster.version
        assert (
            repr(cluster) == f"<SyncCluster of Kubernetes 1.35, {cluster.url}, version {version}>"
        )
        assert repr(cluster.asynchronous) == repr(cluster).replace("SyncCluster", "Cluster")
    assert repr(cluster) == "<SyncCluster of Kubernetes 1.35, http, not running>"
    assert repr(Cluster(listen=None)) == "<Cluster of Kubernetes 1.35, no port, not running>"
    socket = tmp_path / "s"
    assert repr(Cluster(listen=socket)) == f"<Cluster of Kubernetes 1.35, {socket}, not running>"
