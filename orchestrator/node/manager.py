"""All nodes of one daemon: who follows the store for them, writes for them, and ends them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias, assert_never

from actors import DEFERRED, Actor, ActorRef, ActorSystem, Clock, Envelope, Supervision
from orchestrator.node import nodes
from orchestrator.node.configs import NodeConfig
from orchestrator.node.nodes import NodeActor, NodeParts, NodeStore
from orchestrator.node.outbox import Outbox, Proposal, failed_for_now, plan_write
from orchestrator.node.partitions import Partitions
from orchestrator.node.resting import AlikeStatuses, NodePods
from orchestrator.node.runtime import Runtime
from orchestrator.node.surroundings import Recorder
from orchestrator.node.volumes import VolumeDirectories
from orchestrator.node.volumes.followers import Key
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, uid_of
from orchestrator.store import Expired, Follower, ObjectEvent

_FOLLOWED = (
    "pods",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "persistentvolumeclaims",
    "nodes",
)
_KUBELET_PORT = 10250
_ALL = 1 << 30
"""More events than a window holds."""
_WRITE_AGAIN = 1.0
"""Seconds until a write that failed as a whole is repeated."""
_REGISTERING = 1000
"""Nodes that register at once: what 100,000 ask at the same time the store would have to refuse."""
_NODE = Supervision(max_restarts=1000, period=600.0)
"""A node that fails again and again is tried for ever, at most every 30 s."""


class ManagedStore(NodeStore, Protocol):
    """The part of the store that the manager needs."""

    @property
    def clock(self) -> Clock:
        """The system's clock."""

    @property
    def sequence(self) -> int:
        """The last committed sequence."""

    def follow(
        self, resources: Iterable[str], notify: Callable[[], None], *, after: int | None = None
    ) -> Follower:
        """Follow committed changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNode:
    """Start a node; answered when it is registered."""

    config: NodeConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class StopNode:
    """Stop a node's actors; answered when they have stopped. Its containers go on."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutNode:
    """Let nothing pass between a node and the store, from ``now`` on; answered when it is so."""

    name: str
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MendNode:
    """Let what a node says and hears pass again; answered when it is registered."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """The follower has something to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flush:
    """The outbox has something to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    proposals: tuple[Proposal, ...]
    results: tuple[Object | StatusError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _WriteFailed:
    proposals: tuple[Proposal, ...]
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class _RegistrationAnswered:
    name: str
    registered: bool


Command: TypeAlias = (
    AddNode
    | StopNode
    | CutNode
    | MendNode
    | _Changed
    | _Flush
    | _Written
    | _WriteFailed
    | _RegistrationAnswered
)


class NodesActor(Actor[Command]):
    """Parent of the node actors and their one follower of the store.

    An event costs one look-up however many nodes there are; statuses of all nodes' pods are
    written together. Its mailbox holds a few messages a pass and refuses when full.
    """

    mailbox_limit: ClassVar[int] = 65536

    def __init__(
        self,
        store: ManagedStore,
        recorder: Recorder,
        runtimes: dict[str, Runtime],
        configs: dict[str, NodeConfig],
        volumes: VolumeDirectories | None = None,
        partitions: Partitions | None = None,
    ) -> None:
        """Prepare; ``configs`` is what to run, also after a restart of this actor."""
        self._store = store
        self._recorder = recorder
        self._runtimes = runtimes
        self._configs = configs
        self._volumes = volumes
        self._partitions = Partitions() if partitions is None else partitions
        self._nodes: dict[str, ActorRef[nodes.Command]] = {}
        self._pods: dict[str, NodePods] = {}
        self._alike = AlikeStatuses()
        self._unstarted: OrderedDict[str, NodeConfig] = OrderedDict()
        self._registering: set[str] = set()
        self._waiting: dict[str, list[Envelope[Command]]] = {}
        self._registered: set[str] = set()

    def started(self) -> None:
        """Follow the store, and start the nodes."""
        ref = self.context.ref
        self._outbox = Outbox(lambda: ref.tell(_Flush()))
        self._follower = self._store.follow(_FOLLOWED, lambda: ref.tell(_Changed()))
        self._parts = NodeParts(
            store=self._store,
            recorder=self._recorder,
            outbox=self._outbox,
            answered=lambda name, registered: ref.tell(
                _RegistrationAnswered(name=name, registered=registered)
            ),
            volumes=self._volumes,
        )
        self._unstarted.update(self._configs)
        self._start_more()

    def stopped(self) -> None:
        """Stop following."""
        self._follower.close()

    def receive(self, message: Command) -> object:
        """Dispatch."""
        match message:
            case _Changed():
                self._route()
            case _Flush():
                self._flush()
            case _Written(proposals=proposals, results=results):
                again = failed_for_now(proposals, results)
                self._note_written(again, _WRITE_AGAIN if again else 0.0)
            case _WriteFailed(proposals=proposals, error=error):
                self.context.log.warning("pod statuses not written", error=str(error))
                self._note_written(proposals, _WRITE_AGAIN)
            case _RegistrationAnswered(name=name, registered=registered):
                self._registering.discard(name)
                self._start_more()
                if registered and name in self._nodes:
                    self._registered.add(name)
                    for envelope in self._waiting.pop(name, ()):
                        envelope.reply(None)
            case AddNode(config=config):
                return self._add(config)
            case StopNode(name=name):
                return self._stop_node(name)
            case CutNode(name=name, now=now):
                if name in self._pods:
                    self._partitions.cut(name, now)
                    self._pods[name].cut = True
            case MendNode(name=name):
                return self._mend(name)
            case _:
                assert_never(message)
        return None

    # -- nodes

    def _start_more(self) -> None:
        """Start as many nodes as may register at once; the store has no room for all of them."""
        while self._unstarted and len(self._registering) < _REGISTERING:
            name, config = self._unstarted.popitem(last=False)
            self._registering.add(name)
            self._spawn(config)

    def _spawn(self, config: NodeConfig) -> None:
        runtime, parts = self._runtimes[config.runtime], self._parts
        pods = self._pods[config.name] = NodePods(self._alike, self._store.clock)
        pods.cut = config.name in self._partitions
        self._nodes[config.name] = self.context.spawn(
            lambda: NodeActor(config, runtime, parts, pods), config.name, supervision=_NODE
        )

    def _add(self, config: NodeConfig) -> object:
        if config.name not in self._nodes:
            self._unstarted.setdefault(config.name, config)
            self._start_more()
        if config.name in self._registered:
            return None
        self._waiting.setdefault(config.name, []).append(self.context.envelope())
        return DEFERRED

    def _stop_node(self, name: str) -> object:
        ref = self._nodes.pop(name, None)
        self._pods.pop(name, None)
        self._unstarted.pop(name, None)
        self._partitions.mend(name)  # what it had to say went with it
        self._registered.discard(name)
        self._registering.discard(name)
        self._start_more()
        if ref is None:
            return None
        envelope = self.context.envelope()
        self.context.stop(ref)

        async def gone() -> None:
            await ref.stopped()
            envelope.reply(None)

        self.context.run(gone())
        return DEFERRED

    def _mend(self, name: str) -> object:
        """Let a node catch up: its pods' last words, then all that it missed."""
        if name not in self._partitions:
            return None
        for proposal in self._partitions.mend(name):
            self._outbox.put(proposal)
        pods = self._pods[name]
        pods.cut = False
        pods.recount(self._store.by_node(name))
        self._nodes[name].tell(nodes.Reconnected())
        self._registered.discard(name)
        self._waiting.setdefault(name, []).append(self.context.envelope())
        return DEFERRED

    def _reached(self) -> dict[str, NodePods]:
        """Return the pods of the nodes that hear what happens."""
        if not self._partitions:
            return self._pods
        return {name: pods for name, pods in self._pods.items() if not pods.cut}

    # -- events

    def _route(self) -> None:
        reached = self._reached()
        try:
            events = self._follower.take(_ALL)
        except Expired:
            self._follower.restart(self._store.sequence)
            for name, resting in reached.items():
                resting.recount(self._store.by_node(name))
                self._nodes[name].tell(nodes.Relist())
            return
        changes, keys = route(events, reached)
        if keys:
            told = nodes.ConfigurationChanged(keys=frozenset(keys))
            for name, resting in reached.items():
                if resting.expect_configuration:
                    self._nodes[name].tell(told)
        for name, found in changes.items():
            self._nodes[name].tell(nodes.PodsChanged(changes=tuple(found)))
        for event in events:
            if event.type == "DELETED" and event.key[0] == "nodes" and event.key[2] in reached:
                if event.restored and self._store.get(*event.key) is not None:
                    continue  # it is registered, as it was before
                node = self._nodes.get(event.key[2])
                if node is not None:
                    node.tell(nodes.Deregistered())

    # -- writes

    def _flush(self) -> None:
        proposals = tuple(self._outbox.take())
        if self._partitions and proposals:
            proposals = tuple(self._partitions.keep(proposals, self._has))
            if not proposals and self._outbox.done():
                self._flush()
        if proposals:
            self.context.run(
                self._store.write(plan_write(proposals), by="kubelet"),
                done=lambda results: _Written(proposals=proposals, results=tuple(results)),
                failed=lambda error: _WriteFailed(proposals=proposals, error=error),
            )

    def _has(self, node: str, uid: str) -> bool:
        return uid in self._pods[node].entries

    def _note_written(self, again: Sequence[Proposal], delay: float) -> None:
        if self._outbox.done(again):
            if delay:
                self.context.after(delay, _Flush())
            else:
                self._flush()


def route(
    events: Iterable[ObjectEvent], nodes_pods: Mapping[str, NodePods]
) -> tuple[dict[str, list[tuple[str, Object | None]]], set[Key]]:
    """Settle what concerns pods at rest, and sort the other events by node.

    Returns:
        For each node that has any its pods' changes in order (None: removed, `nodes.UNDONE`: never
        was), and the ConfigMaps, Secrets, ServiceAccounts and claims that changed.
    """
    changes: dict[str, list[tuple[str, Object | None]]] = {}
    keys: set[Key] = set()
    undone: set[str] = set()
    for event in events:
        if event.key[0] != "pods":
            if event.key[0] != "nodes":
                keys.add(event.key)
            continue
        pod = event.object
        name = pod["spec"].get("nodeName")
        if name is None:
            continue
        mine = nodes_pods.get(name)
        if mine is None:
            continue
        uid = pod["metadata"]["uid"]
        put_back = event.restored and event.type != "MODIFIED"
        if not put_back and uid not in undone and mine.settle(event):
            continue
        found = changes.get(name)
        if found is None:
            changes[name] = found = []
        if put_back:  # it is not removed, or bound: what it did meanwhile never was
            undone.add(uid)
            found.append((uid, nodes.UNDONE))
            if event.type == "DELETED":
                continue
        found.append((uid, None if event.type == "DELETED" else pod))
    return changes, keys


class NodeManager:
    """The nodes of one daemon, for whoever composes a cluster.

    ``start`` and ``stop`` are called once each; nodes come and go in between.
    """

    def __init__(
        self,
        store: ManagedStore,
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
        self._configs = {config.name: config for config in configs}
        self._volumes = volumes
        self._partitions = Partitions()
        self._killed: dict[str, float] = {}
        self._fallen: dict[str, NodeConfig] = {}
        self._opened = False
        self._known = dict(self._configs)
        self._ref: ActorRef[Command] | None = None
        self._system: ActorSystem | None = None

    async def start(self, system: ActorSystem, name: str = "nodes") -> None:
        """Open the runtimes, start the nodes and wait until they are registered.

        Raises:
            RuntimeUnavailableError: A runtime cannot work; nothing was started.
            ValueError: A node wants a runtime that is not there.
        """
        for config in self._configs.values():
            self._check(config)
        if not self._opened:
            for runtime in self._runtimes.values():
                await runtime.open()
        if self._volumes is not None:
            self._volumes.sweep({uid_of(pod) for pod in self._store.list("pods")})
        self._system = system
        store, recorder, runtimes = self._store, self._recorder, self._runtimes
        configs, volumes, partitions = self._configs, self._volumes, self._partitions
        self._ref = system.spawn(
            lambda: NodesActor(store, recorder, runtimes, configs, volumes, partitions), name
        )
        waiting = [config for config in configs.values() if config.name not in partitions]
        for begin in range(0, len(waiting), _REGISTERING):
            await asyncio.gather(*map(self._await, waiting[begin : begin + _REGISTERING]))

    def _check(self, config: NodeConfig) -> None:
        if config.runtime not in self._runtimes:
            raise ValueError(
                f"node {config.name} wants the runtime {config.runtime!r}; "
                f"there is {', '.join(sorted(self._runtimes)) or 'none'}"
            )

    async def _await(self, config: NodeConfig) -> None:
        assert self._ref is not None
        await self._ref.ask(AddNode(config=config), timeout=30)

    async def add(self, config: NodeConfig) -> None:
        """Start a node, or bring a killed one back; returns when it is registered."""
        self._check(config)
        self._configs[config.name] = config
        self._killed.pop(config.name, None)
        self._known[config.name] = config
        self._fallen.pop(config.name, None)
        await self._await(config)

    async def revive(self, name: str) -> None:
        """Start a killed node again, as it was; returns when it is registered.

        Raises:
            KeyError: No killed node has that name.
        """
        await self.add(self._fallen[name])

    async def partition(self, name: str) -> None:
        """Cut a node off: its containers go on, and nothing passes between it and the store.

        Its Lease is not renewed, its pods' statuses do not arrive, it does not hear of new pods or
        of deletions. A node that is cut off already stays so.

        Raises:
            KeyError: There is no living node of that name.
        """
        assert self._ref is not None, "start() first"
        config = self._configs[name]
        await self._ref.ask(CutNode(name=config.name, now=self._store.clock.now()), timeout=30)

    async def heal(self, name: str) -> None:
        """Let a node that was cut off catch up, and registers it; for others nothing changes.

        Raises:
            KeyError: There is no living node of that name.
        """
        assert self._ref is not None, "start() first"
        config = self._configs[name]
        await self._ref.ask(MendNode(name=config.name), timeout=30)

    async def kill(self, name: str) -> None:
        """Let a node die as if its machine had lost power.

        Its containers are SIGKILLed and its heartbeats end; its Node and pods stay in the store
        for others to deal with. `revive` brings it back.

        Raises:
            KeyError: There is no such node.
        """
        config = self._fallen[name] = self._configs.pop(name)
        self._killed[name] = self._store.clock.now()
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
        if name not in self._fallen:
            await self.kill(name)
        config = self._fallen.pop(name)
        self._killed.pop(name, None)
        runtime = self._runtimes[config.runtime]
        for uid in sorted(runtime.pods(name)):
            for record in runtime.known(uid):
                runtime.remove(record.started.id)

    def put_back(self, seconds: float) -> None:
        """Take note that pods are about to be put back as they were so many seconds ago."""
        for runtime in self._runtimes.values():
            runtime.put_back(seconds)

    @property
    def on_course(self) -> frozenset[str]:
        """Uids of pods whose containers do something that is not stored, with time or functions."""
        return frozenset(uid for runtime in self._runtimes.values() for uid in runtime.on_course())

    def forget(self, name: str) -> None:
        """Let the containers of a node that does not live never have been.

        Those that ran by what is stored of their pods run on when it comes back.
        """
        runtime = self._runtimes[self._known[name].runtime]
        for uid in sorted(runtime.pods(name)):
            runtime.forget(uid)

    async def _stop_actor(self, name: str) -> None:
        assert self._ref is not None
        await self._ref.ask(StopNode(name=name), timeout=30)

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
        self, store: ManagedStore, recorder: Recorder, volumes: VolumeDirectories | None
    ) -> NodeManager:
        """Return a manager of the same nodes, as they are, for another store; after `leave`.

        Those that were killed stay dead, those that were cut off stay so.
        """
        configs, runtimes = self._configs.values(), self._runtimes.values()
        heir = NodeManager(store, recorder, runtimes, configs, volumes)
        heir._partitions, heir._killed = self._partitions, self._killed
        heir._fallen, heir._opened = self._fallen, True
        heir._known = self._known
        return heir

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes that live."""
        return tuple(self._configs)

    @property
    def fallen(self) -> tuple[str, ...]:
        """Names of the nodes that were killed and not revived."""
        return tuple(self._fallen)

    @property
    def known(self) -> Mapping[str, NodeConfig]:
        """All nodes that there have been, by name, those too that were removed."""
        return self._known

    def lives(self, node: str) -> bool:
        """Tell whether a node lives here."""
        return node in self._configs

    def reaches(self, node: str) -> bool:
        """Tell whether a node lives here and is not cut off."""
        return node in self._configs and node not in self._partitions

    def unreachable(self, pod: Object) -> str | None:
        """Return where a pod's node does not answer who asks for logs and the like.

        Upstream's API server dials the node's kubelet there. None: it answers.
        """
        name = pod["spec"].get("nodeName") or ""
        if name not in self._fallen and name not in self._partitions:
            return None
        config = self._configs.get(name) or self._fallen[name]
        return f"{config.address}:{_KUBELET_PORT}"

    def heartbeat(self, node: str) -> float | None:
        """When a node without a Lease was last alive, seconds since the epoch.

        Computed, not stored: now for a living simulated node, the moment of its death for a
        killed one, and of its partition for one that is cut off. None for nodes that renew a
        Lease, and for nodes not of this manager.
        """
        config = self._configs.get(node)
        if config is not None:
            if config.heartbeat is not None:
                return None
            cut = self._partitions.since(node)
            return self._store.clock.now() if cut is None else cut
        return self._killed.get(node)
