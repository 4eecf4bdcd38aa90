"""Choosing a node for a pod in O(log nodes): verdicts and scores are kept per pod class.

Each class has its nodes in heaps ordered by score. A change of a node (a placement above all)
makes that node's entry stale; before the class is asked again, exactly the changed nodes are
judged and scored anew. Among equal scores the order is random. `tests/scheduler` compares the
choice with a plain loop over all nodes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import (
    STATIC_FILTERS,
    node_affinity,
    scores,
    taint_toleration,
)
from orchestrator.scheduler.core.plugins.node_resources_fit import fits

_Taste = tuple[int, int]  # PreferNoSchedule taints not tolerated, weights of preferred affinity
_Entry = tuple[int, float, int, int]  # minus score, random, node index, stamp


class ClassIndex:
    """The nodes of a cluster as one pod class sees them."""

    def __init__(self, pod: PodClass, cluster: Cluster, random: Callable[[], float]) -> None:
        self._pod = pod
        self._cluster = cluster
        self._random = random
        # What PreferNoSchedule taints and preferred affinity are worth depends on the highest
        # among feasible nodes: nodes that are alike in both have a heap of their own.
        self._heaps: dict[_Taste, list[_Entry]] = {}
        self._stamps: dict[int, int] = {}  # node index: stamp of its valid entry
        self._verdicts: dict[int, tuple[int, _Taste | None]] = {}  # node index: version, verdict
        self._stamp = 0
        self._revision = -1
        self._pushed = 0  # since somebody last looked how much in the heaps is stale

    def find_best(self) -> NodeState | None:
        """Return a feasible node of the highest score, or None when no node is feasible."""
        self._catch_up()
        heaps = self._heaps
        if len(heaps) == 1:  # the usual case: nothing to weigh against each other
            (heap,) = heaps.values()
            entry = self._top(heap)
            return None if entry is None else self._cluster.nodes[entry[2]]
        tops = {taste: top for taste, heap in heaps.items() if (top := self._top(heap))}
        if not tops:
            return None
        taints = max(taste[0] for taste in tops)
        preferred = max(taste[1] for taste in tops)
        best = min(
            (
                entry[0]
                - taint_toleration.WEIGHT * taint_toleration.normalise(taste[0], taints)
                - node_affinity.WEIGHT * node_affinity.normalise(taste[1], preferred),
                entry[1],
                entry[2],
            )
            for taste, entry in tops.items()
        )
        return self._cluster.nodes[best[2]]

    def _catch_up(self) -> None:
        cluster = self._cluster
        revision = cluster.revision
        if revision == self._revision:
            return
        changed = None if self._revision < 0 else cluster.changes_since(self._revision)
        self._revision = revision
        if changed is None or (
            self._pushed > 3 * len(self._stamps) + 64 and self._is_mostly_stale()
        ):
            self._rebuild()
            return
        for index in changed:
            judged = self._judge(index)
            if judged is not None:
                taste, entry = judged
                self._pushed += 1
                heap = self._heaps.get(taste)
                if heap is None:
                    self._heaps[taste] = [entry]
                else:
                    heappush(heap, entry)

    def _is_mostly_stale(self) -> bool:
        """Tell whether the heaps hold much that `_top` never came to drop."""
        self._pushed = 0
        return sum(map(len, self._heaps.values())) > 4 * len(self._stamps) + 64

    def _rebuild(self) -> None:
        self._pushed = 0
        self._heaps = {}
        self._stamps = {}
        for state in self._cluster.by_name.values():
            judged = self._judge(state.index)
            if judged is not None:
                self._heaps.setdefault(judged[0], []).append(judged[1])
        for heap in self._heaps.values():
            heapify(heap)

    def _judge(self, index: int) -> tuple[_Taste, _Entry] | None:
        """Make a node's present entry, or make it have none."""
        node = self._cluster.nodes[index]
        pod = self._pod
        if node is None:
            self._stamps.pop(index, None)
            self._verdicts.pop(index, None)
            return None
        verdict = self._verdicts.get(index)
        if verdict is None or verdict[0] != node.version:
            taste = None
            if not any(plugin.check(pod, node, self._cluster) for plugin in STATIC_FILTERS):
                unwelcome = taint_toleration.count_unwelcome(pod, node)
                taste = (unwelcome, node_affinity.count_preferred(pod, node))
            verdict = self._verdicts[index] = (node.version, taste)
        taste = verdict[1]
        ports = pod.request.ports
        if taste is None or not fits(pod, node) or (ports and not node.has_free(ports)):
            self._stamps.pop(index, None)
            return None
        self._stamp = stamp = self._stamp + 1
        self._stamps[index] = stamp
        score = scores.least_allocated(pod, node) + scores.balanced_allocation(pod, node)
        return taste, (-score, self._random(), index, stamp)

    def _top(self, heap: list[_Entry]) -> _Entry | None:
        """Return the best valid entry, dropping stale ones above it."""
        stamps = self._stamps
        while heap:
            entry = heap[0]
            if stamps.get(entry[2]) == entry[3]:
                return entry
            heappop(heap)
        return None


class Placer:
    """Finds nodes for pods, with an index for each of the classes asked for lately."""

    def __init__(self, cluster: Cluster, random: Callable[[], float], limit: int = 256) -> None:
        self._cluster = cluster
        self._random = random
        self._limit = limit
        self._indexes: OrderedDict[PodClass, ClassIndex] = OrderedDict()

    def find_best(self, pod: PodClass) -> NodeState | None:
        """Return the node to place a pod of this class on, or None when it fits nowhere."""
        if pod.unsupported:
            return None
        index = self._indexes.get(pod)
        if index is None:
            if len(self._indexes) >= self._limit:
                self._indexes.popitem(last=False)
            index = self._indexes[pod] = ClassIndex(pod, self._cluster, self._random)
        else:
            self._indexes.move_to_end(pod)
        return index.find_best()
