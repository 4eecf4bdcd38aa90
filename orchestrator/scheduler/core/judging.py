"""One node as the pods of one class see it: feasible or not, what it is to them, its own score.

This runs for every placement of every class: what can be known of the class is worked out when the
judge is made, and what can be known of the node object is kept with the node's version.
"""

from __future__ import annotations

from typing import TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.demands import Demands, Place
from orchestrator.scheduler.core.framework import BALANCED, Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.plugins import image_locality, node_resources_fit
from orchestrator.scheduler.core.plugins.base import Depends
from orchestrator.scheduler.core.strategies import NodeScore, balance_score, fit_score

Taste: TypeAlias = tuple[int, int, int]
"""PreferNoSchedule taints not tolerated, weights of preferred node affinity, image score."""

Judgement: TypeAlias = tuple[Taste, Place | None, int]

_PLAIN: Taste = (0, 0, 0)


class Judge:
    """Judges nodes for one class under one profile.

    Attributes:
        likes_images: Whether the images of the cluster's nodes can matter to the class.
    """

    def __init__(self, pod: PodClass, framework: Framework, demands: Demands | None) -> None:
        self._pod = pod
        self._demands = demands
        applying = [plugin for plugin in framework.filters if plugin.applies(pod)]
        self._static = tuple(p.check for p in applying if p.depends is Depends.NODE)
        self._fits = node_resources_fit.FILTER in applying
        self._dynamic = tuple(
            plugin.check
            for plugin in applying
            if plugin.depends is Depends.PODS and plugin is not node_resources_fit.FILTER
        )
        by_name = {plugin.name: plugin for plugin, _ in framework.scores}
        self._unwelcome = by_name.get("TaintToleration")
        self._preferred = by_name.get("NodeAffinity")
        self.likes_images = image_locality.NAME in by_name and bool(pod.shape.images)
        self._verdicts: dict[int, tuple[int, int, Taste | None]] = {}
        self._score = _own_score(pod, framework)
        self._more = framework.own_scores

    def judge(self, node: NodeState, cluster: Cluster) -> Judgement | None:
        """Return what a node is to the class; None when it is not feasible."""
        verdict = self._verdicts.get(node.index)
        if (
            verdict is None
            or verdict[0] != node.version
            or (self.likes_images and verdict[1] != cluster.images_version)
        ):
            verdict = self._look(node, cluster)
        taste = verdict[2]
        if taste is None:
            return None
        pod = self._pod
        if self._fits:
            cpu, memory, ephemeral, extended, _, _, _ = pod.request
            if (
                len(node.pods) >= node.allowed_pods
                or (cpu and cpu > node.cpu - node.used_cpu)
                or (memory and memory > node.memory - node.used_memory)
                or (ephemeral and ephemeral > node.ephemeral - node.used_ephemeral)
            ):
                return None
            for name, wanted in extended:
                if wanted > node.extended.get(name, 0) - node.used_extended.get(name, 0):
                    return None
        for check in self._dynamic:
            if check(pod, node, cluster) is not None:
                return None
        place = None
        if self._demands is not None:
            place = self._demands.locate(node)
            if place is None:
                return None
        score = self._score(node)
        for plugin, weight in self._more:
            score += weight * (plugin.score(pod, (node,), cluster) or (0,))[0]
        return taste, place, score

    def _look(self, node: NodeState, cluster: Cluster) -> tuple[int, int, Taste | None]:
        """Find what the node object is to the class, and keep it."""
        taste: Taste | None = None
        pod = self._pod
        if all(check(pod, node, cluster) is None for check in self._static):
            one = (node,)
            unwelcome = preferred = image = 0
            if self._unwelcome is not None and node.taints:
                unwelcome = (self._unwelcome.score(pod, one, cluster) or [0])[0]
            if self._preferred is not None:
                preferred = (self._preferred.score(pod, one, cluster) or [0])[0]
            if self.likes_images:
                image = image_locality.score_node(pod, node, cluster)
            taste = (unwelcome, preferred, image) if unwelcome or preferred or image else _PLAIN
        verdict = self._verdicts[node.index] = (node.version, cluster.images_version, taste)
        return verdict


def _own_score(pod: PodClass, framework: Framework) -> NodeScore:
    """Return the part of a node's score that depends on the node and its pods alone."""
    arguments = framework.profile.arguments
    parts: list[tuple[NodeScore, int]] = []
    weight = framework.weight(node_resources_fit.NAME)
    if weight:
        parts.append((fit_score(arguments.node_resources_fit.scoring_strategy, pod), weight))
    weight = framework.weight(BALANCED)
    balance = balance_score(arguments.balanced_allocation.resources, pod) if weight else None
    if balance is not None:
        parts.append((balance, weight))
    if [weight for _, weight in parts] == [1, 1]:
        (first, _), (second, _) = parts
        return lambda node: first(node) + second(node)
    return lambda node: sum(score(node) * weight for score, weight in parts)
