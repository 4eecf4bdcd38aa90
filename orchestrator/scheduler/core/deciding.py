"""What becomes of a pod: a node, a node to wait for until others have left it, or neither and why.

Pure but for the picture of the cluster: nominations are noted in it at once, so that the next pod
of the same pass finds the room taken. The caller counts placements, and writes what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from orchestrator.scheduler.core.alike import Alike
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.diagnosis import Diagnoser, Diagnosis
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import DEFAULT_FRAMEWORK, Framework
from orchestrator.scheduler.core.kept import KeptNodes
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.placement import Placer
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.preemption import Preemption, Preemptor, why_ineligible

PREEMPTION = "DefaultPreemption"
_Key = tuple[object, int]

_EXACT = 100
"""In larger clusters a pod that looks around, and still fits nowhere, is told what another one of
its class was told earlier in the pass: to ask all nodes again after every placement is too slow."""


class Refusal(NamedTuple):
    """A pod that no node takes now.

    Attributes:
        message: Why, for its condition and event.
        diagnosis: What the filters said.
        nomination: What ``status.nominatedNodeName`` is to be; None leaves it as it is.
        preemption: Who has to leave the node that it is nominated to, if anybody.
        displaced: Pods of lower priority that were nominated there, and no longer are.
    """

    message: str
    diagnosis: Diagnosis
    nomination: str | None = None
    preemption: Preemption | None = None
    displaced: tuple[PodState, ...] = ()


class Decider:
    """Decides for the pods of one profile, in passes.

    Pods come by priority, so that room only shrinks within a pass, but for what was kept for pods
    that go elsewhere.
    """

    def __init__(
        self,
        cluster: Cluster,
        budgets: Budgets,
        random: Callable[[], float],
        framework: Framework = DEFAULT_FRAMEWORK,
    ) -> None:
        """Prepare.

        Args:
            cluster: The picture.
            budgets: The PodDisruptionBudgets.
            random: Draws from 0 to 1, for what is equally good.
            framework: The profile's plugins.
        """
        self._cluster = cluster
        self._framework = framework
        self.placer = Placer(cluster, random, framework=framework)
        self._kept = KeptNodes(cluster, framework)
        settings = framework.profile.arguments.default_preemption
        self._preemptor: Preemptor | None = None
        if PREEMPTION in framework.profile.post_filters:
            self._preemptor = Preemptor(
                cluster,
                budgets,
                random,
                percentage=settings.min_candidate_nodes_percentage,
                absolute=settings.min_candidate_nodes_absolute,
                framework=framework,
            )
        self._diagnoser = Diagnoser(cluster, framework)
        self._alike = Alike(cluster, framework)
        self._chosen = 0
        self._refused: dict[_Key, tuple[int, Diagnosis]] = {}  # how many were chosen before
        self._hopeless: dict[_Key, str] = {}

    def begin(self) -> None:
        """Begin a pass: what fitted nowhere in the last one may fit now."""
        self._refused.clear()
        self._hopeless.clear()

    def choose(self, pod: PodState) -> NodeState | None:
        """Return the node to place a pod on: the one it is nominated to, if it fits there.

        None when it fits nowhere; ask `refuse` then.
        """
        cluster, pod_class, priority = self._cluster, pod.pod_class, pod.priority
        nominations = cluster.nominations
        some_nominated = bool(nominations)
        if some_nominated:
            node = cluster.by_name.get(nominations.node_of(pod.uid))
            if (
                node is not None
                and not pod_class.unsupported
                and self._framework.reject_pod(pod_class, cluster) is None
                and self._kept.reject(pod_class, priority, node, pod.uid) is None
            ):
                self._chosen += 1
                return node
        if self._refusal_of(pod) is not None:
            return None
        kept: Collection[str] = ()
        if some_nominated:
            kept = self._kept.keep_from(self._alike.of(pod_class), priority)
        found = self.placer.find_best(pod_class, kept)
        self._chosen += found is not None
        if some_nominated and found is not None and nominations.node_of(pod.uid):
            self.begin()  # it goes elsewhere: the room that was kept for it is free
        return found

    def refuse(self, pod: PodState) -> Refusal:
        """Say what becomes of a pod that `choose` found no node for."""
        # What is kept for the pod is not in its own way, and not known to what is remembered.
        nominations = self._cluster.nominations
        nominated = nominations.remove(pod.uid)
        if nominated:
            self.begin()
        refusal = self._refuse(pod, nominated)
        if nominated and refusal.nomination is None:
            nominations.add(pod, nominated)
            self.begin()
        return refusal

    def _refuse(self, pod: PodState, nominated: str) -> Refusal:
        priority, cluster = pod.priority, self._cluster
        pod_class = self._alike.of(pod.pod_class)
        key = (pod_class, priority)
        exact = len(cluster.by_name) <= _EXACT
        diagnosis = self._refusal_of(pod, exact=exact)
        if diagnosis is None:
            diagnosis = self._diagnoser.diagnose(pod_class, priority)
            self._refused[key] = (self._chosen, diagnosis)
            self._hopeless.pop(key, None)
        preemptor = self._preemptor
        if diagnosis.final:
            return Refusal(diagnosis.message, diagnosis)
        if preemptor is None:
            return Refusal(diagnosis.words, diagnosis)
        why = why_ineligible(
            pod_class,
            priority,
            cluster,
            preempts=pod.preempts,
            nominated=nominated,
            framework=self._framework,
        )
        if why is not None:
            return Refusal(diagnosis.explain(why), diagnosis)
        hopeless = self._hopeless.get(key)
        if hopeless is None or self._framework.asks_each_pod:
            found = preemptor.find(pod_class, priority)
            if found is not None:
                return self._nominate(pod, found, diagnosis)
            hopeless = self._hopeless[key] = preemptor.explain(pod_class, priority)
        return Refusal(diagnosis.explain(hopeless), diagnosis, "" if nominated else None)

    def _refusal_of(self, pod: PodState, *, exact: bool = True) -> Diagnosis | None:
        """Return what was said in this pass to a pod like this one, as far as it still holds.

        Args:
            pod: The pod.
            exact: It does not hold when a placement since may have helped.
        """
        if not self._refused:
            return None
        pod_class = self._alike.of(pod.pod_class)
        known = self._refused.get((pod_class, pod.priority))
        if known is None:
            return None
        framework, (chosen, diagnosis) = self._framework, known
        if framework.asks_each_pod:
            return None
        if exact and chosen != self._chosen:
            demands = self._cluster.demands(pod_class, framework.settings)
            if demands is not None and (demands.hard or demands.attracted):
                return None  # pods that were placed since may help one that looks around
        return diagnosis

    def _nominate(self, pod: PodState, found: Preemption, diagnosis: Diagnosis) -> Refusal:
        nominations, name = self._cluster.nominations, found.node.name
        displaced = tuple(nominations.unheeded(name, pod.priority))
        for other in displaced:
            nominations.remove(other.uid)
        nominations.add(pod, name)
        return Refusal(diagnosis.words, diagnosis, name, found, displaced)
