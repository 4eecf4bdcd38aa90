"""The nodes of an embedded cluster: handles that let them die, come back, and be drained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from orchestrator.embedded.arguments import check_capacity, text_of, texts_of
from orchestrator.embedded.errors import ClusterError
from orchestrator.embedded.guessing import nearest
from orchestrator.embedded.nodes.draining import DRAIN_SECONDS, Drain
from orchestrator.embedded.nodes.taints import parse_taint, with_taint, without_taint
from orchestrator.resources import names
from orchestrator.resources.conditions import find_condition
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import Object, spec_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from orchestrator.cluster import BareCluster
    from orchestrator.embedded.client.client import Client
    from orchestrator.embedded.clock.clocks import ClusterClock
    from orchestrator.embedded.presence import Presence
    from orchestrator.node import NodeManager

State: TypeAlias = Literal["running", "crashed", "partitioned", "foreign"]
"""How a node is. ``foreign``: only its Node object is there, which something else made."""

_SHOWN = 20
"""Nodes that are named to who asks for one that there is not."""
_TRIES = 5
"""How often a change of a Node is tried that others change at the same time."""


class Nodes(Mapping[str, "NodeHandle"]):
    """The cluster's nodes by name; `Cluster.nodes` is one.

    Those that crashed belong to it, and those of which there is only an object.
    """

    def __init__(
        self, core: BareCluster, client: Client, clock: ClusterClock, presence: Presence
    ) -> None:
        """Made by `Cluster`."""
        self._presence = presence
        self._core = core
        self._client = client
        self._clock = clock

    def _names(self) -> list[str]:
        found = {node["metadata"]["name"] for node in self._core.store.list("nodes")}
        # Those with a number in its order.
        return sorted(
            found | {*self._core.nodes.names, *self._core.nodes.fallen},
            key=lambda name: (len(name), name),
        )

    def __getitem__(self, name: str) -> NodeHandle:
        core = self._core
        known = core.nodes.lives(name) or name in core.nodes.fallen
        if not known and core.store.get("nodes", "", name) is None:
            raise KeyError(_unknown(name, self._names()))
        return NodeHandle(name, core, self._client, self._clock, self._presence)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        return f"<Nodes: {', '.join(f'{name} {self[name].state}' for name in self) or 'none'}>"

    async def add(
        self,
        name: str | None = None,
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: tuple[str, ...] = (),
    ) -> NodeHandle:
        """Start one more node; returns once it is registered and ready.

        Args:
            name: ``node-N`` unless given.
            capacity: Quantities by resource, over what the cluster's nodes have.
            labels: Beyond the well-known ones.
            taints: As for ``kubectl taint``: ``dedicated=gpu:NoSchedule``.

        Raises:
            ClusterError: There is a node of that name already, or it can't be one.
            ValueError: A taint cannot be read.
        """
        self._presence.require_here()
        if name is not None:
            text_of(name, "the name of a node")
        check_capacity(capacity, "capacity")
        _check_labels(labels)
        described = tuple(parse_taint(text).described() for text in texts_of(taints, "taints"))
        added = await self._presence.turns.take(
            lambda: self._core.add_node(name, capacity=capacity, labels=labels, taints=described)
        )
        await self._clock.settle()
        return self[added]


def _unknown(name: object, there: list[str]) -> str:
    near = nearest(name, there, 0.8)
    if near and not near[-1].isdecimal():
        return f"no node {name!r}: did you mean {near!r}?"
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    shown = ", ".join(there[:_SHOWN]) + more
    return f"no node {name!r}: there are {shown or 'none'}"


def _check_labels(labels: Any) -> None:
    if labels is not None and not isinstance(labels, Mapping):
        raise ClusterError(f"labels={labels!r}: give values by key, {{'disk': 'ssd'}}")
    for key, value in (labels or {}).items():
        wrong = (
            ["keys and values are texts"]
            if not (isinstance(key, str) and isinstance(value, str))
            else [*names.qualified_name(key), *names.label_value(value)]
        )
        if wrong:
            raise ClusterError(f"labels: {key!r}: {value!r}: {wrong[0]}")


class NodeHandle:
    """One node: what it is like, and what can be done to it.

    What happens to it is not waited for, only that it happens: a crash is noticed by the cluster
    when heartbeats have been missing for some time (`Cluster.wait`, ``clock.advance``).

    Attributes:
        name: Its name.
    """

    def __init__(
        self, name: str, core: BareCluster, client: Client, clock: ClusterClock, presence: Presence
    ) -> None:
        """Made by `Nodes`."""
        self._presence = presence
        self.name = name
        self._core = core
        self._client = client
        self._clock = clock

    def __repr__(self) -> str:
        return f"<node {self.name}: {self.state}{'' if self.ready else ', not ready'}>"

    # -- what it is like

    @property
    def object(self) -> Object:
        """Its Node object.

        Raises:
            ClusterError: There is none (any more).
        """
        found = self._core.store.get("nodes", "", self.name)
        if found is None:
            raise ClusterError(f"node {self.name!r} is not registered: it has no Node object")
        return found

    @property
    def ready(self) -> bool:
        """Whether the cluster takes it to be ready: a dead one is, for a while."""
        node = self._core.store.get("nodes", "", self.name)
        found = None if node is None else find_condition(node, "Ready")
        return found is not None and found["status"] == "True"

    @property
    def schedulable(self) -> bool:
        """Whether it is not cordoned."""
        return not spec_of(self.object).get("unschedulable")

    @property
    def pods(self) -> list[Object]:
        """The pods that are bound to it, of all namespaces, by namespace and name."""
        found = self._core.store.by_node(self.name)
        return sorted(
            found, key=lambda pod: (pod["metadata"]["namespace"], pod["metadata"]["name"])
        )

    @property
    def state(self) -> State:
        """How it really is, whatever the cluster knows of it."""
        nodes = self._core.nodes
        if nodes.lives(self.name):
            return "running" if nodes.reaches(self.name) else "partitioned"
        return "crashed" if self.name in nodes.fallen else "foreign"

    # -- faults

    async def crash(self) -> None:
        """Let it lose power: its containers are gone, and so are its heartbeats.

        Raises:
            ClusterError: It is crashed already, or not of this program.
        """
        await self._change_state(lambda nodes: nodes.kill(self.name), "running", "partitioned")

    async def recover(self) -> None:
        """Switch it on again after a crash: its pods' containers restart, as their policy says.

        Raises:
            ClusterError: It has not crashed.
        """
        await self._change_state(lambda nodes: nodes.revive(self.name), "crashed")

    async def partition(self) -> None:
        """Cut it off from the API: its containers go on.

        Heartbeats, statuses and Events do not arrive, and it does not hear of new pods or of
        deletions. One that is cut off stays so.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        await self._change_state(lambda nodes: nodes.partition(self.name), "running", "partitioned")

    async def heal(self) -> None:
        """End its partition: it tells what has become of its pods, and hears what it missed.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        await self._change_state(lambda nodes: nodes.heal(self.name), "running", "partitioned")

    async def remove(self) -> None:
        """Take it away for good: its containers, and its Node object.

        The cluster deletes its pods a while later, as those of any node that is gone.

        Raises:
            StatusError: The API refused to delete the object.
        """
        self._presence.require_here()

        async def take_away() -> None:
            if self.state != "foreign":
                await self._core.nodes.remove(self.name)

        await self._presence.turns.take(take_away)
        try:
            await self._client.delete("nodes", self.name)
        except StatusError as error:
            if error.code != 404:
                raise
        await self._clock.settle()

    async def _change_state(
        self, change: Callable[[NodeManager], Awaitable[None]], *states: State
    ) -> None:
        """Do something to it when its turn comes, if it is in one of some states then."""
        self._presence.require_here()

        async def turn() -> None:
            self._require(*states)
            await change(self._core.nodes)

        await self._presence.turns.take(turn)
        await self._clock.settle()

    def _require(self, *states: State) -> None:
        state = self.state
        if not states or state in states:
            return
        if state == "foreign":
            raise ClusterError(
                f"node {self.name!r} is only an object of the API: this program does not run it"
            )
        help_ = "recover() it first" if state == "crashed" else "crash() it first"
        raise ClusterError(f"node {self.name!r} is {state}: {help_}")

    # -- what administrators do

    async def cordon(self) -> None:
        """Let no more pods be scheduled on it."""
        await self._client.patch("nodes", self.name, {"spec": {"unschedulable": True}})

    async def uncordon(self) -> None:
        """Let pods be scheduled on it again."""
        await self._client.patch("nodes", self.name, {"spec": {"unschedulable": None}})

    async def taint(
        self,
        key: str,
        value: str = "",
        effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None,
    ) -> None:
        """Add a taint, or change the value of one that it has.

        Args:
            key: Its key, or all of it as for ``kubectl taint``: ``dedicated=gpu:NoSchedule``.
            value: Its value.
            effect: Where the key does not say; ``NoSchedule`` unless given.

        Raises:
            ValueError: It cannot be read.
        """
        text = (
            key if ":" in key else f"{key}{f'={value}' if value else ''}:{effect or 'NoSchedule'}"
        )
        wanted = parse_taint(text)
        await self._change(lambda taints: with_taint(taints, wanted))

    async def untaint(self, key: str) -> None:
        """Remove taints: all of a key, or those of a key and an effect (``key:NoExecute``).

        Raises:
            ClusterError: It has no such taint.
        """
        text = key.removesuffix("-")

        def change(taints: list[Object]) -> list[Object]:
            left = without_taint(taints, text)
            if len(left) == len(taints):
                raise ClusterError(f'taint "{text}" not found on node {self.name!r}')
            return left

        await self._change(change)

    async def _change(self, change: Callable[[list[Object]], list[Object]]) -> None:
        for left in reversed(range(_TRIES)):
            node = await self._client.get("nodes", self.name)
            spec = {**spec_of(node), "taints": change(list(spec_of(node).get("taints") or ()))}
            try:
                await self._client.replace({**node, "spec": spec})
            except StatusError as error:
                if error.reason != "Conflict" or not left:
                    raise
            else:
                return

    async def drain(
        self,
        *,
        grace_seconds: int | None = None,
        timeout: float = DRAIN_SECONDS,
        delete_emptydir_data: bool = False,
        ignore_daemonsets: bool = False,
        force: bool = False,
    ) -> list[Object]:
        """Cordon it and evict its pods as ``kubectl drain`` does; returns when they are gone.

        Evictions that a PodDisruptionBudget refuses are asked for again every five seconds of the
        cluster's time, which passes meanwhile.

        Args:
            grace_seconds: For the pods, in place of their own.
            timeout: Seconds of the cluster's time for all of it.
            delete_emptydir_data: Evict pods with an ``emptyDir``, whose data goes with them.
            ignore_daemonsets: Leave pods of DaemonSets where they are.
            force: Evict pods of no controller, which nobody makes anew.

        Returns:
            The pods that were evicted.

        Raises:
            DrainError: Some pods must not go unless one of the above says so, in kubectl's words;
                the node stays cordoned, and nothing was evicted.
            WaitTimeoutError: Some are not gone in time.
            StatusError: The API refused something for good.
        """
        await self.cordon()
        drain = Drain(
            self.name,
            self._client,
            self._clock,
            grace_seconds=grace_seconds,
            timeout=timeout,
            delete_emptydir_data=delete_emptydir_data,
            ignore_daemonsets=ignore_daemonsets,
            force=force,
        )
        return await drain.run(self.pods, self._core.store.get)
