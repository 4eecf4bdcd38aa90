"""Choosing a node for a pod without looking at all nodes: verdicts and scores are kept per class.

The feasible nodes of a class stand in heaps, ordered by the part of the score that is a node's own
(its resources). Everything else that a score or a filter looks at is the same for many nodes: how
many taints are unwelcome, which zone it is, how many pods of a kind it has. Nodes that are alike in
all of that share a heap, a *bucket*; whether a bucket is feasible, and what it adds to the score of
its nodes, is found once for each choice, from the counters of
`orchestrator.scheduler.core.demands`.

A change of a node (a placement above all) makes that node's entry stale; before the class is asked
again, the changed nodes are judged and scored anew. A class that has not been asked for long, since
many classes take turns, does not look at all changed nodes at once: as upstream's
``percentageOfNodesToScore`` has it, it is enough to know the best of so many feasible nodes, and
those are kept up to date first. Among equal scores the order is random. `tests/scheduler` compares
the choice with a plain loop over all nodes.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import Demands, Place
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework
from orchestrator.scheduler.core.judging import Judge, Taste
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import (
    inter_pod_affinity,
    node_affinity,
    pod_topology_spread,
    taint_toleration,
)
from orchestrator.scheduler.core.volumes import demands as volumes

_Entry: TypeAlias = tuple[int, float, int, int]  # minus score, random, node index, stamp
_EAGER = 8
"""So many nodes are looked at for each choice, though enough are known already."""

_SMALL = 100
"""Up to so many nodes, upstream looks at every one; and it never looks at fewer."""


def enough_nodes(nodes: int, percentage: int) -> int:
    """Return how many feasible nodes are enough to choose among.

    Args:
        nodes: In the cluster.
        percentage: The profile's ``percentageOfNodesToScore``; 0 for upstream's adaptive share.
    """
    if nodes <= _SMALL:
        return nodes
    share = percentage or max(5, 50 - nodes // 125)
    return nodes if share >= 100 else max(_SMALL, nodes * share // 100)


class _Bucket:
    """Feasible nodes that differ in their own score only.

    Attributes:
        taste: What the node objects are to the class.
        place: What the pods around them are to it; None where they do not matter.
        heap: Entries, stale ones among them, the best first.
        size: How many are valid.
    """

    __slots__ = ("heap", "place", "size", "taste")

    def __init__(self, taste: Taste, place: Place | None) -> None:
        self.taste = taste
        self.place = place
        self.heap: list[_Entry] = []
        self.size = 0


class ClassIndex:
    """The nodes of a cluster as the pods of one class see them."""

    def __init__(
        self,
        pod: PodClass,
        cluster: Cluster,
        framework: Framework,
        demands: Demands | None,
        random: Callable[[], float],
        start: int,
    ) -> None:
        """Begin without having looked at any node.

        Args:
            pod: The class.
            cluster: Its nodes.
            framework: The profile.
            demands: What the class wants of other pods.
            random: Between 0 and 1, for equal scores.
            start: The node index to look at first.
        """
        self._pod = pod
        self._cluster = cluster
        self._framework = framework
        self._demands = demands
        self._random = random
        self._judge = Judge(pod, framework, demands)
        demand = pod.volumes
        supplied = demand is not None and demand.depends & volumes.Depends.SUPPLY
        self._volumes = demand if supplied else None
        self._start = start
        self._reset()
        if demands is not None:
            demands.acquire()

    def close(self) -> None:
        """Tell the counters that nobody looks at them through this index any more."""
        if self._demands is not None:
            self._demands.release()

    def find_best(self, excluded: Collection[str] = ()) -> NodeState | None:
        """Return a feasible node of the highest score, or None when no node is feasible.

        Args:
            excluded: Names of nodes that do not come into question.
        """
        self._catch_up()
        feasible = self._widen()
        if len(feasible) == 1:  # the usual case: nothing to weigh against each other
            entry = self._top(feasible[0], excluded)
            return None if entry is None else self._cluster.nodes[entry[2]]
        return self._weigh(feasible, excluded)

    # ---- knowing enough nodes

    def _reset(self) -> None:
        self._buckets: dict[tuple[Taste, Place | None], _Bucket] = {}
        self._entries: dict[int, tuple[int, _Bucket]] = {}  # node index: stamp, where it is
        self._known = len(self._cluster.nodes)  # later ones are told of as changes
        self._unseen = self._known  # how many of them, from the cursor on, were never looked at
        self._cursor = self._start if self._start < self._known else 0
        self._waiting: set[int] = set()  # changed and not looked at since
        self._queue: deque[int] = deque()  # the same, in order
        self._stamp = 0
        self._pushed = 0  # since somebody last looked how much in the heaps is stale
        self._revision = self._cluster.revision
        self._images = self._cluster.images_version
        self._supply = self._supply_revision()
        self._enough = 0
        self._counted = -1
        self._spare = _EAGER

    def _catch_up(self) -> None:
        cluster = self._cluster
        if self._images != cluster.images_version and self._judge.likes_images:
            self._reset()
            return
        if self._volumes is not None and self._supply != self._supply_revision():
            self._reset()
            return
        revision = cluster.revision
        if revision == self._revision:
            return
        changed = cluster.changes_since(self._revision)
        if changed is None or self._is_mostly_stale():
            self._reset()
            return
        self._revision = revision
        entries = self._entries
        if len(changed) <= _EAGER or len(cluster.by_name) <= _SMALL:
            self._spare = _EAGER - len(changed)
            for index in changed:
                self._look_at(index)
            return
        self._spare = 0
        for index in entries.keys() & changed.keys():
            entries.pop(index)[1].size -= 1
        new = changed.keys() - self._waiting
        self._waiting |= new
        self._queue.extend(new)

    def _widen(self) -> list[_Bucket]:
        """Return the feasible buckets, after looking at as many nodes as it takes."""
        cluster = self._cluster
        if self._counted != len(cluster.by_name):
            self._counted = len(cluster.by_name)
            self._enough = enough_nodes(
                self._counted, self._framework.profile.percentage_of_nodes_to_score
            )
        feasible = self._feasible()
        if not self._unseen and not self._queue:
            return feasible
        more = self._spare  # a class that is asked often soon knows all nodes
        while True:
            lacking = self._enough - sum([bucket.size for bucket in feasible])
            if lacking <= 0 and more <= 0:
                return feasible
            look = max(lacking, more)
            more = 0
            for _ in range(look):
                index = self._next()
                if index is None:
                    return self._feasible()
                self._look_at(index)
            feasible = self._feasible()

    def _next(self) -> int | None:
        """Return the node to look at next; None when all are known."""
        nodes = self._cluster.nodes
        while self._unseen:
            self._unseen -= 1
            index = self._cursor
            self._cursor = index + 1 if index + 1 < self._known else 0
            if nodes[index] is not None and index not in self._entries:
                self._waiting.discard(index)
                return index
        while self._queue:
            index = self._queue.popleft()
            if index in self._waiting:
                self._waiting.discard(index)
                return index
        return None

    def _feasible(self) -> list[_Bucket]:
        demands = self._demands
        if demands is None:
            return [bucket for bucket in self._buckets.values() if bucket.size]
        admits = demands.admits
        return [
            bucket
            for bucket in self._buckets.values()
            if bucket.size and admits(bucket.place)  # type: ignore[arg-type] # set with demands
        ]

    def _look_at(self, index: int) -> None:
        """Make a node's present entry, or make it have none."""
        known = self._entries.get(index)
        if known is not None:
            known[1].size -= 1
        node = self._cluster.nodes[index]
        found = None if node is None else self._judge.judge(node, self._cluster)
        if found is None:
            if known is not None:
                del self._entries[index]
            return
        taste, place, score = found
        key = (taste, place)
        bucket = self._buckets.get(key)
        if bucket is None:
            self._sweep()
            bucket = self._buckets[key] = _Bucket(taste, place)
        self._stamp = stamp = self._stamp + 1
        self._entries[index] = (stamp, bucket)
        bucket.size += 1
        self._pushed += 1
        heappush(bucket.heap, (-score, self._random(), index, stamp))

    def _sweep(self) -> None:
        """Forget buckets that nothing is in, when they are most of all."""
        if len(self._buckets) > 64 + 2 * sum(bucket.size > 0 for bucket in self._buckets.values()):
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.size}

    def _supply_revision(self) -> int:
        """Return what grows when free volumes change other than on one node alone."""
        return 0 if self._volumes is None else self._cluster.volumes.revision(self._volumes)

    def _is_mostly_stale(self) -> bool:
        """Drop what is stale in the heaps when `_top` never came to it; never asks for a reset."""
        if self._pushed > 3 * len(self._entries) + 64:
            self._pushed = 0
            entries = self._entries
            for bucket in self._buckets.values():
                if len(bucket.heap) > 4 * bucket.size + 64:
                    bucket.heap = [
                        entry
                        for entry in bucket.heap
                        if (known := entries.get(entry[2])) is not None and known[0] == entry[3]
                    ]
                    heapify(bucket.heap)
        return False

    # ---- choosing

    def _top(self, bucket: _Bucket, excluded: Collection[str]) -> _Entry | None:
        """Return the best valid entry, dropping stale ones above it."""
        heap, entries = bucket.heap, self._entries
        aside: list[_Entry] = []
        best = None
        while heap:
            entry = heap[0]
            known = entries.get(entry[2])
            if known is None or known[0] != entry[3]:
                heappop(heap)
                continue
            if excluded:
                node = self._cluster.nodes[entry[2]]
                if node is not None and node.name in excluded:
                    aside.append(heappop(heap))
                    continue
            best = entry
            break
        for entry in aside:
            heappush(heap, entry)
        return best

    def _weigh(self, feasible: list[_Bucket], excluded: Collection[str]) -> NodeState | None:
        """Choose among buckets: normalise what they add, and take the best."""
        tops = [
            (bucket, entry)
            for bucket in feasible
            if (entry := self._top(bucket, excluded)) is not None
        ]
        if not tops:
            return None
        bonuses = self._bonuses(feasible)
        best = min((entry[0] - bonuses[id(bucket)], entry[1], entry[2]) for bucket, entry in tops)
        return self._cluster.nodes[best[2]]

    def _bonuses(self, feasible: list[_Bucket]) -> dict[int, int]:
        """Return what the nodes of each feasible bucket get beside their own score."""
        weight = self._framework.weight
        unwelcome = max(bucket.taste[0] for bucket in feasible)
        preferred = max(bucket.taste[1] for bucket in feasible)
        taints, affinity = weight("TaintToleration"), weight("NodeAffinity")
        images = weight("ImageLocality")
        bonuses = {
            id(bucket): taints * taint_toleration.normalise(bucket.taste[0], unwelcome)
            + affinity * node_affinity.normalise(bucket.taste[1], preferred)
            + images * bucket.taste[2]
            for bucket in feasible
        }
        if self._demands is not None:
            self._add_spread(feasible, bonuses)
            self._add_attraction(feasible, bonuses)
        return bonuses

    def _add_spread(self, feasible: list[_Bucket], bonuses: dict[int, int]) -> None:
        demands = self._demands
        assert demands is not None
        if not demands.soft:
            return
        sizes: dict[Place, int] = {}
        for bucket in feasible:
            assert bucket.place is not None
            sizes[bucket.place] = sizes.get(bucket.place, 0) + bucket.size
        weights = demands.spread_weights(sizes)
        raw = {place: demands.crowding(place, weights) for place in sizes}
        counted = [value for value in raw.values() if value is not None]
        if not counted:
            return
        lowest, highest = min(counted), max(counted)
        factor = self._framework.weight(pod_topology_spread.NAME)
        for bucket in feasible:
            value = raw[bucket.place]  # type: ignore[index] # set with demands
            if value is not None:
                bonuses[id(bucket)] += factor * pod_topology_spread.normalise_one(
                    value, lowest, highest
                )

    def _add_attraction(self, feasible: list[_Bucket], bonuses: dict[int, int]) -> None:
        demands = self._demands
        assert demands is not None
        if not demands.scored:
            return
        raw = [demands.attraction(bucket.place) for bucket in feasible]  # type: ignore[arg-type] # set with demands
        lowest, highest = min(raw), max(raw)
        factor = self._framework.weight(inter_pod_affinity.NAME)
        for bucket, value in zip(feasible, raw, strict=True):
            bonuses[id(bucket)] += factor * inter_pod_affinity.normalise_one(value, lowest, highest)


class Placer:
    """Finds nodes for pods, with an index for each of the classes asked for lately."""

    def __init__(
        self,
        cluster: Cluster,
        random: Callable[[], float],
        limit: int = 1024,
        framework: Framework = DEFAULT_FRAMEWORK,
    ) -> None:
        """Prepare.

        Args:
            cluster: Where to place pods.
            random: Between 0 and 1, for equal scores.
            limit: Most indexes that are kept.
            framework: The profile's plugins.
        """
        self.framework = framework
        self._cluster = cluster
        self._random = random
        self._limit = limit
        self._indexes: OrderedDict[Hashable, ClassIndex] = OrderedDict()
        self._by_class: dict[PodClass, tuple[int, Hashable]] = {}
        self._start = 0

    def find_best(self, pod: PodClass, excluded: Collection[str] = ()) -> NodeState | None:
        """Return the node to place a pod of this class on, or None when it fits nowhere.

        Args:
            pod: The class.
            excluded: Names of nodes that do not come into question.
        """
        if pod.unsupported or self.framework.reject_pod(pod, self._cluster) is not None:
            return None
        if self.framework.needs_everything(pod) or pod.selection.names is not None:
            return self._ask_everyone(pod, excluded)
        version = self._cluster.topology.version
        known = self._by_class.get(pod)
        if known is not None and known[0] == version:
            index = self._indexes.get(known[1])
            if index is not None:
                self._indexes.move_to_end(known[1])
                return index.find_best(excluded)
        return self._index(pod).find_best(excluded)

    def _index(self, pod: PodClass) -> ClassIndex:
        """Return the index of a class, which other classes may share."""
        demands = self._cluster.demands(pod, self.framework.settings)
        signature = None if demands is None else demands.signature()
        key = (pod.shape, pod.volumes, signature)
        index = self._indexes.get(key)
        if index is None:
            if len(self._indexes) >= self._limit:
                self._indexes.popitem(last=False)[1].close()
            index = ClassIndex(
                pod, self._cluster, self.framework, demands, self._random, self._start
            )
            # Each new class begins elsewhere, so that they do not all know the same nodes.
            self._start += enough_nodes(len(self._cluster.by_name), 0)
            self._start %= max(1, len(self._cluster.nodes))
            self._indexes[key] = index
        self._indexes.move_to_end(key)
        if len(self._by_class) > 4 * self._limit:
            self._by_class.clear()
        self._by_class[pod] = (self._cluster.topology.version, key)
        return index

    def _ask_everyone(self, pod: PodClass, excluded: Collection[str]) -> NodeState | None:
        """Ask every plugin about every node that comes into question."""
        cluster, framework = self._cluster, self.framework
        names = pod.selection.names
        if names is None:
            nodes = list(cluster.by_name.values())
        else:
            nodes = [cluster.by_name[name] for name in sorted(names) if name in cluster.by_name]
        feasible = [
            node
            for node in nodes
            if node.name not in excluded and framework.reject(pod, node, cluster) is None
        ]
        if len(feasible) <= 1:
            return feasible[0] if feasible else None
        totals = framework.score(pod, feasible, cluster)
        best = max(totals)
        equal = [node for node, total in zip(feasible, totals, strict=True) if total == best]
        return equal[int(self._random() * len(equal))]
