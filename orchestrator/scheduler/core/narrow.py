"""Groups of rejected pods that only room on a node helps, by how much room they need.

In a full cluster most pods wait for that, and a pod that leaves a node makes a little room there:
whoever needs more is passed over without being looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from math import inf

from orchestrator.scheduler.core.changes import Change, NodeChange, PodChange
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import node_resources_fit
from orchestrator.scheduler.core.waiting import Group, GroupKey


class Site:
    """A node that something happened on; what several groups ask about it is found out once."""

    __slots__ = ("_lowest", "node")

    def __init__(self, node: NodeState) -> None:
        self.node = node
        self._lowest: float | None = None

    @property
    def lowest(self) -> float:
        """The lowest priority of a pod on the node."""
        if self._lowest is None:
            self._lowest = min((pod.priority for pod in self.node.pods.values()), default=inf)
        return self._lowest

    def is_full_for(self, group: Group) -> bool:
        """Tell that NodeResourcesFit keeps a group that listens to it, preemption or not.

        Extended resources are left out: a profile may ignore them.
        """
        if node_resources_fit.NAME not in group.plugins:
            return False
        node, request = self.node, group.pod_class.request
        if (
            len(node.pods) < node.allowed_pods
            and (not request.cpu or request.cpu <= node.cpu - node.used_cpu)
            and (not request.memory or request.memory <= node.memory - node.used_memory)
        ):
            return False
        return not (group.preempts and self.lowest < group.priority)


def site_of(change: Change) -> Site | None:
    """Return the node that a change is about, if it is about one that is there."""
    if isinstance(change, (PodChange, NodeChange)) and change.node is not None:
        return Site(change.node)
    return None


class NarrowGroups:
    """Such groups, sorted by the CPU that a pod of theirs requests."""

    def __init__(self) -> None:
        self._groups: dict[GroupKey, Group] = {}
        self._sorted: list[Group] | None = None
        self._demands: list[int] = []
        self._highest: float = -inf  # of those that preempt

    @staticmethod
    def fits(group: Group) -> bool:
        """Tell whether a group belongs here: it listens to NodeResourcesFit, and to nobody far."""
        return not group.anywhere and not group.pending and node_resources_fit.NAME in group.plugins

    def add(self, group: Group) -> None:
        """Take a group in."""
        self._groups[group.key] = group
        self._sorted = None

    def discard(self, group: Group) -> None:
        """Take a group out that may be here."""
        if self._groups.pop(group.key, None) is not None:
            self._sorted = None

    def listeners(self, change: Change, site: Site | None) -> list[Group]:
        """Return the groups that a change may help."""
        groups = self._groups
        if not groups:
            return []
        if site is None:
            # A pod that was on no node, or something that is not on one node.
            return [] if isinstance(change, PodChange) else list(groups.values())
        found = self._sorted
        if found is None:
            found = self._sort()
        if site.lowest < self._highest:
            return list(found)
        node = site.node
        return found[: bisect_right(self._demands, node.cpu - node.used_cpu)]

    def _sort(self) -> list[Group]:
        found = sorted(self._groups.values(), key=lambda group: group.pod_class.request.cpu)
        self._sorted = found
        self._demands = [group.pod_class.request.cpu for group in found]
        self._highest = max((group.priority for group in found if group.preempts), default=-inf)
        return found
