"""DefaultPreemption: a node to make room on for a pod that fits nowhere, and the pods to remove.

Upstream tries the removal of pods on a part of the nodes for every pod anew. Here what was found
for a class of pods and a priority is kept in `Candidates`; a thousand pods that preempt one after
another try little more than a thousand nodes. `orchestrator.scheduler.preempting` carries a
`Preemption` out.

Source of the rules: ``pkg/scheduler/framework/preemption`` of Kubernetes 1.35.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from orchestrator.scheduler.core.candidates import Candidates, Preemption
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.trials import reject_beside

__all__ = ["Preemption", "Preemptor", "find_released", "why_ineligible"]

MIN_CANDIDATES_PERCENTAGE: Final = 10
MIN_CANDIDATES: Final = 100
"""Upstream's defaults of ``minCandidateNodesPercentage`` and ``minCandidateNodesAbsolute``."""

NEVER: Final = "not eligible due to preemptionPolicy=Never."
TERMINATING: Final = "not eligible due to a terminating pod on the nominated node."


def why_ineligible(
    pod: PodClass,
    priority: int,
    cluster: Cluster,
    *,
    preempts: bool = True,
    nominated: str = "",
    framework: Framework = DEFAULT_FRAMEWORK,
) -> str | None:
    """Tell why a pod may not preempt others (now), in upstream's words; None when it may.

    Args:
        pod: Its class.
        priority: Its priority.
        cluster: As it is.
        preempts: Whether its policy is not ``Never``.
        nominated: The node it is nominated to, empty for none.
        framework: The profile's plugins.
    """
    if not preempts:
        return NEVER
    node = cluster.by_name.get(nominated)
    if node is None:
        return None
    if not any(other.preempted and other.priority < priority for other in node.pods.values()):
        return None
    found = framework.reject(pod, node, cluster)
    if found is not None and not found.rejection.resolvable:
        return None  # the room it waits for would be of no use
    return TERMINATING


def find_released(
    node: NodeState,
    cluster: Cluster,
    framework_of: Callable[[PodState], Framework] = lambda _: DEFAULT_FRAMEWORK,
) -> list[PodState]:
    """Return the pods nominated to a node that need not wait for it any longer.

    They fit there now, or nobody whom they preempted is left: then somebody else has the room.

    Args:
        node: Something has left it.
        cluster: As it is now.
        framework_of: Finds the plugins of a pod's profile.
    """
    nominations = cluster.nominations
    found = []
    for pod in nominations.pods_on(node.name):
        heeded = nominations.heeded(node.name, pod.priority, pod.uid)
        if (
            not any(
                other.preempted and other.priority < pod.priority for other in node.pods.values()
            )
            or reject_beside(heeded, pod.pod_class, node, cluster, framework_of(pod)) is None
        ):
            found.append(pod)
    return found


class Preemptor:
    """Finds preemptions, with an index for each of the classes and priorities asked for lately."""

    def __init__(
        self,
        cluster: Cluster,
        budgets: Budgets,
        random: Callable[[], float],
        *,
        percentage: int = MIN_CANDIDATES_PERCENTAGE,
        absolute: int = MIN_CANDIDATES,
        framework: Framework = DEFAULT_FRAMEWORK,
        limit: int = 64,
    ) -> None:
        """Begin without any knowledge.

        Args:
            cluster: The nodes, what is on them, and what is to come there.
            budgets: The PodDisruptionBudgets.
            random: Draws from 0 to 1.
            percentage: Of the nodes on which something can be gained, at least this part is
                looked at before one is chosen.
            absolute: At least so many of them, as far as there are so many.
            framework: The profile's plugins.
            limit: Most indexes that are kept.
        """
        self._cluster = cluster
        self._budgets = budgets
        self._random = random
        self._framework = framework
        self._percentage = percentage
        self._absolute = absolute
        self._limit = limit
        self._known: OrderedDict[tuple[PodClass, int], Candidates] = OrderedDict()

    def find(self, pod: PodClass, priority: int) -> Preemption | None:
        """Find the node whose victims cost least, for a pod that fits nowhere.

        The pod must not be nominated to a node: its own nomination would count against it.

        Returns:
            None when removing pods of lower priority helps nowhere; `explain` says why.
        """
        count = len(self._cluster.by_name)
        wanted = min(count, max(self._absolute, count * self._percentage // 100))
        return self._index(pod, priority).find(wanted)

    def explain(self, pod: PodClass, priority: int) -> str:
        """Say why `find` found nothing: what upstream's plugin puts after ``preemption: ``."""
        return self._index(pod, priority).explain()

    def _index(self, pod: PodClass, priority: int) -> Candidates:
        index = self._known.get((pod, priority))
        if index is None:
            if len(self._known) >= self._limit:
                self._known.popitem(last=False)
            index = self._known[pod, priority] = Candidates(
                pod,
                priority,
                self._cluster,
                self._budgets,
                self._framework,
                self._random,
            )
        else:
            self._known.move_to_end((pod, priority))
        return index
