"""Choosing a node for a pod: an index for each class of pods, shared where classes see alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Final

from orchestrator.scheduler.core.class_index import ClassIndex, stride
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework, enough_nodes
from orchestrator.scheduler.core.judging import Tastes
from orchestrator.scheduler.core.nodes import NodeState

_FEW: Final = 100
"""Up to so many nodes that a class names are asked one by one, without an index."""


_SMALL: Final = 100
"""Among so few nodes, one that is kept for others must not sway how the rest are weighed."""


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
        self._by_class: dict[PodClass, tuple[int, ClassIndex]] = {}
        self._tastes: dict[Hashable, Tastes] = {}
        self._turn = 0

    def find_best(self, pod: PodClass, excluded: Collection[str] = ()) -> NodeState | None:
        """Return the node to place a pod of this class on, or None when it fits nowhere.

        Args:
            pod: The class.
            excluded: Names of nodes that do not come into question.
        """
        few = bool(excluded) and len(self._cluster.by_name) <= _SMALL
        known = self._by_class.get(pod)
        if known is not None and known[0] == self._cluster.topology.version and not few:
            return known[1].find_best(excluded)
        if pod.unsupported or self.framework.reject_pod(pod, self._cluster) is not None:
            return None
        if few or self.framework.needs_everything(pod) or self._named(pod) is not None:
            return self._ask_everyone(pod, excluded)
        return self._index(pod).find_best(excluded)

    def _index(self, pod: PodClass) -> ClassIndex:
        """Return the index of a class, which other classes may share."""
        demands = self._cluster.demands(pod, self.framework.settings)
        signature = None if demands is None else demands.signature()
        key = (self.framework.identity(pod), pod.volumes, signature)
        index = self._indexes.get(key)
        if index is None:
            if len(self._indexes) >= self._limit:
                self._drop_oldest()
            index = self._indexes[key] = ClassIndex(
                pod,
                self._cluster,
                self.framework,
                demands,
                self._tastes_of(pod),
                self._random,
                int(self._random() * len(self._cluster.nodes)),
            )
        self._indexes.move_to_end(key)
        if len(self._by_class) > 4 * self._limit:
            self._by_class.clear()
        if not self.framework.asks(pod):  # what they say may change without a class changing
            self._by_class[pod] = (self._cluster.topology.version, index)
        return index

    def _drop_oldest(self) -> None:
        """Forget the quarter of the indexes that was made or found anew the longest ago."""
        for _ in range(max(1, self._limit // 4)):
            self._indexes.popitem(last=False)[1].close()
        self._by_class.clear()

    def _tastes_of(self, pod: PodClass) -> Tastes:
        key = Tastes.key(pod, self.framework)
        tastes = self._tastes.get(key)
        if tastes is None:
            if len(self._tastes) >= self._limit:
                self._tastes.clear()
            tastes = self._tastes[key] = Tastes(pod, self.framework)
        return tastes

    def _ask_everyone(self, pod: PodClass, excluded: Collection[str]) -> NodeState | None:
        """Ask every plugin about the nodes that come into question, until enough are feasible."""
        cluster, framework = self._cluster, self.framework
        named = self._named(pod)
        if named is None:
            nodes: Iterable[NodeState] = self._in_turn()
            enough = enough_nodes(
                len(cluster.by_name), framework.profile.percentage_of_nodes_to_score
            )
        else:
            nodes = named
            enough = len(named)
        checks = [plugin.check for plugin in framework.filters if plugin.applies(pod)]
        feasible: list[NodeState] = []
        for node in nodes:
            if node.name not in excluded and not any(
                check(pod, node, cluster) is not None for check in checks
            ):
                feasible.append(node)
                if len(feasible) == enough:
                    break
        if len(feasible) <= 1:
            return feasible[0] if feasible else None
        totals = framework.score(pod, feasible, cluster)
        best = max(totals)
        equal = [node for node, total in zip(feasible, totals, strict=True) if total == best]
        return equal[int(self._random() * len(equal))]

    def _named(self, pod: PodClass) -> list[NodeState] | None:
        """Return the nodes that a class names, or that its volumes are on; None for any node."""
        cluster, names = self._cluster, pod.selection.names
        if names is not None:
            return [cluster.by_name[name] for name in sorted(names) if name in cluster.by_name]
        hosts = None if pod.volumes is None else pod.volumes.hosts
        if hosts is None or len(hosts) > _FEW:
            return None
        return [node for host in sorted(hosts) for node in cluster.by_host.get(host, {}).values()]

    def _in_turn(self) -> Iterator[NodeState]:
        """Yield all nodes, beginning behind those that were asked the last time."""
        nodes = list(self._cluster.by_name.values())
        count = len(nodes)
        step = stride(count)
        for _ in range(count):
            self._turn = (self._turn + step) % count
            yield nodes[self._turn]
