"""The parent of all nodes: follows the store for them, and writes for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias, assert_never

from actors import DEFERRED, Actor, ActorRef, Clock, Envelope, Supervision
from orchestrator.node import nodes
from orchestrator.node.configs import NodeConfig
from orchestrator.node.node_pods import NodePods, SharedByPods
from orchestrator.node.nodes import NodeActor, NodeParts, NodeStore
from orchestrator.node.outbox import Outbox, Proposal, failed_for_now, plan_write
from orchestrator.node.partitions import Partitions
from orchestrator.node.routing import route
from orchestrator.node.runtime import Runtime
from orchestrator.node.surroundings import Recorder
from orchestrator.records import dataclass
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object
from orchestrator.store import Expired, Follower

if TYPE_CHECKING:
    from orchestrator.node.volumes import VolumeDirectories

_FOLLOWED = (
    "pods",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "persistentvolumeclaims",
    "nodes",
)
_ALL = 1 << 30
"""More events than a window holds."""
_WRITE_AGAIN = 1.0
"""Seconds until a write that failed as a whole is repeated."""
REGISTERING = 1000
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
        self._shared = SharedByPods()
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
        while self._unstarted and len(self._registering) < REGISTERING:
            name, config = self._unstarted.popitem(last=False)
            self._registering.add(name)
            self._spawn(config)

    def _spawn(self, config: NodeConfig) -> None:
        runtime, parts = self._runtimes[config.runtime], self._parts
        pods = self._pods[config.name] = NodePods(self._shared, self._store.clock)
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
