"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Change those, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.embedded.nodes.draining import DRAIN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from orchestrator.embedded.nodes.nodes import NodeHandle, Nodes, State
    from orchestrator.embedded.sync.portal import Portal
    from orchestrator.resources.objects import Object


class SyncNode:
    """The synchronous twin of `NodeHandle`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: NodeHandle) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    @property
    def name(self) -> str:
        """See the attribute of the asynchronous one."""
        return self._async.name

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    @property
    def object(self) -> Object:
        """Its Node object.

        Raises:
            ClusterError: There is none (any more).
        """
        return self._portal.run(lambda: self._async.object)

    @property
    def ready(self) -> bool:
        """Whether the cluster takes it to be ready: a dead one is, for a while."""
        return self._portal.run(lambda: self._async.ready)

    @property
    def schedulable(self) -> bool:
        """Whether it is not cordoned."""
        return self._portal.run(lambda: self._async.schedulable)

    @property
    def pods(self) -> list[Object]:
        """The pods that are bound to it, of all namespaces, by namespace and name."""
        return self._portal.run(lambda: self._async.pods)

    @property
    def state(self) -> State:
        """How it really is, whatever the cluster knows of it."""
        return self._portal.run(lambda: self._async.state)

    def crash(self) -> None:
        """Let it lose power: its containers are gone, and so are its heartbeats.

        Raises:
            ClusterError: It is crashed already, or not of this program.
        """
        self._portal.call(self._async.crash)

    def recover(self) -> None:
        """Switch it on again after a crash: its pods' containers restart, as their policy says.

        Raises:
            ClusterError: It has not crashed.
        """
        self._portal.call(self._async.recover)

    def partition(self) -> None:
        """Cut it off from the API: its containers go on.

        Heartbeats, statuses and Events do not arrive, and it does not hear of new pods or of
        deletions. One that is cut off stays so.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        self._portal.call(self._async.partition)

    def heal(self) -> None:
        """End its partition: it tells what has become of its pods, and hears what it missed.

        Raises:
            ClusterError: It has crashed, or is not of this program.
        """
        self._portal.call(self._async.heal)

    def remove(self) -> None:
        """Take it away for good: its containers, and its Node object.

        The cluster deletes its pods a while later, as those of any node that is gone.

        Raises:
            StatusError: The API refused to delete the object.
        """
        self._portal.call(self._async.remove)

    def cordon(self) -> None:
        """Let no more pods be scheduled on it."""
        self._portal.call(self._async.cordon)

    def uncordon(self) -> None:
        """Let pods be scheduled on it again."""
        self._portal.call(self._async.uncordon)

    def taint(
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
        self._portal.call(self._async.taint, key, value, effect)

    def untaint(self, key: str) -> None:
        """Remove taints: all of a key, or those of a key and an effect (``key:NoExecute``).

        Raises:
            ClusterError: It has no such taint.
        """
        self._portal.call(self._async.untaint, key)

    def drain(
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
        return self._portal.call(
            self._async.drain,
            grace_seconds=grace_seconds,
            timeout=timeout,
            delete_emptydir_data=delete_emptydir_data,
            ignore_daemonsets=ignore_daemonsets,
            force=force,
        )


class SyncNodes(Mapping[str, "SyncNode"]):
    """The synchronous twin of `Nodes`: the same methods, without ``await``."""

    def __init__(self, portal: Portal, twin: Nodes) -> None:
        """Speak to an asynchronous one on the portal's thread."""
        self._portal = portal
        self._async = twin

    def __getitem__(self, name: str) -> SyncNode:
        return SyncNode(self._portal, self._portal.run(self._async.__getitem__, name))

    def __iter__(self) -> Iterator[str]:
        return self._portal.run(self._async.__iter__)

    def __len__(self) -> int:
        return self._portal.run(self._async.__len__)

    def __repr__(self) -> str:
        return self._portal.run(self._async.__repr__)

    def add(
        self,
        name: str | None = None,
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: tuple[str, ...] = (),
    ) -> SyncNode:
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
        return SyncNode(
            self._portal,
            self._portal.call(
                self._async.add, name, capacity=capacity, labels=labels, taints=taints
            ),
        )
