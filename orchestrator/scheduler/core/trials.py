"""What if: a node with other pods on it than there are, for as long as filters are asked."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.framework import Framework, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState


class Trial:
    """Takes pods off a node and puts others on it, and undoes all of that at its end.

    Nobody who follows the cluster's changes hears of it. Nothing else may change the node
    meanwhile.
    """

    def __init__(self, node: NodeState, cluster: Cluster) -> None:
        self._node = node
        self._cluster = cluster
        self._before: dict[str, PodState] = {}

    def __enter__(self) -> Self:
        self._before = dict(self._node.pods)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        before, pods = self._before, self._node.pods
        for pod in [pod for uid, pod in pods.items() if uid not in before]:
            self.take(pod)
        for pod in [pod for uid, pod in before.items() if uid not in pods]:
            self.put(pod)
        pods.clear()  # the same pods in another order
        pods.update(before)

    def take(self, pod: PodState) -> None:
        """Take a pod off the node."""
        self._cluster.topology.remove(pod, self._node)
        self._node.remove(pod)
        if pod.pod_class.volumes is not None:
            self._cluster.volumes.detach(pod.uid)

    def put(self, pod: PodState) -> None:
        """Put a pod on the node."""
        self._node.add(pod)
        self._cluster.topology.add(pod, self._node)
        if pod.pod_class.volumes is not None:
            self._cluster.volumes.attach(pod.uid, self._node.name)


def reject_beside(
    nominated: Sequence[PodState],
    pod: PodClass,
    node: NodeState,
    cluster: Cluster,
    framework: Framework,
) -> Verdict | None:
    """Ask the filters about a node on which further pods have their place kept.

    The pod has to fit both with and without them: they may never come, and affinity to one of them
    would be in vain. Source: ``RunFilterPluginsWithNominatedPods``.
    """
    if nominated:
        with Trial(node, cluster) as trial:
            for other in nominated:
                trial.put(other)
            found = framework.reject(pod, node, cluster)
        if found is not None:
            return found
    return framework.reject(pod, node, cluster)
