"""What simulated pods do when machines and actors fail; found by whole-cluster simulations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors import _lifecycle as lifecycle
from actors.testing import virtual
from orchestrator.node import simulated_node
from orchestrator.store import Delete, DeleteOptions

SLOW = {"simulation.orchestrator/start-seconds": "20"}
AT_ONCE = DeleteOptions(grace_period_seconds=0)


@pytest.fixture
def one(clusters: Any, simulated: Any) -> Any:
    """A cluster of one simulated node."""
    return lambda: clusters(simulated(), [simulated_node(1)])


def live(cluster: Any) -> list[str]:
    """Names of the containers that run, whoever knows of them."""
    runtime = cluster.manager._runtimes["simulated"]
    return [record.started.of.container for record in runtime._records if record.exited is None]


def actor_of(cluster: Any, *path: str) -> Any:
    """The cell of an actor below the nodes' actor."""
    cell = cluster.manager._ref
    for name in path:
        cell = cell.rare().children[name]
    return cell


def test_a_container_does_not_begin_on_a_dead_machine(one: Any) -> None:
    """What was about to start when the power went never does."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            await cluster.run("slow", annotations=SLOW)
            await asyncio.sleep(1)
            await cluster.manager.kill("node-1")
            await asyncio.sleep(60)
            assert live(cluster) == []

    scenario()


def test_a_restarted_pod_actor_runs_each_container_once(one: Any) -> None:
    """The start that its predecessor began is given up when it comes true."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            pod = await cluster.run("slow", annotations=SLOW)
            await asyncio.sleep(1)
            lifecycle.fail(actor_of(cluster, "node-1", pod["metadata"]["uid"]), RuntimeError())
            await asyncio.sleep(60)
            assert cluster.state("slow")[0] == "running"
            assert live(cluster) == ["c"]

    scenario()


def test_a_pod_removed_while_it_starts_leaves_nothing(one: Any) -> None:
    """Its actor ends and its address is free, though no container ever reports an end."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            pod = await cluster.run("slow", annotations=SLOW)
            await asyncio.sleep(1)
            await cluster.store.write([Delete("pods", "default", "slow", AT_ONCE)])
            await asyncio.sleep(1)
            assert pod["metadata"]["uid"] not in actor_of(cluster, "node-1").rare().children
            assert live(cluster) == []

    scenario()


def test_a_restarted_actor_of_a_removed_pod_starts_nothing(one: Any) -> None:
    """It only finishes what its predecessor began: to clean up."""

    @virtual
    async def scenario() -> None:
        async with one() as cluster:
            pod = await cluster.run("web", activeDeadlineSeconds=1000)  # one at rest has no actor
            await cluster.until_running("web")
            cell = actor_of(cluster, "node-1", pod["metadata"]["uid"])
            await cluster.store.write([Delete("pods", "default", "web", AT_ONCE)])
            cell.actor._entry.removed = True
            lifecycle.fail(cell, RuntimeError())
            await asyncio.sleep(60)
            assert live(cluster) == []
            assert pod["metadata"]["uid"] not in actor_of(cluster, "node-1").rare().children

    scenario()
