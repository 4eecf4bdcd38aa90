"""Classes of pods that get the same verdicts: they differ in what no filter or score looks at.

Every pod of a StatefulSet and of an indexed Job has a label of its own, and so a class of its own.
What is remembered of one that fits nowhere has to serve the others, or each of ten thousand asks
every node.
"""

from __future__ import annotations

from collections.abc import Hashable

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import Framework

_REMEMBERED = 4096


class Alike:
    """Finds one class to stand for all that are like it."""

    def __init__(self, cluster: Cluster, framework: Framework) -> None:
        """Prepare.

        Args:
            cluster: Whose counters tell classes apart.
            framework: The profile's plugins.
        """
        self._cluster = cluster
        self._framework = framework
        self._version = -1
        self._first: dict[Hashable, PodClass] = {}
        self._known: dict[PodClass, PodClass] = {}

    def of(self, pod: PodClass) -> PodClass:
        """Return the class that stands for a class until other counters matter to somebody."""
        topology = self._cluster.topology
        if self._version == topology.version:
            known = self._known.get(pod)
            if known is not None:
                return known
        demands = self._cluster.demands(pod, self._framework.settings)
        if self._version != topology.version or len(self._known) >= _REMEMBERED:
            self._first.clear()
            self._known.clear()
            self._version = topology.version
        signature = None if demands is None else demands.signature()
        key = (self._framework.identity(pod), pod.volumes, signature)
        found = self._known[pod] = self._first.setdefault(key, pod)
        return found
