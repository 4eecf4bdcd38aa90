"""A small world for controllers: a real store in memory, and a kubelet that only reports."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from actors import Actor, ActorSystem
from actors.log import MemoryLog
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.resources.timestamps import format_time
from orchestrator.store import Delete, DeleteOptions, Modify, ObjectEvent, Store


class Recorded:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, str]] = []

    def event(self, involved: Object, type: str, reason: str, message: str) -> None:  # noqa: A002 # the API
        self.events.append((involved["metadata"]["name"], type, reason, message))

    def messages(self, reason: str) -> list[str]:
        return [message for _, _, found, message in self.events if found == reason]


class Kubelet(Actor[str]):
    """Binds pods, reports them running and ready, and confirms their deletion."""

    def __init__(self, world: World) -> None:
        self.world = world

    def started(self) -> None:
        store = self.world.store
        self.follower = store.follow(["pods"], lambda: self.context.ref.tell("wake"))
        self.running: dict[str, bool] = {}
        self.context.every(self.world.beat, "beat")

    async def receive(self, message: str) -> None:
        if message == "wake":
            self.follower.take()
            return
        now = self.context.clock.now()
        operations: list[Any] = []
        for pod in self.world.store.list("pods"):
            metadata = pod["metadata"]
            node = pod["spec"].get("nodeName")
            if node in self.world.dead:
                continue
            if "deletionTimestamp" in metadata:
                if self.world.holds(pod):
                    continue
                options = DeleteOptions(grace_period_seconds=0, uid=metadata["uid"])
                operations.append(Delete("pods", metadata["namespace"], metadata["name"], options))
            elif not node:
                operations.append(self.bind(pod))
            elif (pod.get("status") or {}).get("phase") != "Running" and self.world.works(pod):
                operations.append(self.run(pod, now))
        if operations:
            await self.world.store.write(operations)

    def bind(self, pod: Object) -> Modify:
        node = self.world.pick_node(pod)
        metadata = pod["metadata"]

        def change(current: Object) -> Object:
            return {**current, "spec": {**current["spec"], "nodeName": node}}

        return Modify("pods", metadata["namespace"], metadata["name"], change)

    def run(self, pod: Object, now: float) -> Modify:
        metadata = pod["metadata"]
        self.world.addresses += 1
        address = f"10.0.{self.world.addresses // 250}.{self.world.addresses % 250 + 1}"

        def change(current: Object) -> Object:
            status = running_status(current, now, address)
            return {**current, "status": status}

        return Modify("pods", metadata["namespace"], metadata["name"], change, "status")


def running_status(pod: Object, now: float, address: str) -> Object:
    """Return the status of a pod that runs and is ready."""
    conditions = [
        {"type": type_, "status": "True", "lastTransitionTime": format_time(now)}
        for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {
        **(pod.get("status") or {}),
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": conditions,
    }


@dataclass
class World:
    system: ActorSystem
    store: Store
    recorded: Recorded = field(default_factory=Recorded)
    beat: float = 0.1
    nodes: list[str] = field(default_factory=lambda: ["n1", "n2", "n3"])
    dead: set[str] = field(default_factory=set)
    works: Callable[[Object], bool] = lambda _: True
    holds: Callable[[Object], bool] = lambda _: False
    addresses: int = 0
    running: dict[type, Any] = field(default_factory=dict)

    def pick_node(self, pod: Object) -> str:
        required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        )
        if required is not None:  # a DaemonSet's
            name: str = required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
            return name
        alive = [node for node in self.nodes if node not in self.dead]
        return alive[sum(map(ord, pod["metadata"]["name"])) % len(alive)]

    def start(self, *controllers: type, kubelet: bool = True) -> None:
        for controller in controllers:
            factory = partial(controller, self.store, self.recorded)
            ref = self.system.spawn(factory, controller.__name__.lower())
            self.running[controller] = ref
        if kubelet:
            self.system.spawn(lambda: Kubelet(self), "kubelet")

    async def restart(self, controller: type) -> None:
        """Stop a controller wherever it is, and start another one."""
        await self.system.stop(self.running[controller])
        self.start(controller, kubelet=False)

    async def create(self, resource: str, obj: Object, namespace: str = "default") -> Object:
        return await self.store.create(obj, resource=resource, namespace=namespace)

    async def settle(self, seconds: float = 5.0) -> None:
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait in virtual time for a condition; fail after ``seconds``."""
        for _ in range(int(seconds / 0.05)):
            if condition():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not reached within {seconds} virtual seconds")

    async def patch(
        self,
        resource: str,
        name: str,
        change: Callable[[Object], Object],
        namespace: str = "default",
    ) -> Object:
        return await self.store.modify(resource, namespace, name, change)

    async def spec(self, resource: str, name: str, **fields: Any) -> Object:
        return await self.patch(
            resource, name, lambda obj: {**obj, "spec": {**obj["spec"], **fields}}
        )

    def get(self, resource: str, name: str, namespace: str = "default") -> Object:
        found = self.store.get(resource, namespace, name)
        assert found is not None, f"{resource} {namespace}/{name} is gone"
        return found

    def pods(self, **labels: str) -> list[Object]:
        return [
            pod
            for pod in self.store.list("pods")
            if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        ]


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[World]:
    """Open a world, and close it again."""
    async with ActorSystem("test", seed=1) as system:
        store = await Store.open(system, MemoryLog(), registry("1.35"))
        yield World(system, store, **options)


class Watching:
    """Calls a check at every committed event."""

    def __init__(
        self, store: Store, resources: list[str], check: Callable[[ObjectEvent], None]
    ) -> None:
        self.failures: list[BaseException] = []
        self.seen = 0

        def notify() -> None:
            for event in follower.take(10_000):
                self.seen += 1
                try:
                    check(event)
                except AssertionError as error:
                    self.failures.append(error)

        follower = store.follow(resources, notify)

    def verify(self) -> None:
        assert self.seen
        if self.failures:
            raise self.failures[0]


def condition(obj: Object, type_: str) -> Object:
    """Return the object's condition of a type; it must have one."""
    found = find_condition(obj, type_)
    assert found is not None, f"no condition {type_} in {obj.get('status')}"
    return found


def deployment(name: str = "web", replicas: int = 3, image: str = "v1", **spec: Any) -> Object:
    """Build a Deployment."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(labels, image),
            **spec,
        },
    }


def template(labels: dict[str, str], image: str = "v1") -> Object:
    """Build a pod template."""
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": image, "command": ["run"]}]},
    }


@pytest.fixture
def worlds() -> Any:
    """This module's helpers, for tests: `world`, `deployment`, `template`, `Watching`."""
    return sys.modules[__name__]
