"""Why a pod fits nowhere, in kube-scheduler's words.

Source of the texts: ``FitError`` in ``pkg/scheduler/framework`` and the preemption plugin of
Kubernetes 1.35.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import FILTERS, Rejection
from orchestrator.scheduler.core.plugins.node_affinity import NOT_NAMED

NO_NODES = "no nodes available to schedule pods"
_UNHELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"


class Diagnosis(NamedTuple):
    """The outcome of a search that found no node.

    Attributes:
        message: For the event and the condition.
        events: What could make the pod schedulable.
    """

    message: str
    events: ClusterEvent


def reject(
    pod: PodClass, node: NodeState, cluster: Cluster
) -> tuple[Rejection, ClusterEvent] | None:
    """Run the filters in their order; return the first rejection and what could change it."""
    for plugin in FILTERS:
        rejection = plugin.check(pod, node, cluster)
        if rejection is not None:
            return rejection, plugin.events
    return None


def diagnose(pod: PodClass, cluster: Cluster, *, preempts: bool = True) -> Diagnosis:
    """Ask every node why it does not take a pod of this class.

    Args:
        pod: The class, for which no node is feasible.
        cluster: As it is.
        preempts: Whether the pod's policy lets it preempt others (not ``Never``).
    """
    if pod.unsupported:
        demands = ", ".join(pod.unsupported)
        return Diagnosis(f"not supported by this scheduler yet: {demands}", ClusterEvent(0))
    nodes = cluster.by_name
    if not nodes:
        return Diagnosis(NO_NODES, ClusterEvent.NODE_ADDED)
    names = pod.selection.names
    reasons: Counter[str] = Counter()
    events = ClusterEvent.NODE_ADDED
    resolvable = 0
    for node in nodes.values():
        if names is not None and node.name not in names:
            rejection = NOT_NAMED
        else:
            found = reject(pod, node, cluster)
            if found is None:
                continue
            rejection, helpful = found
            events |= helpful
        reasons.update(rejection.reasons)
        resolvable += rejection.resolvable
    total = len(nodes)
    histogram = sorted(f"{count} {reason}" for reason, count in reasons.items())
    message = f"0/{total} nodes are available: {', '.join(histogram)}."
    return Diagnosis(f"{message} {_preemption(total, resolvable, preempts)}", events)


def _preemption(total: int, resolvable: int, preempts: bool) -> str:
    """Return what the plugins that run after the filters add to the message."""
    claims = "no new claims to deallocate, "
    if not preempts:
        return f"{claims}preemption: not eligible due to preemptionPolicy=Never."
    verdicts = []
    if total > resolvable:
        verdicts.append(f"{total - resolvable} {_UNHELPFUL}")
    if resolvable:
        verdicts.append(f"{resolvable} {_NO_VICTIMS}")
    return f"{claims}preemption: 0/{total} nodes are available: {', '.join(sorted(verdicts))}."
