"""What could be gained by removing pods, node by node, kept and repaired for one class of pods.

The nodes stand in a heap by what their victims cost. A node that changes is looked at again; where
a verdict depends on other nodes too, whatever is chosen is tried again first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.scopes import Scope, scope_of
from orchestrator.scheduler.core.trials import reject_beside
from orchestrator.scheduler.core.victims import (
    NO_VICTIMS,
    Cost,
    Reasons,
    Victims,
    cost_of,
    select_by_arithmetic,
    select_by_trial,
)

UNHELPFUL: Final = "Preemption is not helpful for scheduling"

_Entry: TypeAlias = tuple[Cost, float, int, int]  # cost, random, node index, stamp


class Preemption(NamedTuple):
    """What to do for a pod that fits nowhere.

    Attributes:
        node: To nominate the pod to.
        victims: To remove from the node, the most important first. Some may be terminating
            already.
        violations: How many of them a PodDisruptionBudget protects.
    """

    node: NodeState
    victims: tuple[PodState, ...]
    violations: int


class _Candidate(NamedTuple):
    """Victims on a node, found at a revision of the cluster."""

    stamp: int
    revision: int
    victims: Victims


class Candidates:
    """What could be gained on each node for pods of one class and priority; see `Preemptor`."""

    def __init__(
        self,
        pod: PodClass,
        priority: int,
        cluster: Cluster,
        budgets: Budgets,
        framework: Framework,
        random: Callable[[], float],
    ) -> None:
        self._pod = pod
        self._priority = priority
        self._cluster = cluster
        self._budgets = budgets
        self._framework = framework
        self._random = random
        self._scope = Scope.NODE
        self._revisions = (-1, -1, -1, -1)  # see `_now`
        self._begun_at = -1  # the cluster's revision
        self._aged = False  # something is kept that may have changed
        self._heap: list[_Entry] = []
        self._stamp = 0
        self._candidates: dict[int, _Candidate] = {}  # by node index
        self._harmless = 0  # candidates that break no budget
        self._reasons: dict[int, Reasons] = {}  # node index: why nothing is gained there
        self._unknown: dict[int, None] = {}  # node indexes to look at, in this order

    def find(self, wanted: int) -> Preemption | None:
        """Find what costs least, among at least ``wanted`` nodes if there are so many.

        Among all of them when as much is wanted. As long as each would break a budget, more nodes
        are looked at.
        """
        if self._framework.reject_pod(self._pod, self._cluster) is not None:
            return None
        everything = wanted >= len(self._cluster.by_name)
        if self._framework.asks_each_pod:
            self._begin()  # what was found was for another pod
        else:
            self._catch_up(keep=0 if everything else wanted // 2)
        found = self._find(wanted)
        self._revisions = self._now()  # trying out the volumes of pods counts as changes of them
        return found

    def _find(self, wanted: int) -> Preemption | None:
        while True:
            while self._unknown and not (self._harmless and len(self._candidates) >= wanted):
                unknown = next(iter(self._unknown))
                del self._unknown[unknown]
                self._look_at(unknown)
            index = self._cheapest()
            if index is None:
                if not self._aged:
                    return None
                self._begin()  # what was of no use may be of use by now
                continue
            found = self._candidates[index]
            if found.revision == self._revisions[0] or self._scope is not Scope.CLUSTER:
                node = self._cluster.nodes[index]
                assert node is not None
                return Preemption(node, *found.victims)
            self._drop(index)
            self._look_at(index)

    def _cheapest(self) -> int | None:
        """Return the index of the node whose victims cost least."""
        heap, candidates = self._heap, self._candidates
        while heap:
            _, _, index, stamp = heap[0]
            found = candidates.get(index)
            if found is not None and found.stamp == stamp:
                return index
            heappop(heap)
        return None

    def explain(self) -> str:
        """Say why nothing can be gained anywhere."""
        total = len(self._cluster.by_name)
        if self._framework.reject_pod(self._pod, self._cluster) is not None:
            return f"0/{total} nodes are available: {total} {UNHELPFUL}."
        self.find(total + 1)
        reasons = Counter(reason for found in self._reasons.values() for reason in found)
        if total > len(self._reasons):
            reasons[UNHELPFUL] += total - len(self._reasons)
        histogram = sorted(f"{count} {reason}" for reason, count in reasons.items())
        return f"0/{total} nodes are available: {', '.join(histogram)}."

    def _catch_up(self, keep: int) -> None:
        """Have the nodes looked at again about which something may have changed.

        Args:
            keep: Where a verdict depends on other nodes, so many changes of them may happen before
                all of it is thrown away. Whatever is chosen meanwhile is tried again first: it is
                right, if perhaps not the cheapest any more.
        """
        cluster, before = self._cluster, self._revisions
        now = self._now()
        if now == before:
            return
        if now[1:] == before[1:] and (
            self._scope is not Scope.CLUSTER or now[0] - self._begun_at <= keep
        ):
            changed = cluster.changes_since(before[0])
            if changed is not None:
                self._revisions = now
                self._aged = self._scope is Scope.CLUSTER
                self._forget(changed)
                return
        self._begin()

    def _now(self) -> tuple[int, int, int, int]:
        """Return the revisions of nodes, counters, budgets and free volumes."""
        cluster, demand = self._cluster, self._pod.volumes
        return (
            cluster.revision,
            cluster.topology.version,
            self._budgets.revision,
            0 if demand is None else cluster.volumes.revision(demand),
        )

    def _begin(self) -> None:
        """Know nothing of any node."""
        cluster = self._cluster
        self._scope = scope_of(self._pod, cluster, self._framework)
        self._revisions = self._now()
        self._begun_at = cluster.revision
        self._aged = False
        self._heap, self._candidates, self._reasons, self._harmless = [], {}, {}, 0
        names, nodes = self._pod.selection.names, cluster.by_name
        if names is not None:
            indexes = [nodes[name].index for name in sorted(names) if name in nodes]
        else:
            indexes = [node.index for node in nodes.values()]
        first = int(self._random() * len(indexes))
        self._unknown = dict.fromkeys(indexes[first:] + indexes[:first])

    def _forget(self, changed: Iterable[int]) -> None:
        """Have nodes that changed looked at again, after the others: see `find`."""
        names, nodes = self._pod.selection.names, self._cluster.nodes
        for index in changed:
            self._drop(index)
            node = nodes[index]
            if node is None:
                self._unknown.pop(index, None)
            elif names is None or node.name in names:
                self._unknown[index] = None

    def _drop(self, index: int) -> None:
        found = self._candidates.pop(index, None)
        if found is not None:
            self._harmless -= not found.victims.violations
        self._reasons.pop(index, None)

    def _look_at(self, index: int) -> None:
        node = self._cluster.nodes[index]
        assert node is not None
        found = self._select(node)
        if found is None:
            return
        if not isinstance(found, Victims):
            self._reasons[index] = found
            return
        self._stamp = stamp = self._stamp + 1
        self._candidates[index] = _Candidate(stamp, self._revisions[0], found)
        self._harmless += not found.violations
        heappush(self._heap, (cost_of(found), self._random(), index, stamp))

    def _select(self, node: NodeState) -> Victims | Reasons | None:
        """Return victims, or why there are none; None where removing pods cannot help."""
        pod, priority, cluster = self._pod, self._priority, self._cluster
        nominated = cluster.nominations.heeded(node.name, priority)
        found = reject_beside(nominated, pod, node, cluster, self._framework)
        if found is None or not found.rejection.resolvable:
            return None
        lower = [other for other in node.pods.values() if other.priority < priority]
        if not lower:
            return NO_VICTIMS
        budgets = self._budgets
        if self._scope is Scope.RESOURCES:
            selected = select_by_arithmetic(pod, lower, node, nominated, budgets)
        else:
            selected = select_by_trial(
                pod, lower, node, nominated, budgets, cluster, self._framework
            )
        return None if isinstance(selected, Victims) and not selected.pods else selected
