"""Pods that were rejected, in groups, and which of them a change of the cluster lets try again.

Pods of one class and priority that the same plugins rejected are one group: it is asked once
whether a change helps, however many they are. Where a change helps on one node only, that node is
looked at, and as many pods are woken as it has room for; the others go on waiting. Should one of
those be removed, or be rejected for another reason, the next one is woken in its place.

What is to be asked is collected, so that a hundred pods leaving a node are one question, and is
asked on the state of the cluster when the answer is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from orchestrator.scheduler.core.changes import Change, NodeChange, PodChange, Registration
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.events import ANYTHING, NOTHING, ClusterEvent
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import Filter, node_ports, node_resources_fit
from orchestrator.scheduler.core.waiting import Group, GroupKey, WaitingPod

Look: TypeAlias = Callable[[PodClass, NodeState, int], Verdict | None]
"""Asks all filters about one node for pods of a class and priority."""

NOBODY = Registration("", ClusterEvent.NODE_ADDED)
"""For pods that nobody rejected since there was no node: upstream tries them again every 10 s."""

UNSUPPORTED = Registration("Unsupported", NOTHING)
"""For pods with demands that this scheduler cannot keep: nothing but another spec helps."""


def registrations_of(
    filters: Iterable[Filter] = DEFAULT_FRAMEWORK.filters, more: Iterable[Registration] = ()
) -> dict[str, Registration]:
    """Return what the queue has to know of all plugins, by their names.

    Args:
        filters: That may reject a pod, of all profiles.
        more: Of plugins that are no filters, or instead of what a filter says itself.
    """
    found = {registration.plugin: registration for registration in (NOBODY, UNSUPPORTED)}
    found.update((plugin.name, plugin.registration) for plugin in filters)
    found.update((registration.plugin, registration) for registration in more)
    return found


class Woken(NamedTuple):
    """Pods that may try again.

    Attributes:
        pods: Taken out of their group.
        at_once: Without a backoff: who rejected them only wanted them to wait.
        event: What helped.
    """

    pods: list[WaitingPod]
    at_once: bool
    event: ClusterEvent


class RejectedPods:
    """The groups, and the changes that nobody was asked about yet."""

    def __init__(self, registrations: Mapping[str, Registration], look: Look | None) -> None:
        """Begin without any pod.

        Args:
            registrations: By plugin; one that is missing wants to hear of everything.
            look: Asks a node; None believes every hint.
        """
        self._registrations = registrations
        self._look = look
        self._groups: dict[GroupKey, Group] = {}
        self._listening: dict[int, dict[GroupKey, Group]] = {}  # by the bit of an event
        self._events = 0  # the bits that somebody listens to
        self._changes: dict[Any, Change] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def unasked(self) -> bool:
        """Whether `wake` has something to ask."""
        return bool(self._changes)

    def group_of(self, pod: WaitingPod, plugins: frozenset[str], pending: frozenset[str]) -> Group:
        """Return the group that a pod belongs to; it counts once it has a pod."""
        preempts = pod.preempts and not (pod.attempts is not None and pod.attempts.nominated)
        key = (pod.pod_class, pod.priority, preempts, plugins, pending)
        group = self._groups.get(key)
        if group is None:
            group = Group(key)
            group.asked = [self._registration(plugin) for plugin in sorted(plugins)]
            for registration in group.asked:
                group.events |= registration.events.value
        return group

    def add(self, pod: WaitingPod, group: Group) -> None:
        """Put a pod into a group that `group_of` returned."""
        if not group.pods:
            self._groups[group.key] = group
            self._listen(group)
        group.pods[pod.uid] = pod
        self._count += 1

    def remove(self, pod: WaitingPod, group: Group) -> None:
        """Take a pod out of its group."""
        del group.pods[pod.uid]
        self._count -= 1
        if not group.pods:
            self._drop(group)

    def get(self, key: GroupKey) -> Group | None:
        """Return the group with this key, if it has a pod."""
        return self._groups.get(key)

    def groups(self) -> list[Group]:
        """Return all groups."""
        return list(self._groups.values())

    # ---- events

    def note(self, change: Change) -> None:
        """Remember a change to ask about, if anybody listens."""
        if not change.kind.value & self._events:
            return
        key: Any = len(self._changes)
        if isinstance(change, PodChange):
            added = change.kind is ClusterEvent.POD_ADDED
            where = None if added or change.node is None else change.node.index
            key = (change.kind.value, change.pod.pod_class, change.before, where)
        elif isinstance(change, NodeChange) and change.kind is not ClusterEvent.NODE_REMOVED:
            key = change.node.name
            earlier = self._changes.get(key)
            if isinstance(earlier, NodeChange):
                change = earlier.followed_by(change)
        self._changes[key] = change

    def wake(self) -> Iterator[Woken]:
        """Ask about everything noted since the last time; yield the pods that may try again."""
        changes, self._changes = self._changes, {}
        for change in changes.values():
            for group in self._listeners(change.kind.value):
                at_once, number = self.ask(group, change)
                if number:
                    yield Woken(self.take(group, number), at_once, change.kind)

    def ask(self, group: Group, change: Change) -> tuple[bool, int]:
        """Tell whether a change helps a group: whether without a backoff, and how many pods.

        Returns:
            ``(False, 0)`` when it does not.
        """
        helps = helps_there = False
        kind = change.kind.value
        for registration in group.asked:
            if not registration.events.value & kind:
                continue
            pending = registration.plugin in group.pending
            if helps and not pending:
                continue
            if registration.hint is not None and not registration.hint(group.pod_class, change):
                continue
            if pending:
                return True, _ALL
            if registration.local:
                helps_there = True
            else:
                helps = True
                if not group.pending:
                    break
        if helps:
            return False, _ALL
        return False, self._room(group, change) if helps_there else 0

    def take(self, group: Group, number: int) -> list[WaitingPod]:
        """Take the first pods out of a group, as scouts of those that stay."""
        pods = list(islice(group.pods.values(), number))
        if len(pods) == len(group.pods):
            group.pods.clear()
            self._drop(group)
        else:
            for pod in pods:
                del group.pods[pod.uid]
                if pod.attempts is not None:
                    pod.attempts.scout = group.key
            # The others will not be told so, but this is what keeps them once the room is taken.
            self._listen_for(group, node_resources_fit.NAME)
            if group.pod_class.request.ports:
                self._listen_for(group, node_ports.NAME)
        self._count -= len(pods)
        return pods

    def _room(self, group: Group, change: Change) -> int:
        """Return how many pods of a group the node takes that a change is about."""
        if not isinstance(change, (PodChange, NodeChange)):
            return _ALL
        node = change.node
        if self._look is None or node is None:
            return _ALL
        found = self._look(group.pod_class, node, group.priority)
        if found is None:
            return node_resources_fit.room_for(group.pod_class, node)
        plugin, rejection, _ = found
        if (
            rejection.resolvable
            and group.preempts
            and any(pod.priority < group.priority for pod in node.pods.values())
        ):
            return 1  # if it finds victims now, the next one tries; see `SchedulingQueue.reject`
        self._listen_for(group, plugin)
        return 0

    def _listen_for(self, group: Group, plugin: str) -> None:
        """Note one more plugin that keeps a group: what changes its mind is of interest now."""
        if plugin not in group.plugins:
            group.plugins.add(plugin)
            registration = self._registration(plugin)
            group.asked.append(registration)
            group.events |= registration.events.value
            if group.pods:
                self._listen(group)

    def _registration(self, plugin: str) -> Registration:
        found = self._registrations.get(plugin)
        return Registration(plugin, ANYTHING) if found is None else found

    def _listen(self, group: Group) -> None:
        self._events |= group.events
        for bit in _bits(group.events):
            self._listening.setdefault(bit, {})[group.key] = group

    def _drop(self, group: Group) -> None:
        del self._groups[group.key]
        for bit in _bits(group.events):
            listening = self._listening[bit]
            del listening[group.key]
            if not listening:
                self._events &= ~bit

    def _listeners(self, kind: int) -> list[Group]:
        if not kind & (kind - 1):
            return list(self._listening.get(kind, {}).values())
        found: dict[GroupKey, Group] = {}
        for bit in _bits(kind):
            found.update(self._listening.get(bit, {}))
        return list(found.values())


_ALL = 1 << 62


def _bits(number: int) -> Iterator[int]:
    while number:
        bit = number & -number
        yield bit
        number ^= bit
