"""The frame of controllers: failures, conflicts, lost places, restarts."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from actors import _cells
from actors.testing import virtual
from orchestrator.controllers._writes import Rebase
from orchestrator.controllers.controller import Controller
from orchestrator.controllers.deployment import DeploymentController
from orchestrator.controllers.plans import Creation, Emit, Plan, Update
from orchestrator.controllers.replicaset import ReplicaSetController
from orchestrator.resources.errors import service_unavailable
from orchestrator.resources.objects import Key
from orchestrator.store import Expired


def config_map(name: str, **data: Any) -> dict[str, Any]:
    """Build a ConfigMap."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Copier(Controller[Key]):
    """Gives every ConfigMap ``x`` a Secret ``x``; cannot bear the name ``poison``."""

    resources = ("configmaps", "secrets")
    attempts: dict[str, list[float]]

    def reset(self) -> None:
        self.attempts = getattr(self, "attempts", {})

    def observe(self, event: Any) -> None:
        self.queue.mark(Key("configmaps", event.key.namespace, event.key.name))

    def reconcile(self, key: Key, now: float) -> Plan | None:
        self.attempts.setdefault(key.name, []).append(now)
        if key.name == "poison":
            raise ValueError("poison")
        source = self.store.get(*key)
        if source is None or self.store.get("secrets", key.namespace, key.name):
            return None
        metadata = {"name": key.name, "namespace": key.namespace}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        event = Emit(source, "Normal", "Copied", f"Copied {key.name}")
        return Plan(create=[Creation("secrets", secret, event)])


def copier(world: Any) -> Any:
    """Start a Copier and return it."""
    made = []

    def make() -> Any:
        made.append(Copier(world.store, world.recorded))
        return made[-1]

    world.system.spawn(make, "copier")
    return made


@virtual
async def test_one_bad_object_does_not_stop_the_others(worlds: Any) -> None:
    """Its key is tried again ever more rarely."""
    async with worlds.world() as world:
        made = copier(world)
        for name in ("poison", "good"):
            await world.create("configmaps", config_map(name))
        await world.settle(10)
        assert world.store.get("secrets", "default", "good")
        times = made[0].attempts["poison"]
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert len(times) < 15
        assert waits == sorted(waits)
        assert waits[-1] == pytest.approx(2 * waits[-2], rel=0.01)


@virtual
async def test_a_store_that_is_away_is_asked_again(worlds: Any, monkeypatch: Any) -> None:
    """Nothing is lost when a proposal fails as a whole, and nothing is reported that was not."""
    async with worlds.world() as world:
        refusals = 3
        write = world.store.write

        async def flaky(operations: Any, **options: Any) -> Any:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise service_unavailable("away")
            return await write(operations, **options)

        monkeypatch.setattr(world.store, "write", flaky)
        copier(world)
        await world.create("configmaps", config_map("a"))
        await world.settle(5)
        assert refusals == 0
        assert world.store.get("secrets", "default", "a")
        assert world.recorded.messages("Copied") == ["Copied a"]


@virtual
async def test_a_write_that_may_still_happen_is_waited_for(worlds: Any, monkeypatch: Any) -> None:
    """Not told in time, a controller decides again only when it can see what became of it."""
    async with worlds.world() as world:
        copier(world)
        write, late, later = world.store.write, [], []

        async def counted(operations: Any, **_: Any) -> Any:
            later.extend(operations)
            return await write(operations)

        async def too_late(operations: Any, **_: Any) -> Any:
            """Answer before the write has begun, as a store behind a slow disk does."""
            late.append(world.system.clock.now())
            settle = world.store.settle

            async def settled(**_: Any) -> None:
                await write(operations)
                monkeypatch.setattr(world.store, "settle", settle)

            monkeypatch.setattr(world.store, "settle", settled)
            monkeypatch.setattr(world.store, "write", counted)
            raise service_unavailable("the store did not answer within 30 s")

        await world.create("configmaps", config_map("seen"))
        await world.settle(1)
        monkeypatch.setattr(world.store, "write", too_late)
        await world.create("configmaps", config_map("a"))
        await world.settle(30)
        assert len(late) == 1
        assert world.store.get("secrets", "default", "a") is not None
        assert later == []


@virtual
async def test_what_a_write_did_is_known_before_its_answer_is_taken(
    worlds: Any, monkeypatch: Any
) -> None:
    """A controller that is far behind makes no pod twice: it counted on events still to come."""
    monkeypatch.setattr(_cells, "THROUGHPUT", 1)
    async with worlds.world() as world:
        monkeypatch.setattr(Controller._take, "__defaults__", (1,))
        created: set[str] = set()

        def note(event: Any) -> None:
            created.add(event.key.name)
            assert len(created) <= 20

        watching = worlds.Watching(world.store, ["pods"], note)
        world.start(ReplicaSetController, kubelet=False)
        replica_set = {**worlds.deployment(replicas=20), "kind": "ReplicaSet"}
        await world.create("replicasets.apps", replica_set)
        for _ in range(1000):  # passes of the loop, not time: a storm of pods would stop that
            await asyncio.sleep(0)
        watching.verify()
        assert len(created) == 20


@virtual
async def test_a_lost_place_in_the_log_means_a_new_list(worlds: Any, monkeypatch: Any) -> None:
    """A controller that fell out of the window misses nothing."""
    async with worlds.world() as world:
        made = copier(world)
        await world.settle(1)
        follower = made[0]._follower

        def expired(limit: Any = None) -> None:
            raise Expired(0, 1)

        monkeypatch.setattr(follower, "take", expired)
        await world.create("configmaps", config_map("a"))
        await world.create("configmaps", config_map("b"))
        await world.settle(1)
        assert made[0]._follower is not follower
        assert len(world.store.list("secrets")) == 2


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ({"status": {"replicas": 1}}, 7),
        ({"spec": {"replicas": 4}}, None),
        ({"labels": {"a": "b"}}, None),
    ],
)
def test_an_update_holds_on_what_it_was_decided_from(current: Any, expected: Any) -> None:
    """A newer status does not void a new spec; a newer spec or newer labels do."""
    base: dict[str, Any] = {
        "metadata": {"name": "x", "uid": "u", "resourceVersion": "1", "labels": {}},
        "spec": {"replicas": 3},
        "status": {},
    }
    new = {**base, "spec": {"replicas": 7}}
    moved = {
        **base,
        **{part: value for part, value in current.items() if part != "labels"},
        "metadata": {
            **base["metadata"],
            "resourceVersion": "2",
            "labels": current.get("labels", {}),
        },
    }
    change = Rebase(Update("things", base, new))
    result = change(moved)
    assert change.dropped is (expected is None)
    if expected is not None:
        assert result is not None
        assert result["spec"]["replicas"] == expected
        assert result["status"] == current["status"]
        assert result["metadata"]["resourceVersion"] == "2"


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_no_pod_is_made_twice_though_controllers_restart(worlds: Any, seed: Any) -> None:
    """1,200 pods in several proposals, the controllers stopped and started in between."""

    @virtual(seed=seed)
    async def run() -> None:
        async with worlds.world() as world:
            live: set[str] = set()

            def check(event: Any) -> None:
                gone = event.type == "DELETED" or "deletionTimestamp" in event.object["metadata"]
                (live.discard if gone else live.add)(event.key)
                assert len(live) <= 1200

            watching = worlds.Watching(world.store, ["pods"], check)
            world.system.spawn(
                lambda: DeploymentController(world.store, world.recorded), "deployments"
            )
            await world.create("deployments.apps", worlds.deployment(replicas=1200))
            for turn in range(5):
                ref = world.system.spawn(
                    lambda: ReplicaSetController(world.store, world.recorded), f"sets{turn}"
                )
                await world.until(lambda turn=turn: len(live) >= min(1200, 400 * (turn + 1)))
                await world.system.stop(ref)
            watching.verify()
            assert len(world.store.list("pods")) == 1200

    run()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_rollouts_end_right_in_any_order_of_turns(worlds: Any, seed: Any) -> None:
    """Template, size and template again, changed while earlier changes are under way."""

    @virtual(seed=seed)
    async def run() -> None:
        async with worlds.world() as world:
            world.start(DeploymentController, ReplicaSetController)
            await world.create("deployments.apps", worlds.deployment(replicas=6))
            await world.settle(1)
            labels = {"app": "web"}
            await world.spec("deployments.apps", "web", template=worlds.template(labels, "v2"))
            await world.settle(0.25)
            await world.spec("deployments.apps", "web", replicas=9)
            await world.settle(0.25)
            await world.spec("deployments.apps", "web", template=worlds.template(labels, "v3"))
            await world.settle(10)
            images = [pod["spec"]["containers"][0]["image"] for pod in world.pods(app="web")]
            assert images == ["v3"] * 9
            status = world.get("deployments.apps", "web")["status"]
            assert status["availableReplicas"] == status["updatedReplicas"] == 9

    run()


class Sleeper(Controller[Key]):
    """Looks at every ConfigMap again in ten years."""

    resources = ("configmaps",)

    def observe(self, event: Any) -> None:
        if event.type != "DELETED":
            self.queue.mark(event.key)

    def reconcile(self, key: Key, now: float) -> Plan | None:
        return Plan(requeue_after=10 * 365 * 86400.0) if self.store.get(*key) else None


@virtual
async def test_timers_go_with_the_objects_they_are_for(worlds: Any) -> None:
    """What was deleted is not remembered until its timer would have been due."""
    async with worlds.world() as world:
        made: list[Sleeper] = []

        def make() -> Sleeper:
            made.append(Sleeper(world.store, world.recorded))
            return made[-1]

        world.system.spawn(make, "sleeper")
        for at in range(200):
            await world.create("configmaps", config_map(f"x-{at}"))
        await world.settle(1)
        assert made[0].queue.timers == 200
        for at in range(200):
            await world.store.delete("configmaps", "default", f"x-{at}")
        await world.settle(1)
        assert made[0].queue.timers <= 64
        assert made[0].queue.next_due() is None
