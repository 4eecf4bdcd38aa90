"""Pods, claims, volumes and nodes come and go; then quiet, and all is in order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Key
from orchestrator.scheduler.core.classes import PodClasses
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.storage import Storage
from orchestrator.store import Delete, DeleteOptions, Expired, Modify
from tests.scheduler.volumes.storage import EBS, HOST, Object, claim, csi_node, volume, within
from tests.scheduler.volumes.test_scheduling_with_volumes import (
    BIND,
    SELECTED,
    STATIC,
    WAITS,
    Bench,
    bench,
    node,
    pod,
)

NODES = [f"n{index}" for index in range(4)]
LIMIT = 3


class Chaos:
    """Does things at random, and plays whoever binds and makes volumes."""

    def __init__(self, world: Bench, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.claims: list[str] = []
        self.gone: set[str] = set()
        self.made = 0

    def name(self, kind: str) -> str:
        self.made += 1
        return f"{kind}-{self.made}"

    async def step(self) -> None:
        act = self.chance.choice(
            [self.add_pod, self.add_pod, self.add_pod, self.add_volume, self.delete_pod,
             self.control, self.control, self.fail, self.replace_node, self.fall_behind]
        )  # fmt: skip
        await act()
        await asyncio.sleep(self.chance.choice([0.0, 0.0, 0.1, 3.0]))

    async def add_pod(self) -> None:
        claims = []
        for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
            if self.claims and self.chance.random() < 0.3:
                claims.append(self.chance.choice(self.claims))
                continue
            name = self.name("c")
            modes = (self.chance.choice(["ReadWriteOnce", "ReadWriteOnce", "ReadWriteOncePod"]),)
            kind = self.chance.choice(["static", "waits"])
            await self.world.add(claim(name, f"{self.chance.randint(1, 3)}Gi", kind, modes=modes))
            self.claims.append(name)
            claims.append(name)
        await self.world.add(pod(self.name("pod"), *dict.fromkeys(claims)))

    async def add_volume(self) -> None:
        reach = self.chance.choice([None, within(HOST, self.chance.choice(NODES))])
        size = f"{self.chance.randint(1, 4)}Gi"
        modes = ("ReadWriteOnce", "ReadWriteOncePod")
        # Upstream counts claims without a volume for their class's provisioner, which is not who
        # attaches the volumes that are there already: those are of another driver here.
        name = self.name("pv")
        source = {"csi": {"driver": "static.csi", "volumeHandle": name}}
        await self.world.add(
            volume(name, size, "static", affinity=reach, modes=modes, source=source)
        )

    async def delete_pod(self) -> None:
        pods = self.world.store.list("pods")
        if pods:
            name = self.chance.choice(pods)["metadata"]["name"]
            await self.write(Delete("pods", "default", name, DeleteOptions(grace_period_seconds=0)))

    async def replace_node(self) -> None:
        """Take a node away without its pods, and bring it back later."""
        name = self.chance.choice(NODES)
        present = self.world.store.get("nodes", "", name)
        if present is None:
            await self.world.add(node(name))
        elif self.chance.random() < 0.3:
            self.gone.add(name)
            await self.write(Delete("nodes", "", name, DeleteOptions()))

    async def fall_behind(self) -> None:
        """Have the scheduler list everything anew, in the middle of what it does."""
        follower = self.world.scheduler._follower
        assert follower is not None
        take, asked = follower.take, [True]

        def expired(limit: int | None = None) -> object:
            if asked:
                asked.clear()
                raise Expired(1, 2)
            return take(limit)

        follower.take = expired  # type: ignore[method-assign,assignment] # as if it had expired

    async def write(self, *operations: Delete | Modify) -> None:
        for result in await self.world.store.write(list(operations)):
            assert not isinstance(result, StatusError), result

    async def fail(self) -> None:
        """Say of a claim that its volume cannot be made for the node."""
        for found in self.world.store.list("persistentvolumeclaims"):
            annotations = found["metadata"].get("annotations") or {}
            if SELECTED in annotations and not found["spec"].get("volumeName"):
                await self.world.annotate(found["metadata"]["name"], **{SELECTED: None})
                return

    async def control(self) -> None:
        """Bind what is to be bound, and make what is to be made."""
        for found in self.world.store.list("persistentvolumes"):
            reference = found["spec"].get("claimRef")
            if reference and reference.get("uid"):
                await self.complete(reference["name"], found["metadata"]["name"])
        for found in self.world.store.list("persistentvolumeclaims"):
            annotations = found["metadata"].get("annotations") or {}
            name = found["metadata"]["name"]
            if SELECTED in annotations and not found["spec"].get("volumeName"):
                new = volume(
                    f"made-{name}", "5Gi", "waits", claim=name, claim_uid=found["metadata"]["uid"],
                    affinity=within(HOST, annotations[SELECTED]), phase="Bound",
                )  # fmt: skip
                if self.world.store.get("persistentvolumes", "", f"made-{name}") is None:
                    await self.world.add(new)
                await self.complete(name, f"made-{name}")

    async def complete(self, name: str, to: str) -> None:
        found = self.world.store.get("persistentvolumeclaims", "default", name)
        if found is not None and BIND not in (found["metadata"].get("annotations") or {}):
            await self.world.bind(name, to)


def check_bound(world: Bench, gone: set[str]) -> None:
    """No volume is given twice, no node has too many, and what a pod uses can be reached.

    Pods of a node that is gone do not count for others, as upstream has it; when it comes back,
    two may use a claim of one.
    """
    claims = {c["metadata"]["name"]: c for c in world.store.list("persistentvolumeclaims")}
    volumes = {v["metadata"]["name"]: v for v in world.store.list("persistentvolumes")}
    given = Counter(c["spec"]["volumeName"] for c in claims.values() if c["spec"].get("volumeName"))
    assert all(number == 1 for number in given.values())
    attached: dict[str, set[str]] = {}
    alone: Counter[str] = Counter()
    for found in world.store.list("pods"):
        home = found["spec"].get("nodeName")
        if not home:
            continue
        for used in found["spec"].get("volumes") or ():
            if "persistentVolumeClaim" not in used:
                continue
            name = used["persistentVolumeClaim"]["claimName"]
            bound = claims[name]
            assert BIND in bound["metadata"]["annotations"]
            exclusive = "ReadWriteOncePod" in bound["spec"]["accessModes"]
            alone[name] += exclusive and home not in gone
            its_volume = volumes[bound["spec"]["volumeName"]]
            terms = (its_volume["spec"].get("nodeAffinity") or {}).get("required")
            if terms:
                (expression,) = terms["nodeSelectorTerms"][0]["matchExpressions"]
                assert home in expression["values"]
            if its_volume["spec"]["csi"]["driver"] == EBS:
                attached.setdefault(home, set()).add(bound["spec"]["volumeName"])
    assert all(number <= 1 for number in alone.values())
    assert all(len(handles) <= LIMIT for handles in attached.values())


def anew(world: Bench) -> tuple[Cluster, PodClasses]:
    """Build a picture of the store from scratch."""
    cluster = Cluster()
    storage = Storage(cluster.volumes, world.store.get)
    storage.load(cluster.volumes, world.store.list)
    classes = PodClasses(volumes=storage.resolve)
    for found in world.store.list("nodes"):
        cluster.put_node(found, None)
    for found in world.store.list("pods"):
        classes.of(found)
    for found in world.store.list("pods"):
        if found["spec"].get("nodeName"):
            metadata = found["metadata"]
            key = Key("pods", "default", metadata["name"])
            state = PodState(metadata["uid"], key, classes.of(found))
            cluster.place(state, found["spec"]["nodeName"])
    return cluster, classes


def check_scheduler(world: Bench) -> None:
    """What the scheduler counted is what is there, and nobody waits who could be placed."""
    book = world.scheduler._known.cluster.volumes
    assert not book.supply.reserved
    assert not book.supply.provisioning
    assert not book.supply._holders
    assert len(world.scheduler._storage._binder) == 0
    cluster, classes = anew(world)
    fresh = cluster.volumes
    assert book.usage.nodes.keys() == fresh.usage.nodes.keys()
    for name, there in book.usage.nodes.items():
        assert there._attached == fresh.usage.nodes[name]._attached
    assert book.usage._placed == fresh.usage._placed
    for found in world.store.list("pods"):
        if not found["spec"].get("nodeName"):
            pod_class = classes.of(found)
            assert DEFAULT_FRAMEWORK.reject_pod(pod_class, cluster) or all(
                DEFAULT_FRAMEWORK.reject(pod_class, each, cluster)
                for each in cluster.by_name.values()
            ), found["metadata"]["name"]


@pytest.mark.parametrize("seed", range(4))
@virtual
async def test_whatever_happens_no_volume_is_given_twice_and_all_that_can_be_is_placed(
    seed: int,
) -> None:
    """At every moment the rules hold; in the end nothing is kept for nobody."""
    limits: list[Object] = [csi_node(name, {EBS: LIMIT}) for name in NODES]
    async with bench(*map(node, NODES), *limits, STATIC, WAITS) as world:
        chaos = Chaos(world, seed)
        for _ in range(60):
            await chaos.step()
            check_bound(world, chaos.gone)
        for name in NODES:
            if world.store.get("nodes", "", name) is None:
                await world.add(node(name))
        for _ in range(40):
            await chaos.control()
            await asyncio.sleep(20)
        check_bound(world, chaos.gone)
        check_scheduler(world)
