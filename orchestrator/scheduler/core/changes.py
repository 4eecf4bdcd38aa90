"""Changes of the cluster, with the facts that a plugin needs to tell whether one helps a pod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.volumes.changes import VolumeChange


class PodChange(NamedTuple):
    """Something happened to a pod that counts, or counted, on a node.

    Attributes:
        kind: One of the ``POD`` events.
        pod: As it is now, or as it was last.
        node: The one it is or was on; None when that is not there.
        before: The class it had, where that is what changed.
    """

    kind: ClusterEvent
    pod: PodState
    node: NodeState | None = None
    before: PodClass | None = None


class NodeChange:
    """Something happened to a node.

    Attributes:
        kind: ``NODE`` events; several where several things changed at once.
        node: As it is now, or as it was last.
    """

    __slots__ = ("_before", "_previous", "kind", "node")

    def __init__(
        self,
        kind: ClusterEvent,
        node: NodeState,
        previous: Mapping[str, Any] | None = None,
    ) -> None:
        """Note a change.

        Args:
            kind: What changed.
            node: The node.
            previous: The object it was described by before; None when it is new, or when that is
                not known.
        """
        self.kind = kind
        self.node = node
        self._previous = previous
        self._before: NodeState | None = None

    @property
    def before(self) -> NodeState | None:
        """What the node was like before, without its pods; None when it is new or not known."""
        if self._before is None and self._previous is not None:
            self._before = NodeState(self._previous, -1)
        return self._before

    def followed_by(self, later: NodeChange) -> NodeChange:
        """Return both changes as one."""
        return NodeChange(self.kind | later.kind, later.node, self._previous)


class NamespaceChange(NamedTuple):
    """A namespace's labels changed, or it is new, or gone."""

    kind: ClusterEvent
    name: str
    before: Mapping[str, str]
    after: Mapping[str, str]


class StorageChange(NamedTuple):
    """A claim, a volume, a class or something else about storage changed.

    Attributes:
        kind: What.
        facts: Whom it concerns.
    """

    kind: ClusterEvent
    facts: VolumeChange


Change: TypeAlias = PodChange | NodeChange | NamespaceChange | StorageChange

Hint: TypeAlias = Callable[[PodClass, Change], bool]
"""Tells whether a change may let a pod of the class fit that the plugin rejected: upstream's
``QueueingHintFn``. Pure; it is asked only about events that the plugin registered. In doubt it says
yes: a pod that is tried in vain costs time, one that is not tried waits for five minutes."""


class Registration(NamedTuple):
    """What a plugin wants to hear of for the pods that it rejected.

    Upstream's ``EventsToRegister``.

    Attributes:
        plugin: Its name.
        events: What could change its mind.
        hint: Looks closer; None when every such event may help.
        local: What it waits for helps on the one node that the change is about, and nowhere else.
            So that node can be asked before the pods are tried.
    """

    plugin: str
    events: ClusterEvent
    hint: Hint | None = None
    local: bool = False
