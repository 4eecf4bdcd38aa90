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
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework
from orchestrator.scheduler.core.plugins.node_affinity import NAME, NOT_NAMED
from orchestrator.scheduler.core.rejected import NOBODY, UNSUPPORTED
from orchestrator.scheduler.core.trials import reject_beside

_NOBODY = frozenset({NOBODY.plugin})
_UNSUPPORTED = frozenset({UNSUPPORTED.plugin})
NO_NODES = "no nodes available to schedule pods"
_UNHELPFUL = "Preemption is not helpful for scheduling"
_CLAIMS = "no new claims to deallocate, "
_NO_VICTIMS = "No preemption victims found for incoming pod"


class Diagnosis(NamedTuple):
    """The outcome of a search that found no node.

    Attributes:
        message: For the event and the condition, of a pod that finds nobody to preempt.
        events: What could make the pod schedulable.
        plugins: Who rejected nodes.
        words: What of the message the filters say.
        final: Nothing is to be gained by preemption.
    """

    message: str
    events: ClusterEvent
    plugins: frozenset[str]
    words: str = ""
    final: bool = False

    def explain(self, preemption: str) -> str:
        """Return the message, with what came of the attempt to preempt others."""
        return self.message if self.final else f"{self.words} {_CLAIMS}preemption: {preemption}"


def diagnose(
    pod: PodClass,
    cluster: Cluster,
    *,
    preempts: bool = True,
    framework: Framework = DEFAULT_FRAMEWORK,
    priority: int = 0,
) -> Diagnosis:
    """Ask every node why it does not take a pod of this class.

    Args:
        pod: The class, for which no node is feasible.
        cluster: As it is.
        preempts: Whether the pod's policy lets it preempt others (not ``Never``).
        framework: The profile's plugins.
        priority: Of the pod, which has to fit beside those nominated to a node that are no less
            important.
    """
    if pod.unsupported:
        demands = ", ".join(pod.unsupported)
        return Diagnosis(
            f"not supported by this scheduler yet: {demands}",
            UNSUPPORTED.events,
            _UNSUPPORTED,
            final=True,
        )
    nodes = cluster.by_name
    if not nodes:
        return Diagnosis(NO_NODES, NOBODY.events, _NOBODY, final=True)
    whole = framework.reject_pod(pod, cluster)
    if whole is not None:
        # What would follow, upstream's DynamicResources ends: it misses what it had not prepared.
        message = f"0/{len(nodes)} nodes are available: {', '.join(whole.rejection.reasons)}."
        return Diagnosis(
            f"{message} not found", whole.events, frozenset({whole.plugin}), message, final=True
        )
    names, nominations = pod.selection.names, cluster.nominations
    reasons: Counter[str] = Counter()
    events = ClusterEvent.NODE_ADDED
    resolvable = 0
    plugins: set[str] = set()
    for node in nodes.values():
        if names is not None and node.name not in names:
            rejection = NOT_NAMED
            plugins.add(NAME)
        else:
            kept = nominations.heeded(node.name, priority) if nominations else ()
            found = reject_beside(kept, pod, node, cluster, framework)
            if found is None:
                continue
            plugin, rejection, helpful = found
            plugins.add(plugin)
            events |= helpful
        reasons.update(rejection.reasons)
        resolvable += rejection.resolvable
    total = len(nodes)
    histogram = sorted(f"{count} {reason}" for reason, count in reasons.items())
    message = f"0/{total} nodes are available: {', '.join(histogram)}."
    return Diagnosis(
        f"{message} {_preemption(total, resolvable, preempts)}",
        events,
        frozenset(plugins),
        message,
    )


def _preemption(total: int, resolvable: int, preempts: bool) -> str:
    """Return what the plugins that run after the filters add to the message."""
    if not preempts:
        return f"{_CLAIMS}preemption: not eligible due to preemptionPolicy=Never."
    verdicts = []
    if total > resolvable:
        verdicts.append(f"{total - resolvable} {_UNHELPFUL}")
    if resolvable:
        verdicts.append(f"{resolvable} {_NO_VICTIMS}")
    return f"{_CLAIMS}preemption: 0/{total} nodes are available: {', '.join(sorted(verdicts))}."
