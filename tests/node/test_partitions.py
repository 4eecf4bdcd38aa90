"""Nodes that are cut off from the store: what passes, what waits, and how they catch up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.node.outbox import Proposal
from orchestrator.node.partitions import Partitions
from orchestrator.store import Delete, DeleteOptions

LEASES = "leases.coordination.k8s.io"
PODS = 60


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node that renews a Lease, as real ones do."""
    return lambda: clusters(simulated(), [replace(simulated_node(1), heartbeat=10.0)])


def live(cluster: Any) -> set[str]:
    """Uids of the pods that run, whoever knows of them."""
    runtime = cluster.manager._runtimes["simulated"]
    return {record.started.of.uid for record in runtime._records if record.exited is None}


def renewed(cluster: Any) -> str:
    """When the node's Lease was renewed last."""
    text: str = cluster.store.get(LEASES, "kube-node-lease", "node-1")["spec"]["renewTime"]
    return text


def proposal(uid: str, phase: str) -> Proposal:
    """Build what a pod has to say."""
    return Proposal(uid, "default", uid, {"phase": phase}, None)


def test_the_newest_word_of_each_pod_of_a_node_that_is_cut_off_waits() -> None:
    """Those of other nodes pass."""
    partitions = Partitions()
    pods = {"a": {"one", "two"}, "b": {"three"}}

    def has(node: str, uid: str) -> bool:
        return uid in pods[node]

    assert not partitions
    partitions.cut("a", 10.0)
    partitions.cut("a", 20.0)
    assert partitions.since("a") == 10.0
    assert "b" not in partitions
    other = proposal("three", "Running")
    assert partitions.keep([proposal("one", "Running"), other], has) == [other]
    assert partitions.keep([proposal("one", "Failed"), proposal("two", "Running")], has) == []
    assert partitions.mend("a") == [proposal("one", "Failed"), proposal("two", "Running")]
    assert partitions.mend("a") == []
    assert partitions.since("a") is None
    assert not partitions


def test_a_lease_is_not_renewed_by_a_node_that_is_cut_off_and_at_once_when_it_is_back(
    one: Any,
) -> None:
    """https://kubernetes.io/docs/concepts/architecture/nodes/#node-heartbeats."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await asyncio.sleep(25)
            before = renewed(cluster)
            await cluster.manager.partition("node-1")
            await asyncio.sleep(300)
            assert renewed(cluster) == before
            await cluster.manager.heal("node-1")
            await asyncio.sleep(0.1)
            assert renewed(cluster) > before

    scenario()


@pytest.mark.parametrize("victim", ["none", "node", "parent"])
def test_many_pods_at_rest_are_as_they_should_be_when_their_node_is_back(
    one: Any, victim: str
) -> None:
    """Deleted, removed and new ones; also when the node's actor or its parent failed meanwhile."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            for at in range(PODS):
                await cluster.run(f"pod-{at}")
            await asyncio.sleep(1)
            every = {cluster.pod(f"pod-{at}")["metadata"]["uid"] for at in range(PODS)}
            assert live(cluster) == every
            await cluster.manager.partition("node-1")
            for at in range(0, PODS, 3):
                await cluster.store.delete("pods", "default", f"pod-{at}")
            at_once = DeleteOptions(grace_period_seconds=0)
            await cluster.store.write(
                [Delete("pods", "default", f"pod-{at}", at_once) for at in range(1, PODS, 3)]
            )
            await cluster.run("new")
            if victim != "none":
                cell = cluster.manager._ref
                if victim == "node":
                    cell = cell.rare().children["node-1"]
                lifecycle.fail(cell, RuntimeError("injected"))
            await asyncio.sleep(120)
            assert live(cluster) == every
            assert cluster.pod("new")["status"]["phase"] == "Pending"
            await cluster.manager.heal("node-1")
            await asyncio.sleep(60)
            left = {f"pod-{at}" for at in range(2, PODS, 3)} | {"new"}
            pods = cluster.store.list("pods")
            assert {pod["metadata"]["name"] for pod in pods} == left
            assert {pod["status"]["phase"] for pod in pods} == {"Running"}
            assert live(cluster) == {pod["metadata"]["uid"] for pod in pods}

    scenario()


def test_only_a_node_that_lives_can_be_cut_off_and_a_killed_one_comes_back_whole(one: Any) -> None:
    """What cut it off went with it."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            manager = cluster.manager
            with pytest.raises(KeyError):
                await manager.partition("node-7")
            with pytest.raises(KeyError):
                await manager.revive("node-1")
            await manager.partition("node-1")
            assert (manager.lives("node-1"), manager.reaches("node-1")) == (True, False)
            await manager.kill("node-1")
            assert manager.fallen == ("node-1",)
            with pytest.raises(KeyError):
                await manager.heal("node-1")
            await manager.revive("node-1")
            assert manager.reaches("node-1")
            assert manager.fallen == ()
            await cluster.run("one")
            await asyncio.sleep(1)
            assert cluster.state("one")[0] == "running"

    scenario()
