"""Pods of many priorities fight for few nodes while nodes come and go and the scheduler fails.

At any moment no node is overcommitted; and when all victims have gone and nothing happens any more,
nobody waits who could have a place, by the slow twin's word.
"""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.store import Delete, DeleteOptions
from tests.scheduler.test_scheduler import Bench, bench, node
from tests.scheduler.test_scheduler_preemption import PRIORITIES, add, high, protect
from tests.scheduler.twin import Snapshot, filter_all, preempt

STEPS = 40
AT_ONCE = DeleteOptions(grace_period_seconds=0)


def cpu_of(pod: Object) -> int:
    """Return what a pod requests."""
    return int(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"])


def check(b: Bench) -> None:
    """Assert that no node is overcommitted."""
    room = {
        item["metadata"]["name"]: int(item["status"]["allocatable"]["cpu"])
        for item in b.store.list("nodes")
    }
    for item in b.store.list("pods"):
        where = item["spec"].get("nodeName")
        if where in room:
            room[where] -= cpu_of(item)
    assert all(left >= 0 for left in room.values()), room


class Contest:
    """What happens, drawn from a seed."""

    def __init__(self, b: Bench, seed: int) -> None:
        self.b = b
        self.chance = random.Random(seed)
        self.numbers = itertools.count()

    async def step(self) -> None:
        what = self.chance.choices(
            (self.come, self.go, self.vanish, self.grow, self.shrink, self.fail, self.wait),
            (10, 2, 5, 1, 1, 1, 2),
        )[0]
        await what()

    async def come(self) -> None:
        """Let pods of one kind come, some at once."""
        priority, cpu = self.chance.choice(PRIORITIES), str(self.chance.randint(1, 3))
        pods = [
            high(f"pod-{next(self.numbers)}", cpu, priority, terminationGracePeriodSeconds=30)
            for _ in range(self.chance.choice((1, 1, 4)))
        ]
        if self.chance.random() < 0.3:
            for made in pods:
                made["metadata"]["labels"] = {"app": "guarded"}
        await add(self.b, *pods)

    async def go(self) -> None:
        """Delete some pod, gracefully or not."""
        await self._delete("pods", self.b.store.list("pods"), self.chance.choice((None, 0, 0)))

    async def vanish(self) -> None:
        """Let a pod that is being deleted be gone."""
        await self._delete("pods", [p for p in self.b.store.list("pods") if is_deleting(p)], 0)

    async def grow(self) -> None:
        """Add a node."""
        await add(self.b, node(f"node-{next(self.numbers)}", cpu="4"))

    async def shrink(self) -> None:
        """Remove a node with its pods."""
        nodes = self.b.store.list("nodes")
        if len(nodes) < 2:
            return
        name = self.chance.choice(nodes)["metadata"]["name"]
        await self.b.store.write([Delete("nodes", "", name)])
        await asyncio.sleep(self.chance.choice((0, 1)))
        for item in self.b.store.list("pods"):
            if item["spec"].get("nodeName") == name:
                await self._delete("pods", [item], 0)

    async def fail(self) -> None:
        """Let the scheduler fail; it is started again."""
        self.b.scheduler.context.ref.tell("no such message")  # type: ignore[arg-type] # it fails
        await asyncio.sleep(self.chance.choice((0, 0.01, 2)))

    async def wait(self) -> None:
        """Let time pass."""
        await asyncio.sleep(self.chance.choice((0, 0.5, 12)))

    async def _delete(self, resource: str, found: list[Object], grace: int | None) -> None:
        if found:
            metadata = self.chance.choice(found)["metadata"]
            options = DeleteOptions(grace_period_seconds=grace)
            name = metadata["name"]
            await self.b.store.write([Delete(resource, metadata["namespace"], name, options)])

    async def calm_down(self) -> None:
        """Let all that are being deleted be gone, and those who come after them come."""
        for _ in range(20):
            await asyncio.sleep(20)
            going = [pod for pod in self.b.store.list("pods") if is_deleting(pod)]
            if not going:
                break
            names = [pod["metadata"]["name"] for pod in going]
            results = await self.b.store.write(
                [Delete("pods", "default", name, AT_ONCE) for name in names]
            )
            assert not any(isinstance(result, StatusError) for result in results)
        await asyncio.sleep(60)


@pytest.mark.parametrize("seed", [*range(5), 25, 69, 77])
@virtual
async def test_everyone_gets_what_is_due_in_the_end(seed: int) -> None:
    """Nobody waits for a place that is there, or could be made, or is kept for nobody."""
    async with bench() as b:
        contest = Contest(b, seed)
        await add(b, *(node(f"n{index}", cpu="4") for index in range(3)))
        await protect(b, seed % 3)
        for _ in range(STEPS):
            await contest.step()
            check(b)
        await contest.calm_down()
        check(b)
        pods = b.store.list("pods")
        waiting = [item for item in pods if not item["spec"].get("nodeName")]
        snapshot = Snapshot(
            nodes=b.store.list("nodes"),
            pods=[item for item in pods if item["spec"].get("nodeName")],
            nominated=[item for item in waiting if item["status"].get("nominatedNodeName")],
        )
        for item in pods:
            assert not item["status"].get("nominatedNodeName"), item["metadata"]["name"]
        for item in waiting:
            assert all(filter_all(snapshot, item).values())
            assert not preempt(snapshot, item).candidates
