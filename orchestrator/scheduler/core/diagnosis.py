"""Why a pod fits nowhere, in kube-scheduler's words.

Source of the texts: ``FitError`` in ``pkg/scheduler/framework`` and the preemption plugin of
Kubernetes 1.35.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.events import ClusterEvent
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework, Verdict
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins.node_affinity import NAME, NOT_NAMED
from orchestrator.scheduler.core.rejected import NOBODY, UNSUPPORTED
from orchestrator.scheduler.core.scopes import Scope, scope_of
from orchestrator.scheduler.core.trials import reject_beside

_NOBODY = frozenset({NOBODY.plugin})
_UNSUPPORTED = frozenset({UNSUPPORTED.plugin})
_UNNAMED = Verdict(NAME, NOT_NAMED, ClusterEvent(0))
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
    tally = Tally(pod, priority, cluster, framework)
    for node in nodes.values():
        tally.look_at(node)
    return tally.conclude(preempts=preempts)


class Tally:
    """What the nodes say to pods of one class and priority, and how many of them."""

    def __init__(
        self, pod: PodClass, priority: int, cluster: Cluster, framework: Framework
    ) -> None:
        self._pod = pod
        self._priority = priority
        self._cluster = cluster
        self._framework = framework
        self._verdicts: dict[int, Verdict] = {}  # by node index; those of nodes that refuse
        self._counts: Counter[Verdict] = Counter()

    def look_at(self, node: NodeState) -> None:
        """Ask a node, for the first time or again."""
        self.forget(node.index)
        names = self._pod.selection.names
        if names is not None and node.name not in names:
            verdict: Verdict | None = _UNNAMED
        else:
            nominations = self._cluster.nominations
            kept = nominations.heeded(node.name, self._priority) if nominations else ()
            verdict = reject_beside(kept, self._pod, node, self._cluster, self._framework)
        if verdict is not None:
            self._verdicts[node.index] = verdict
            self._counts[verdict] += 1

    def forget(self, index: int) -> None:
        """Take back what a node said, if it said something."""
        verdict = self._verdicts.pop(index, None)
        if verdict is not None:
            left = self._counts[verdict] - 1
            if left:
                self._counts[verdict] = left
            else:
                del self._counts[verdict]

    def conclude(self, *, preempts: bool = True) -> Diagnosis:
        """Sum it up."""
        reasons: Counter[str] = Counter()
        events = ClusterEvent.NODE_ADDED
        resolvable = 0
        for (_, rejection, helpful), count in self._counts.items():
            events |= helpful
            for reason in rejection.reasons:
                reasons[reason] += count
            if rejection.resolvable:
                resolvable += count
        total = len(self._cluster.by_name)
        histogram = sorted(f"{count} {reason}" for reason, count in reasons.items())
        words = f"0/{total} nodes are available: {', '.join(histogram)}."
        return Diagnosis(
            f"{words} {_preemption(total, resolvable, preempts)}",
            events,
            frozenset(plugin for plugin, _, _ in self._counts),
            words,
        )


class Diagnoser:
    """Diagnoses for the same classes again and again: only nodes that changed are asked again."""

    def __init__(self, cluster: Cluster, framework: Framework, limit: int = 64) -> None:
        """Prepare.

        Args:
            cluster: The nodes.
            framework: The profile's plugins.
            limit: Most tallies that are kept.
        """
        self._cluster = cluster
        self._framework = framework
        self._limit = limit
        self._known: OrderedDict[tuple[PodClass, int], tuple[int, int, Tally]] = OrderedDict()

    def diagnose(self, pod: PodClass, priority: int) -> Diagnosis:
        """Say what `diagnose` says of a pod that may preempt others."""
        cluster, framework = self._cluster, self._framework
        if (
            pod.unsupported
            or not cluster.by_name
            or pod.selection.names is not None
            or framework.reject_pod(pod, cluster) is not None
            or scope_of(pod, cluster, framework) is Scope.CLUSTER
        ):
            return diagnose(pod, cluster, framework=framework, priority=priority)
        version, revision = cluster.topology.version, cluster.revision
        known = self._known.get((pod, priority))
        changed: Iterable[int] | None = None
        if known is not None and known[0] == version:
            changed = cluster.changes_since(known[1])
        if known is None or changed is None:
            tally = Tally(pod, priority, cluster, framework)
            changed = [node.index for node in cluster.by_name.values()]
        else:
            tally = known[2]
        for index in changed:
            node = cluster.nodes[index]
            if node is None:
                tally.forget(index)
            else:
                tally.look_at(node)
        self._known[pod, priority] = (version, revision, tally)
        self._known.move_to_end((pod, priority))
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
        return tally.conclude()


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
