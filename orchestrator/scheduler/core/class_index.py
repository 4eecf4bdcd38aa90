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

import math
from collections import deque
from collections.abc import Callable, Collection
from heapq import heapify, heappop, heappush, heapreplace
from typing import TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import Demands, Place
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.judging import (
    INFEASIBLE,
    PLAIN,
    Taste,
    Tastes,
    make_rating,
    other_checks,
)
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import (
    inter_pod_affinity,
    node_affinity,
    pod_topology_spread,
    taint_toleration,
)

_SPARE = 1
"""So many nodes more than needed are looked at for each choice, until all are known."""

_EAGER = 8
"""So many changed nodes are looked at at once, however many are known already."""

_LAG = 1000
"""So many changes, or twice as many as there are nodes, are put off; what was good once may be
crowded by then, and what was crowded may have room again."""

_SMALL = 100
"""Up to so many nodes, upstream looks at every one; and it never looks at fewer."""


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

    def __lt__(self, _other: _Bucket) -> bool:
        """Let entries be compared; two of one node and one score are equally good."""
        return False


_Entry: TypeAlias = tuple[int, float, int, _Bucket, int]
"""Minus the score, a random number, the node's index, where the entry is, the node's generation."""


class ClassIndex:
    """The nodes of a cluster as the pods of one class see them."""

    def __init__(
        self,
        pod: PodClass,
        cluster: Cluster,
        framework: Framework,
        demands: Demands | None,
        tastes: Tastes,
        random: Callable[[], float],
        start: int,
    ) -> None:
        """Begin without having looked at any node.

        Args:
            pod: The class.
            cluster: Its nodes.
            framework: The profile.
            demands: What the class wants of other pods.
            tastes: What node objects are to it.
            random: Between 0 and 1, for equal scores.
            start: The node index to look at first.
        """
        self._pod = pod
        self._cluster = cluster
        self._framework = framework
        self._demands = demands
        self._random = random
        self._tastes = tastes
        self._rate = make_rating(pod, framework, cluster)
        self._checks = other_checks(pod, framework)
        # Which bucket a node belongs to depends on the node object alone.
        self._simple = demands is None and not self._checks
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
        cluster = self._cluster
        if cluster.revision != self._asked:
            self._catch_up()
        if self._tastes.looks_elsewhere and self._tastes.elsewhere(cluster) != self._elsewhere:
            self._reset()
        if (lone := self._lone) is not None and lone.size > self._enough + len(excluded):
            # Enough is known of nodes that are alike in all but their own score.
            if self._spare:
                self._look_further()
            best = self._top(lone, excluded)
            if best is not None and self._lone is lone:
                return cluster.nodes[best[2]]
        if self._unseen or self._queue or self._behind:
            feasible = self._widen(len(excluded))
        elif self._demands is None and len(self._buckets) == 1:
            (bucket,) = self._buckets.values()
            feasible = [bucket]
        else:
            feasible = self._feasible()
        while True:
            moved = self._moved
            if len(feasible) == 1:  # the usual case: nothing to weigh against each other
                best = self._top(feasible[0], excluded)
            else:
                best = self._weigh(feasible, excluded)
            if moved == self._moved:
                return None if best is None else self._cluster.nodes[best[2]]
            feasible = self._widen(len(excluded))

    # ---- knowing enough nodes

    def _reset(self) -> None:
        self._buckets: dict[tuple[Taste, Place | None], _Bucket] = {}
        self._plain: _Bucket | None = None
        self._lone: _Bucket | None = None
        self._homes: dict[int, tuple[int, _Bucket | None]] = {}  # by node index: version, bucket
        self._entries: dict[int, _Entry] = {}  # node index: its valid entry
        self._known = len(self._cluster.nodes)  # later ones are told of as changes
        self._unseen = self._known  # how many of them, from the cursor on, were never looked at
        self._cursor = self._start % self._known if self._known else 0
        self._stride = stride(self._known)
        self._waiting: set[int] = set()  # changed and not looked at since
        self._queue: deque[int] = deque()  # the same, in order
        self._pushed = 0  # since somebody last looked how much in the heaps is stale
        self._revision = self._asked = self._cluster.revision
        self._behind = False  # changes since the revision have not been taken in
        self._moved = 0  # how often an entry at the top turned out to be stale
        self._elsewhere = self._tastes.elsewhere(self._cluster)
        self._count_nodes()
        self._spare = _SPARE

    def _count_nodes(self) -> None:
        self._counted = len(self._cluster.by_name)
        self._enough = self._framework.enough_nodes(self._counted, self._demands is not None)

    def _catch_up(self) -> None:
        """Take note of what has changed since somebody last asked, at once if it is little."""
        cluster = self._cluster
        recent = cluster.revision - self._asked
        self._asked = cluster.revision
        if self._counted != len(cluster.by_name):
            self._count_nodes()
        if recent > _EAGER and len(cluster.by_name) > _SMALL:
            self._behind = True
            # More would be to look at more often; the next ones take their turn in time.
            self._spare = int(4 * len(self._entries) < 5 * self._enough)
            if cluster.revision - self._revision > max(_LAG, 2 * len(cluster.by_name)):
                # Most has changed by now: begin with other nodes.
                self._start = self._cursor
                self._reset()
        else:
            self._take_in_changes()
        if self._pushed > 3 * len(self._entries) + 64:
            self._drop_stale()

    def _take_in_changes(self) -> None:
        """Look at the nodes that changed, or put them off when they are many."""
        cluster = self._cluster
        if cluster.revision == self._revision + 1:  # as after each placement of a lone class
            self._revision, self._behind = cluster.revision, False
            self._spare = _SPARE
            self._look_at(cluster.journal[-1])
            return
        changed = cluster.changes_since(self._revision)
        if changed is None:
            self._reset()
            return
        self._revision, self._behind = cluster.revision, False
        self._spare = _SPARE
        if len(changed) <= _EAGER or len(cluster.by_name) <= _SMALL:
            for index in changed:
                self._look_at(index)
            return
        entries = self._entries
        for index in entries.keys() & changed.keys():
            entries.pop(index)[3].size -= 1
        new = changed.keys() - self._waiting
        self._waiting |= new
        self._queue.extend(new)

    def _widen(self, besides: int = 0) -> list[_Bucket]:
        """Return the feasible buckets, after looking at as many nodes as it takes.

        Args:
            besides: So many of the feasible nodes may be excluded, and are not enough.
        """
        more = self._spare  # a class that is asked often soon knows all nodes
        while True:
            feasible = self._feasible()
            lacking = self._enough + besides - sum([bucket.size for bucket in feasible])
            look = max(more, lacking)
            if look <= 0:
                return feasible
            more = 0
            for _ in range(look):
                index = self._next()
                if index is not None:
                    self._look_at(index)
                elif self._behind:  # what was put off may be what is lacking
                    self._take_in_changes()
                    break
                else:
                    return self._feasible()

    def _look_further(self) -> None:
        """Look at a node or two that are not known yet."""
        for _ in range(self._spare):
            index = self._next()
            if index is not None:
                self._look_at(index)

    def _next(self) -> int | None:
        """Return the node to look at next; None when all are known."""
        nodes, waiting = self._cluster.nodes, self._waiting
        while self._unseen:
            self._unseen -= 1
            index = self._cursor
            self._cursor = (index + self._stride) % self._known
            if nodes[index] is not None and index not in self._entries:
                waiting.discard(index)
                return index
        while self._queue:
            index = self._queue.popleft()
            if index in waiting:
                waiting.remove(index)
                return index
        return None

    def _feasible(self) -> list[_Bucket]:
        demands = self._demands
        if demands is None or demands.admits_all:
            return [bucket for bucket in self._buckets.values() if bucket.size]
        admits = demands.admits
        return [
            bucket
            for bucket in self._buckets.values()
            if bucket.size and admits(bucket.place)  # type: ignore[arg-type] # set with demands
        ]

    def _look_at(self, index: int) -> None:
        """Make a node's present entry, or make it have none."""
        entries = self._entries
        known = entries.get(index)
        if known is not None:
            known[3].size -= 1
        node = self._cluster.nodes[index]
        if node is None:  # it never comes back under this index
            self._homes.pop(index, None)
            self._tastes.forget(index)
        score = INFEASIBLE if node is None else self._rate(node)
        if score >= 0:
            assert node is not None
            if self._simple:
                home = self._homes.get(index)
                if home is None or home[0] != node.version:
                    home = self._homes[index] = (node.version, self._bucket_for(node))
                bucket = home[1]
            else:
                bucket = self._bucket_for(node)
            if bucket is not None:
                bucket.size += 1
                self._pushed += 1
                entry = (-score, self._random(), index, bucket, node.generation)
                entries[index] = entry
                heappush(bucket.heap, entry)
                return
        if known is not None:
            del entries[index]

    def _bucket_for(self, node: NodeState) -> _Bucket | None:
        """Return where a node belongs; None when it is not feasible."""
        taste = self._tastes.of(node, self._cluster)
        if taste is None:
            return None
        for check in self._checks:
            if check(self._pod, node, self._cluster) is not None:
                return None
        place = None
        if self._demands is not None:
            place = self._demands.locate(node)
            if place is None:
                return None
        elif taste is PLAIN and self._plain is not None:
            return self._plain
        bucket = self._buckets.get((taste, place))
        if bucket is None:
            self._sweep()
            bucket = self._buckets[taste, place] = _Bucket(taste, place)
            self._find_lone()
            if taste is PLAIN and place is None:
                self._plain = bucket
        return bucket

    def _sweep(self) -> None:
        """Forget buckets that nothing is in, when they are most of all."""
        if len(self._buckets) > 64 + 2 * sum(bucket.size > 0 for bucket in self._buckets.values()):
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.size}
            self._plain = self._buckets.get((PLAIN, None))
            self._homes.clear()
            self._find_lone()

    def _find_lone(self) -> None:
        """Note the only bucket there is, if other pods do not matter to the class."""
        one = self._demands is None and len(self._buckets) == 1
        self._lone = next(iter(self._buckets.values())) if one else None

    def _drop_stale(self) -> None:
        """Take out of the heaps what is stale and `_top` never came to."""
        self._pushed = 0
        entries = self._entries
        for bucket in self._buckets.values():
            if len(bucket.heap) > 4 * bucket.size + 64:
                bucket.heap = [e for e in bucket.heap if entries.get(e[2]) is e]
                heapify(bucket.heap)

    # ---- choosing

    def _top(self, bucket: _Bucket, excluded: Collection[str]) -> _Entry | None:
        """Return the best valid entry, dropping stale ones above it.

        What changed and was not taken in yet is looked at when it comes to the top: room only
        shrinks while pods are placed, so what was not the best before is not the best after.
        """
        heap, entries, nodes = bucket.heap, self._entries, self._cluster.nodes
        aside: list[_Entry] = []
        best = None
        while heap:
            entry = heap[0]
            index = entry[2]
            if entries.get(index) is not entry:
                heappop(heap)
                continue
            node = nodes[index]
            if node is None or node.generation != entry[4]:
                self._moved += 1
                if node is None or not self._renew(entry, node):
                    heappop(heap)
                    self._look_at(index)
                continue
            if excluded and node.name in excluded:
                aside.append(heappop(heap))
                continue
            best = entry
            break
        for entry in aside:
            heappush(heap, entry)
        return best

    def _renew(self, entry: _Entry, node: NodeState) -> bool:
        """Score anew a node that is at the top of its bucket and remains in it.

        What most stale entries come to, and half the work of taking them out and in.
        """
        _, _, index, bucket, _ = entry
        if not self._simple or self._homes.get(index) != (node.version, bucket):
            return False
        score = self._rate(node)
        if score < 0:
            return False
        fresh = (-score, self._random(), index, bucket, node.generation)
        self._entries[index] = fresh
        heapreplace(bucket.heap, fresh)
        return True

    def _weigh(self, feasible: list[_Bucket], excluded: Collection[str]) -> _Entry | None:
        """Choose among buckets: normalise what they add, and take the best."""
        if not feasible:
            return None
        top = self._top
        tops = [top(bucket, excluded) for bucket in feasible]
        best: _Entry | None = None
        highest = 0
        for entry, bonus in zip(tops, self._bonuses(feasible), strict=True):
            if entry is None:
                continue
            total = bonus - entry[0]
            if best is None or total > highest or (total == highest and entry[1] < best[1]):
                best, highest = entry, total
        return best

    def _bonuses(self, feasible: list[_Bucket]) -> list[int]:
        """Return what the nodes of each feasible bucket get beside their own score."""
        bonuses = [0] * len(feasible)
        tastes = [bucket.taste for bucket in feasible]
        if any(taste is not PLAIN for taste in tastes):
            weight = self._framework.weight
            unwelcome = max(taste[0] for taste in tastes)
            preferred = max(taste[1] for taste in tastes)
            taints, affinity = weight("TaintToleration"), weight("NodeAffinity")
            images = weight("ImageLocality")
            bonuses = [
                taints * taint_toleration.normalise(taste[0], unwelcome)
                + affinity * node_affinity.normalise(taste[1], preferred)
                + images * taste[2]
                for taste in tastes
            ]
        demands = self._demands
        if demands is not None and (demands.soft or demands.scored):
            self._add_pods_around(demands, feasible, bonuses)
        return bonuses

    def _add_pods_around(
        self, demands: Demands, feasible: list[_Bucket], bonuses: list[int]
    ) -> None:
        """Add the scores of PodTopologySpread and InterPodAffinity."""
        places: list[Place] = [bucket.place for bucket in feasible]  # type: ignore[misc] # set with demands
        if demands.soft:
            raw = demands.crowding(places, [bucket.size for bucket in feasible])
            counted = [value for value in raw if value is not None]
            factor = self._framework.weight(pod_topology_spread.NAME)
            lowest, highest = min(counted, default=0), max(counted, default=0)
            for index, value in enumerate(raw):
                if value is not None:
                    bonuses[index] += factor * (
                        100 * (highest + lowest - value) // highest if highest else 100
                    )
        if demands.scored:
            attractions = [demands.attraction(place) for place in places]
            lowest, highest = min(attractions), max(attractions)
            factor = self._framework.weight(inter_pod_affinity.NAME)
            for index, value in enumerate(attractions):
                bonuses[index] += factor * inter_pod_affinity.normalise_one(value, lowest, highest)


def stride(count: int) -> int:
    """Return a step that visits each of ``count`` nodes once, neighbours far apart in time.

    Nodes of one zone often come one after another: the first hundred looked at should be of all.
    """
    step = int(count * 0.618) or 1
    while math.gcd(step, count) != 1:
        step += 1
    return step
