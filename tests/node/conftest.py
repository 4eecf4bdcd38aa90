"""A store with nodes on it, for tests of the node package."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors import ActorSystem
from actors.log import MemoryLog
from orchestrator.node import (
    NodeConfig,
    NodeManager,
    ProcessConfig,
    ProcessRuntime,
    SimulatedRuntime,
    process_node,
)
from orchestrator.node.runtime import Runtime
from orchestrator.node.volumes import VolumeDirectories
from orchestrator.resources.kinds import registry
from orchestrator.resources.objects import Object
from orchestrator.store import Store


class Recorded:
    """Takes Events and keeps them as (object, reason, message)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def event(
        self,
        involved: Object,
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: str,
        **_more: Any,
    ) -> None:
        self.events.append((involved["metadata"]["name"], reason, message))

    def reasons(self, name: str) -> list[str]:
        return [reason for who, reason, _ in self.events if who == name]

    def messages(self, name: str, reason: str) -> list[str]:
        return [text for who, what, text in self.events if (who, what) == (name, reason)]


class Cluster:
    """A store, its nodes, and short ways to use them."""

    def __init__(self, system: ActorSystem, store: Store, manager: NodeManager, events: Recorded):
        self.system = system
        self.store = store
        self.manager = manager
        self.events = events

    async def run(self, name: str, *command: str, node: str = "node-1", **spec: Any) -> Object:
        """Create a pod of one container, already bound."""
        annotations = spec.pop("annotations", None)
        container = {"name": "c", "image": "image", **spec.pop("container", {})}
        if command:
            container["command"] = list(command)
        metadata = {"name": name, "namespace": "default"}
        if annotations:
            metadata["annotations"] = annotations
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [container], "nodeName": node, **spec},
        }
        return await self.store.create(body, resource="pods", namespace="default")

    def pod(self, name: str) -> Object:
        found = self.store.get("pods", "default", name)
        assert found is not None, f"pod {name} is gone"
        return found

    def status(self, name: str) -> Object:
        """The one container's status, {} before there is one."""
        statuses: list[Object] = self.pod(name)["status"].get("containerStatuses") or [{}]
        return statuses[0]

    def state(self, name: str) -> tuple[str, Object]:
        """The container's state: its name and its content."""
        for kind, content in (self.status(name).get("state") or {"none": {}}).items():
            return kind, content
        return "none", {}

    async def until(self, check: Callable[[], Any], timeout: float = 20.0) -> Any:
        """Wait, by following the store, until ``check`` returns something true."""
        changed = asyncio.Event()
        follower = self.store.follow(("pods", "nodes"), changed.set)
        try:
            async with asyncio.timeout(timeout):
                while not (found := check()):
                    await changed.wait()
                    changed.clear()
                    follower.take(1 << 30)
        finally:
            follower.close()
        return found

    async def until_running(self, name: str) -> Object:
        await self.until(lambda: self.state(name)[0] == "running")
        return self.pod(name)

    async def until_gone(self, name: str) -> None:
        await self.until(lambda: self.store.get("pods", "default", name) is None)


@asynccontextmanager
async def make_cluster(
    runtimes: Callable[[ActorSystem], Iterable[Runtime]],
    configs: Iterable[NodeConfig],
    *,
    log: Any = None,
    clean: bool = True,
    grace: float = 2.0,
    volumes: VolumeDirectories | None = None,
) -> AsyncIterator[Cluster]:
    """Run a cluster of nodes; at the end everything is stopped, with its containers if clean."""
    async with ActorSystem(seed=1) as system:
        store = await Store.open(system, log or MemoryLog(), registry("1.35"))
        events = Recorded()
        manager = NodeManager(store, events, runtimes(system), configs, volumes)
        await manager.start(system)
        try:
            yield Cluster(system, store, manager, events)
        finally:
            await manager.stop(clean=clean, grace=grace)


@pytest.fixture
def clusters() -> Any:
    """Return `make_cluster`, since tests cannot import this file."""
    return make_cluster


@pytest.fixture
def simulated() -> Any:
    """Return a runtime factory for `make_cluster`."""

    def factory(**options: Any) -> Callable[[ActorSystem], list[Runtime]]:
        def make(system: ActorSystem) -> list[Runtime]:
            return [SimulatedRuntime(system.clock, random.Random(1), **options)]

        return make

    return factory


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A node of real processes on addresses that no cluster uses."""

    def runtimes(system: ActorSystem) -> list[Runtime]:
        return [ProcessRuntime(ProcessConfig(directory=tmp_path / "process"), system.clock)]

    volumes = VolumeDirectories(tmp_path / "mounts")
    nodes = [process_node(1, pods="127.251")]
    async with make_cluster(runtimes, nodes, volumes=volumes) as cluster:
        yield cluster
