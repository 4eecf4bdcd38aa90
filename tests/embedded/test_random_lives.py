"""Clusters to which anything happens, in any order and at the same time: they heal in the end.

Everything that the library can do to a cluster is done at random, by a seed. When all of it is
over and nodes are whole again, what was asked for comes true, as the project's design wants it of
any state; nothing is left running, and no watch was told anything twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orchestrator import Cluster, ClusterError, StatusError, WaitTimeoutError
from orchestrator.resources.objects import Object, name_of
from tests.embedded.kit import EPOCH, deployment, on_a_real_loop

STEPS = 25
HEALED = ("deployment", "statefulset", "replicaset", "scheduler", "garbage-collector")


def stateful(replicas: int) -> Object:
    """Build a StatefulSet."""
    built = {**deployment("db", replicas), "kind": "StatefulSet"}
    return {**built, "spec": {**built["spec"], "serviceName": "db"}}


class Life:
    """One cluster, and what happens to it."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.cluster = cluster
        self.chance = chance
        self.versions = [cluster.version]
        self.snapshots: list[Any] = []
        self.seen: list[int] = []

    async def watch(self) -> None:
        """Watch all pods, again whenever a watch ends."""
        while True:
            now = self.cluster.version
            self.seen.append(0)
            with contextlib.suppress(StatusError, ConnectionError):
                async with self.cluster.api.watch("pods", since=now) as events:
                    async for event in events:
                        self.seen.append(int(event.object["metadata"]["resourceVersion"]))
            await asyncio.sleep(0.001)

    async def step(self) -> None:
        """Let something happen; what cannot be done just now is refused in the library's words."""
        cluster, chance = self.cluster, self.chance
        node = cluster.nodes[chance.choice(list(cluster.nodes))]
        ways: list[Callable[[], Awaitable[Any]]] = [
            lambda: cluster.apply(deployment(chance.choice("ab"), chance.randrange(5))),
            lambda: cluster.apply(stateful(chance.randrange(4))),
            lambda: cluster.delete(deployment(chance.choice("ab"))),
            lambda: cluster.clock.advance(chance.choice([1, 10, 60, 400])),
            node.crash,
            node.recover,
            node.partition,
            node.heal,
            lambda: node.drain(force=True, timeout=60),
            self.snapshot,
            self.restore,
            self.fork,
            cluster.faults.restart,
            self.crash_controller,
        ]
        with contextlib.suppress(StatusError, ClusterError, WaitTimeoutError, ConnectionError):
            await chance.choice(ways)()
        self.versions.append(cluster.version)

    async def snapshot(self) -> None:
        """Take one."""
        self.snapshots.append(await self.cluster.snapshot())

    async def restore(self) -> None:
        """Go back to one that was taken."""
        if self.snapshots:
            await self.cluster.restore(self.chance.choice(self.snapshots))

    async def fork(self) -> None:
        """Let another cluster go on from some version for a while."""
        async with await self.cluster.fork(self.chance.choice(self.versions)) as fork:
            await fork.clock.advance(30)

    async def crash_controller(self) -> None:
        """Crash one."""
        self.cluster.faults.crash_controller(self.chance.choice(HEALED))

    async def heal(self) -> None:
        """Make all nodes whole, and let a while pass."""
        for node in self.cluster.nodes.values():
            if node.state == "crashed":
                await node.recover()
            await node.heal()
            with contextlib.suppress(StatusError):  # its object was deleted in its absence
                await node.uncordon()
        await self.cluster.clock.advance(minutes=15)


@pytest.mark.parametrize("seed", [1, 2, 3])
@on_a_real_loop
async def test_whatever_happens_heals(seed: int) -> None:
    """Deployments and StatefulSets have the pods that they want, and those are ready."""
    before = asyncio.all_tasks()
    async with Cluster(nodes=3, listen=None, seed=seed, epoch=EPOCH) as cluster:
        life = Life(cluster, random.Random(seed))
        watching = asyncio.create_task(life.watch())
        for _ in range(STEPS):
            together = life.chance.choice([1, 1, 1, 1, 3])
            await asyncio.gather(*(life.step() for _ in range(together)))
        await life.heal()
        workloads = [*await cluster.api.list("deployments"), *await cluster.api.list("sts")]
        wanted = {name_of(each): each["spec"]["replicas"] for each in workloads}
        ready = {name_of(each): each["status"].get("readyReplicas", 0) for each in workloads}
        assert ready == wanted
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        told = [pair for pair in zip(life.seen, life.seen[1:], strict=False) if pair[1]]
        assert all(earlier < later for earlier, later in told)
    assert asyncio.all_tasks() == before
