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
from orchestrator.scheduler.core.narrow import NarrowGroups, Site, site_of
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import Filter, node_ports, node_resources_fit
from orchestrator.scheduler.core.waiting import Group, GroupKey, Question, WaitingPod

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
        self._events = 0  # the bits that somebody listens to, or did
        self._narrow = NarrowGroups()
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
            for plugin in sorted(plugins):
                group.listen(self._registration(plugin))
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
            site = site_of(change)
            listeners = self._listeners(change.kind.value)
            listeners += self._narrow.listeners(change, site)
            for group in listeners:
                at_once, number = self.ask(group, change, site)
                if number:
                    yield Woken(self.take(group, number), at_once, change.kind)

    def ask(self, group: Group, change: Change, site: Site | None = None) -> tuple[bool, int]:
        """Tell whether a change helps a group: whether without a backoff, and how many pods.

        Args:
            group: Whom.
            change: What happened.
            site: Its node, if that was looked at before.

        Returns:
            ``(False, 0)`` when it does not.
        """
        at_once, helps = _answers(group, group.anywhere, change)
        if at_once or (helps and not group.pending):
            return at_once, _ALL
        at_once, number = self._ask_there(group, change, site or site_of(change))
        return at_once, _ALL if at_once or helps else number

    def _ask_there(self, group: Group, change: Change, site: Site | None) -> tuple[bool, int]:
        """Tell the same of what helps on the node that a change is about."""
        if not group.there:
            return False, 0
        if self._look is not None:
            if site is None and isinstance(change, PodChange):
                return False, 0  # it was on no node
            if site is not None and not group.pending and site.is_full_for(group):
                return False, 0
        at_once, helps = _answers(group, group.there, change)
        if at_once or not helps:
            return at_once, 0
        return False, _ALL if site is None else self._room(group, site)

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

    def _room(self, group: Group, site: Site) -> int:
        """Return how many pods of a group a node takes."""
        if self._look is None:
            return _ALL
        found = self._look(group.pod_class, site.node, group.priority)
        if found is None:
            if node_resources_fit.NAME not in self._registrations:
                return _ALL
            return node_resources_fit.room_for(group.pod_class, site.node)
        plugin, rejection, _ = found
        if rejection.resolvable and group.preempts and site.lowest < group.priority:
            return 1  # if it finds victims now, the next one tries; see `SchedulingQueue.reject`
        self._listen_for(group, plugin)
        return 0

    def _listen_for(self, group: Group, plugin: str) -> None:
        """Note one more plugin that keeps a group: what changes its mind is of interest now."""
        if plugin not in group.plugins:
            if group.pods:
                self._unlisten(group)
            group.listen(self._registration(plugin))
            if group.pods:
                self._listen(group)

    def _registration(self, plugin: str) -> Registration:
        found = self._registrations.get(plugin)
        return Registration(plugin, ANYTHING) if found is None else found

    def _listen(self, group: Group) -> None:
        self._events |= group.events
        if self._look is not None and self._narrow.fits(group):
            self._narrow.add(group)
            return
        for bit in _bits(group.events):
            self._listening.setdefault(bit, {})[group.key] = group

    def _unlisten(self, group: Group) -> None:
        if self._look is not None and self._narrow.fits(group):
            self._narrow.discard(group)
            return
        for bit in _bits(group.events):
            self._listening[bit].pop(group.key, None)

    def _drop(self, group: Group) -> None:
        del self._groups[group.key]
        self._unlisten(group)
        if not self._groups:
            self._events = 0

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


def _answers(group: Group, questions: list[Question], change: Change) -> tuple[bool, bool]:
    """Ask plugins: whether one that only wants to wait thinks that it helps, or any other."""
    helps = False
    kind, pod_class = change.kind.value, group.pod_class
    for events, hint, pending in questions:
        if events & kind and (pending or not helps) and (hint is None or hint(pod_class, change)):
            if pending:
                return True, True
            helps = True
            if not group.pending:
                break
    return False, helps
