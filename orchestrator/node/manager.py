"""All nodes of one daemon: who starts them, lets them die, cuts them off, and ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from actors import ActorRef, ActorSystem
from orchestrator.node import parent
from orchestrator.node.configs import NodeConfig
from orchestrator.node.rosters import Roster
from orchestrator.node.runtime import Courses, Runtime
from orchestrator.node.surroundings import Recorder
from orchestrator.resources.objects import Object, uid_of

if TYPE_CHECKING:
    from orchestrator.node.volumes import VolumeDirectories


class NodeManager:
    """The nodes of one daemon, for whoever composes a cluster.

    ``start`` and ``stop`` are called once each; nodes come and go in between.
    """

    def __init__(
        self,
        store: parent.ManagedStore,
        recorder: Recorder,
        runtimes: Iterable[Runtime],
        configs: Iterable[NodeConfig] = (),
        volumes: VolumeDirectories | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: The cluster's.
            recorder: For the nodes' Events, component ``kubelet``.
            runtimes: One of each name that ``configs`` use.
            configs: Nodes to start with.
            volumes: Where the volumes of pods that are processes are; None keeps pods that have any
                waiting.
        """
        self._store = store
        self._recorder = recorder
        self._runtimes = {runtime.name: runtime for runtime in runtimes}
        self._roster = Roster(configs)
        self._volumes = volumes
        self._opened = False
        self._ref: ActorRef[parent.Command] | None = None
        self._system: ActorSystem | None = None

    async def start(self, system: ActorSystem, name: str = "nodes") -> None:
        """Open the runtimes, start the nodes and wait until they are registered.

        Raises:
            RuntimeUnavailableError: A runtime cannot work; nothing was started.
            ValueError: A node wants a runtime that is not there.
        """
        configs, partitions = self._roster.living, self._roster.partitions
        for config in configs.values():
            self._check(config)
        if not self._opened:
            for runtime in self._runtimes.values():
                await runtime.open()
        if self._volumes is not None:
            self._volumes.sweep({uid_of(pod) for pod in self._store.list("pods")})
        self._system = system
        store, recorder = self._store, self._recorder
        runtimes, volumes = self._runtimes, self._volumes
        self._ref = system.spawn(
            lambda: parent.NodesActor(store, recorder, runtimes, configs, volumes, partitions), name
        )
        waiting = [config for config in configs.values() if config.name not in partitions]
        for begin in range(0, len(waiting), parent.REGISTERING):
            await asyncio.gather(*map(self._await, waiting[begin : begin + parent.REGISTERING]))

    def _check(self, config: NodeConfig) -> None:
        if config.runtime not in self._runtimes:
            raise ValueError(
                f"node {config.name} wants the runtime {config.runtime!r}; "
                f"there is {', '.join(sorted(self._runtimes)) or 'none'}"
            )

    async def _await(self, config: NodeConfig) -> None:
        assert self._ref is not None
        await self._ref.ask(parent.AddNode(config=config), timeout=30)

    async def add(self, config: NodeConfig) -> None:
        """Start a node, or bring a killed one back; returns when it is registered."""
        self._check(config)
        self._roster.add(config)
        await self._await(config)

    async def revive(self, name: str) -> None:
        """Start a killed node again, as it was; returns when it is registered.

        Raises:
            KeyError: No killed node has that name.
        """
        await self.add(self._roster.fallen[name])

    async def partition(self, name: str) -> None:
        """Cut a node off: its containers go on, and nothing passes between it and the store.

        Its Lease is not renewed, its pods' statuses do not arrive, it does not hear of new pods or
        of deletions. A node that is cut off already stays so.

        Raises:
            KeyError: There is no living node of that name.
        """
        assert self._ref is not None, "start() first"
        config = self._roster.living[name]
        await self._ref.ask(
            parent.CutNode(name=config.name, now=self._store.clock.now()), timeout=30
        )

    async def heal(self, name: str) -> None:
        """Let a node that was cut off catch up, and registers it; for others nothing changes.

        Raises:
            KeyError: There is no living node of that name.
        """
        assert self._ref is not None, "start() first"
        config = self._roster.living[name]
        await self._ref.ask(parent.MendNode(name=config.name), timeout=30)

    async def kill(self, name: str) -> None:
        """Let a node die as if its machine had lost power.

        Its containers are SIGKILLed and its heartbeats end; its Node and pods stay in the store
        for others to deal with. `revive` brings it back.

        Raises:
            KeyError: There is no such node.
        """
        config = self._roster.kill(name, self._store.clock.now())
        await self._stop_actor(name)
        runtime = self._runtimes[config.runtime]
        for uid in sorted(runtime.pods(name)):
            for record in runtime.known(uid):
                if record.exited is None:
                    runtime.stop(record.started.id, 0)

    async def remove(self, name: str) -> None:
        """Stop a node for good and forget its containers; its Node object is the caller's.

        Raises:
            KeyError: There is no such node, neither alive nor killed.
        """
        if name not in self._roster.fallen:
            await self.kill(name)
        config = self._roster.remove(name)
        runtime = self._runtimes[config.runtime]
        for uid in sorted(runtime.pods(name)):
            for record in runtime.known(uid):
                runtime.remove(record.started.id)

    def courses(self, moment: float | None = None) -> Courses:
        """Return how far containers have come, or had at a moment in the past, by runtime."""
        at = self._store.clock.now() if moment is None else moment
        return {name: runtime.course(at) for name, runtime in self._runtimes.items()}

    def put_back(self, courses: Courses) -> None:
        """Take note that pods are about to be put back as they were then."""
        for name, course in courses.items():
            self._runtimes[name].put_back(course)

    @property
    def on_course(self) -> frozenset[str]:
        """Uids of pods whose containers do something that is not stored, with time or functions."""
        return frozenset(uid for runtime in self._runtimes.values() for uid in runtime.on_course())

    def forget(self, name: str) -> None:
        """Let the containers of a node that does not live never have been.

        Those that ran by what is stored of their pods run on when it comes back.
        """
        runtime = self._runtimes[self._roster.known[name].runtime]
        for uid in sorted(runtime.pods(name)):
            runtime.forget(uid)

    async def _stop_actor(self, name: str) -> None:
        assert self._ref is not None
        await self._ref.ask(parent.StopNode(name=name), timeout=30)

    async def stop(self, *, clean: bool, grace: float = 10.0) -> None:
        """Stop all nodes.

        Args:
            clean: End all containers too; False leaves processes to the next daemon.
            grace: Seconds that containers get between SIGTERM and SIGKILL.
        """
        if self._system is not None and self._ref is not None:
            await self._system.stop(self._ref)
        for runtime in self._runtimes.values():
            await runtime.close(grace=grace if clean else None)
        if self._volumes is not None:
            await self._volumes.close(clean=clean)

    async def leave(self) -> None:
        """Stop all nodes' actors, and leave the runtimes and all that runs to a `successor`."""
        if self._system is not None and self._ref is not None:
            await self._system.stop(self._ref)
        if self._volumes is not None:
            await self._volumes.close(clean=False)

    def successor(
        self, store: parent.ManagedStore, recorder: Recorder, volumes: VolumeDirectories | None
    ) -> NodeManager:
        """Return a manager of the same nodes, as they are, for another store; after `leave`.

        Those that were killed stay dead, those that were cut off stay so.
        """
        heir = NodeManager(store, recorder, self._runtimes.values(), volumes=volumes)
        heir._roster, heir._opened = self._roster, True
        return heir

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes that live."""
        return tuple(self._roster.living)

    @property
    def fallen(self) -> tuple[str, ...]:
        """Names of the nodes that were killed and not revived."""
        return tuple(self._roster.fallen)

    @property
    def known(self) -> Mapping[str, NodeConfig]:
        """All nodes that there have been, by name, those too that were removed."""
        return self._roster.known

    def lives(self, node: str) -> bool:
        """Tell whether a node lives here."""
        return node in self._roster.living

    def reaches(self, node: str) -> bool:
        """Tell whether a node lives here and is not cut off."""
        return self._roster.reaches(node)

    def unreachable(self, pod: Object) -> str | None:
        """Return where a pod's node does not answer who asks for logs and the like.

        Upstream's API server dials the node's kubelet there. None: it answers.
        """
        return self._roster.silent_address(pod["spec"].get("nodeName") or "")

    def heartbeat(self, node: str) -> float | None:
        """When a node without a Lease was last alive, seconds since the epoch.

        Computed, not stored: now for a living simulated node, the moment of its death for a
        killed one, and of its partition for one that is cut off. None for nodes that renew a
        Lease, and for nodes not of this manager.
        """
        return self._roster.heartbeat(node, self._store.clock.now())

    def tell_silences(self, told: Callable[[str], None]) -> None:
        """Have ``told`` called with each node that dies or is cut off, instead of who was before.

        Until then a node whose `heartbeat` is computed lives, and nobody need ask again.
        """
        self._roster.tell_silences(told)
