"""Nodes that pods of a class may not have, since they are kept for pods that are nominated there.

`Placer` knows nothing of nominations: few nodes are kept at any time, so they are found here, class
by class, and left out of its choice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.scopes import Scope, scope_of
from orchestrator.scheduler.core.trials import reject_beside

_Known: TypeAlias = tuple[int, int, dict[str, None]]
"""The versions of the counters and of the cluster, and the nodes."""


class KeptNodes:
    """What is kept from each of the classes and priorities asked for lately."""

    def __init__(
        self, cluster: Cluster, framework: Framework = DEFAULT_FRAMEWORK, limit: int = 256
    ) -> None:
        """Prepare.

        Args:
            cluster: Whose nominations count.
            framework: The profile's plugins.
            limit: Most classes that are remembered.
        """
        self._cluster = cluster
        self._framework = framework
        self._limit = limit
        self._known: OrderedDict[tuple[PodClass, int], _Known] = OrderedDict()

    def keep_from(self, pod: PodClass, priority: int) -> Collection[str]:
        """Return the nodes on which a pod does not fit beside those nominated there.

        A pod that is nominated itself has to look at its own node first: see `reject_beside`.
        """
        cluster = self._cluster
        if not cluster.nominations:
            return ()
        key = (pod, priority)
        known = self._known.get(key)
        version = cluster.topology.version
        changed: Iterable[int] | None = None
        kept: dict[str, None] = {}
        if known is not None and known[0] == version and not self._looks_around(pod):
            changed = cluster.changes_since(known[1])
            kept = known[2]
        if changed is None:
            kept = {}
            nodes = (cluster.by_name.get(name) for name in cluster.nominations.nodes)
            for node in nodes:
                if node is not None and self._is_kept(pod, priority, node):
                    kept[node.name] = None
        else:
            for index in changed:
                node = cluster.nodes[index]
                if node is None:
                    continue
                if self._is_kept(pod, priority, node):
                    kept[node.name] = None
                else:
                    kept.pop(node.name, None)
        self._known[key] = (version, cluster.revision, kept)
        self._known.move_to_end(key)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return kept

    def reject(
        self, pod: PodClass, priority: int, node: NodeState, uid: str = ""
    ) -> Verdict | None:
        """Ask the filters about a node, with the pods that are nominated to it.

        Args:
            pod: The class.
            priority: Of the pod.
            node: The node.
            uid: Of the pod, whose own nomination does not stand in its way.
        """
        heeded = self._cluster.nominations.heeded(node.name, priority, uid)
        return reject_beside(heeded, pod, node, self._cluster, self._framework)

    def _is_kept(self, pod: PodClass, priority: int, node: NodeState) -> bool:
        heeded = self._cluster.nominations.heeded(node.name, priority)
        if not heeded:
            return False
        return reject_beside(heeded, pod, node, self._cluster, self._framework) is not None

    def _looks_around(self, pod: PodClass) -> bool:
        """Tell whether a verdict may change on nodes that nothing happened to."""
        return scope_of(pod, self._cluster, self._framework) is Scope.CLUSTER
