"""The scheduler actor on a real store in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from actors import ActorSystem
from actors.log import MemoryLog
from actors.testing import virtual
from orchestrator.resources.errors import StatusError
from orchestrator.resources.kinds import registry
from orchestrator.scheduler import Scheduler
from orchestrator.store import Create, Delete, DeleteOptions, Expired, Modify, Store

Object = dict[str, Any]


class Recorded:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []
        self.times: list[float | None] = []

    def event(
        self,
        involved: Object,
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: str,
        *,
        time: float | None = None,
    ) -> None:
        self.events.append((involved["metadata"]["name"], type, reason, message))
        self.times.append(time)

    def event_for_all(
        self,
        involved: Sequence[Object],
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: Callable[[Object], str],
        *,
        time: float | None = None,
    ) -> None:
        for obj in involved:
            self.event(obj, type, reason, message(obj), time=time)


def node(name: str, cpu: str = "4", pods: str = "110", **spec: Any) -> Object:
    """Make a node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": pods}},
    }


def pod(name: str, cpu: str = "100m", **spec: Any) -> Object:
    """Make a pod of one container."""
    container = {"name": "app", "image": "x", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


class Bench:
    """A store, a scheduler on it, and the words to ask both."""

    def __init__(self, system: ActorSystem, store: Store) -> None:
        self.system = system
        self.store = store
        self.recorded = Recorded()
        self.scheduler: Scheduler

    def start(self, **options: Any) -> None:
        def make() -> Scheduler:
            self.scheduler = Scheduler(self.store, self.recorded, **options)
            return self.scheduler

        self.system.spawn(make, "scheduler")

    async def add(self, *objects: Object) -> None:
        kinds = {"Node": "nodes", "Pod": "pods"}
        results = await self.store.write([Create(kinds[o["kind"]], o) for o in objects])
        assert not [r for r in results if isinstance(r, StatusError)]
        await asyncio.sleep(0.1)

    async def change(self, resource: str, name: str, change: Callable[[Object], Object]) -> None:
        namespace = "default" if resource == "pods" else ""
        (result,) = await self.store.write([Modify(resource, namespace, name, change)])
        assert not isinstance(result, StatusError)
        await asyncio.sleep(0.1)

    async def delete(self, resource: str, name: str) -> None:
        namespace = "default" if resource == "pods" else ""
        options = DeleteOptions(grace_period_seconds=0)
        (result,) = await self.store.write([Delete(resource, namespace, name, options)])
        assert not isinstance(result, StatusError)
        await asyncio.sleep(0.1)

    def pod(self, name: str) -> Object:
        found = self.store.get("pods", "default", name)
        assert found is not None
        return found

    def home(self, name: str) -> str | None:
        found: str | None = self.pod(name)["spec"].get("nodeName")
        return found

    def condition(self, name: str) -> Object:
        return next(
            c for c in self.pod(name)["status"]["conditions"] if c["type"] == "PodScheduled"
        )


@asynccontextmanager
async def bench(*, start: bool = True, **options: Any) -> AsyncIterator[Bench]:
    """Run a store, and a scheduler on it unless told otherwise."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry())
        made = Bench(system, store)
        if start:
            made.start(**options)
        yield made


@virtual
async def test_a_pod_is_bound_and_the_binding_is_reported() -> None:
    """nodeName, the condition and the event all say so."""
    async with bench() as b:
        await b.add(node("n1"), pod("web"))
        assert b.home("web") == "n1"
        condition = dict(b.condition("web"))
        assert condition.pop("lastTransitionTime")
        assert condition == {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "observedGeneration": 1,
        }
        assert b.recorded.events == [
            ("web", "Normal", "Scheduled", "Successfully assigned default/web to n1")
        ]


class _Slow:
    """A store whose answers take a second, in which others may tell of what was written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, *args: Any, **options: Any) -> Any:
        results = await self._store.write(*args, **options)
        await asyncio.sleep(1)
        return results


@virtual
async def test_a_binding_is_dated_before_what_the_node_tells_of_the_pod() -> None:
    """The event bears the time of the decision, not of the store's answer."""
    async with bench(start=False) as b:
        slow: Any = _Slow(b.store)
        b.system.spawn(lambda: Scheduler(slow, b.recorded), "scheduler")
        await asyncio.sleep(2)  # it writes once to learn where it starts
        began = b.store.clock.now()
        await b.add(node("n1"), pod("web"))
        await asyncio.sleep(2)
        (when,) = b.recorded.times
        assert when is not None
        assert when - began < 1


@virtual
async def test_a_pod_that_fits_nowhere_says_why_once_and_is_placed_when_room_appears() -> None:
    """One event and one condition, in kube-scheduler's words; a new node ends the wait."""
    message = (
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). "
        "no new claims to deallocate, preemption: 0/2 nodes are available: "
        "2 Preemption is not helpful for scheduling."
    )
    async with bench() as b:
        tainted = node("n2", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
        await b.add(node("n1", cpu="1"), tainted, pod("big", cpu="2"))
        await asyncio.sleep(1000)
        assert b.home("big") is None
        assert b.condition("big")["status"] == "False"
        assert b.condition("big")["reason"] == "Unschedulable"
        assert b.condition("big")["message"] == message
        assert b.recorded.events == [("big", "Warning", "FailedScheduling", message)]
        await b.add(node("n3"))
        await asyncio.sleep(10)
        assert b.home("big") == "n3"
        assert b.condition("big")["status"] == "True"


@virtual
async def test_an_empty_cluster_has_its_own_message() -> None:
    """Upstream's sentence for no nodes at all."""
    async with bench() as b:
        await b.add(pod("web"))
        assert b.condition("web")["message"] == "no nodes available to schedule pods"


@virtual
async def test_a_deleted_pod_makes_room_for_one_that_waits() -> None:
    """Room that is freed is used, and never twice."""
    async with bench() as b:
        await b.add(node("n1", cpu="1"), pod("first", cpu="1"))
        await b.add(pod("second", cpu="1"), pod("third", cpu="1"))
        assert b.home("second") is None
        await b.delete("pods", "first")
        await asyncio.sleep(20)
        assert sorted(filter(None, (b.home("second"), b.home("third")))) == ["n1"]


@virtual
async def test_a_finished_pod_no_longer_counts() -> None:
    """A pod that succeeded leaves its room though it is still there."""
    async with bench() as b:
        await b.add(node("n1", cpu="1"), pod("first", cpu="1"))
        await b.add(pod("second", cpu="1"))
        await b.change("pods", "first", lambda o: {**o, "status": {"phase": "Succeeded"}})
        (result,) = await b.store.write(
            [
                Modify(
                    "pods",
                    "default",
                    "first",
                    lambda o: {**o, "status": {**o["status"], "phase": "Succeeded"}},
                    "status",
                )
            ]
        )
        assert not isinstance(result, StatusError)
        await asyncio.sleep(20)
        assert b.home("second") == "n1"


@virtual
async def test_uncordoning_and_untainting_wake_the_pods_that_wait_for_it() -> None:
    """A change of the node that removes the obstacle is enough."""
    async with bench() as b:
        await b.add(node("n1", unschedulable=True), pod("web"))
        assert "1 node(s) were unschedulable" in b.condition("web")["message"]
        await b.change("nodes", "n1", lambda o: {**o, "spec": {}})
        await asyncio.sleep(10)
        assert b.home("web") == "n1"


@virtual
async def test_others_pods_and_gated_pods_are_left_alone() -> None:
    """Another scheduler's pod, a gated pod and a bound pod are none of its business."""
    async with bench() as b:
        await b.add(
            node("n1"),
            pod("foreign", schedulerName="mine"),
            pod("gated", schedulingGates=[{"name": "wait"}]),
            pod("bound", nodeName="elsewhere"),
        )
        assert b.home("foreign") is None
        assert b.home("gated") is None
        assert b.home("bound") == "elsewhere"
        assert b.recorded.events == []
        await b.change("pods", "gated", lambda o: {**o, "spec": _without_gates(o["spec"])})
        assert b.home("gated") == "n1"


def _without_gates(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if key != "schedulingGates"}


@virtual
async def test_higher_priority_goes_first() -> None:
    """Of two that wait, the important one gets the only place."""
    async with bench(start=False) as b:
        await b.store.write(
            [
                Create(
                    "priorityclasses.scheduling.k8s.io",
                    {
                        "apiVersion": "scheduling.k8s.io/v1",
                        "kind": "PriorityClass",
                        "metadata": {"name": "important"},
                        "value": 9,
                    },
                )
            ]
        )
        await b.add(node("n1", pods="1"), pod("low"), pod("high", priorityClassName="important"))
        b.start()
        await asyncio.sleep(1)
        assert b.home("high") == "n1"
        assert b.home("low") is None


@virtual
async def test_many_pods_fill_the_nodes_and_never_overfill_one() -> None:
    """A thousand pods of ten batches: capacity is met exactly, the rest waits."""
    async with bench(batch=100) as b:
        await b.add(*(node(f"n{i}", pods="90") for i in range(10)))
        await b.add(*(pod(f"p{i}", cpu="1m") for i in range(1000)))
        await asyncio.sleep(5)
        counts = [len(b.store.by_node(f"n{i}")) for i in range(10)]
        assert counts == [90] * 10
        assert b.scheduler.statistics().bound == 900
        assert b.scheduler.statistics().waiting == 100


@virtual
async def test_a_restarted_scheduler_counts_what_is_bound_already() -> None:
    """The picture is rebuilt from the store, so nothing is placed where no room is."""
    async with bench() as b:
        await b.add(node("n1", cpu="1"), pod("first", cpu="1"))
        ref = b.system.spawn(lambda: Scheduler(b.store, b.recorded), "other")
        await b.add(pod("second", cpu="1"))
        assert ref.alive
        assert b.home("second") is None


class Refusing:
    """A store that answers bindings with a conflict, or with silence, a number of times."""

    def __init__(self, store: Store, times: int, *, silent: bool) -> None:
        self.store = store
        self.times = times
        self.silent = silent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def write(self, operations: Any, **_: Any) -> Any:
        binds = any(operation.subresource == "binding" for operation in operations)
        self.times -= binds
        if self.times < 0 or not binds:
            return await self.store.write(operations)
        if self.silent:
            raise StatusError(503, "ServiceUnavailable", "no answer")
        return [StatusError(409, "Conflict", "changed") for _ in operations]


@virtual
async def test_a_refused_binding_is_undone_and_tried_again_later() -> None:
    """The assumed room is given back; after a backoff the pod is placed."""
    async with bench(start=False) as b:
        b.store = Refusing(b.store, 2, silent=False)  # type: ignore[assignment]  # a double
        b.start()
        await b.store.store.write(  # type: ignore[attr-defined]  # the store within
            [Create("nodes", node("n1", pods="1")), Create("pods", pod("web"))]
        )
        await asyncio.sleep(0.5)
        assert b.home("web") is None
        await asyncio.sleep(10)
        assert b.home("web") == "n1"
        assert b.scheduler.statistics().refused == 2


@virtual
async def test_a_write_without_an_answer_is_asked_again_and_keeps_its_room() -> None:
    """What may have been written stays counted until the store says."""
    async with bench(start=False) as b:
        b.store = Refusing(b.store, 3, silent=True)  # type: ignore[assignment]  # a double
        b.start()
        await b.store.store.write(  # type: ignore[attr-defined]  # the store within
            [Create("nodes", node("n1", pods="1")), Create("pods", pod("web"))]
        )
        await asyncio.sleep(10)
        assert b.home("web") == "n1"
        assert b.scheduler.statistics().refused == 0


@virtual
async def test_a_pod_deleted_before_its_binding_leaves_no_trace() -> None:
    """The binding is refused, the room is free again."""
    async with bench() as b:
        await b.add(node("n1", pods="1"))
        await b.store.write([Create("pods", pod("brief"))])
        await b.delete("pods", "brief")
        await b.add(pod("next"))
        await asyncio.sleep(20)
        assert b.home("next") == "n1"


@virtual
async def test_a_scheduler_that_fell_behind_lists_again_and_misses_nothing() -> None:
    """Pods that came, went or were bound meanwhile are all known afterwards."""
    async with bench() as b:
        await b.add(node("n1", pods="2"), pod("first"), pod("big", cpu="100"))
        follower = b.scheduler._follower
        assert follower is not None
        take = follower.take

        def expired(limit: int | None = None) -> Any:
            take(limit)
            raise Expired(1, 2)

        follower.take = expired  # type: ignore[method-assign]  # as if the window had moved on
        await b.delete("pods", "first")
        await b.add(pod("second"), pod("third"), pod("fourth"))
        homes = [b.home(name) for name in ("second", "third", "fourth", "big")]
        assert sorted(filter(None, homes)) == ["n1", "n1"]
        assert b.scheduler.statistics().waiting == 2
        await b.delete("pods", "big")
        assert b.scheduler.statistics().waiting == 1


@virtual
async def test_a_scheduler_that_fails_with_a_write_on_its_way_gives_no_room_away_twice() -> None:
    """Its successor waits for what the sequencer still has to answer."""
    async with bench(start=False) as b:
        await b.add(node("n1", pods="3"), *(pod(f"p{i}") for i in range(6)))
        b.start(batch=2)
        failed = 0

        for _ in range(200):
            await asyncio.sleep(0)
            scheduler = getattr(b, "scheduler", None)
            if scheduler is not None and scheduler._writes and failed < 3:
                failed += 1
                scheduler.context.ref.tell("no such message")
        await asyncio.sleep(60)
        assert failed
        assert len(b.store.by_node("n1")) == 3
