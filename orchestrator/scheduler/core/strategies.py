"""Scores by resources: how NodeResourcesFit and NodeResourcesBalancedAllocation look at a node.

Source of the formulas: ``pkg/scheduler/framework/plugins/noderesources`` of Kubernetes 1.35. All
arithmetic is upstream's, down to what is cut off and what is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from orchestrator.scheduler.configuration.arguments import (
    CPU_AND_MEMORY,
    ResourceWeight,
    ScoringStrategy,
    ShapePoint,
)
from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.nodes import NodeState

NodeScore: TypeAlias = Callable[[NodeState], int]
_Amounts: TypeAlias = tuple[int, int]  # requested with the pod on the node, allocatable
_NATIVE = frozenset({"cpu", "memory", "ephemeral-storage"})


def fit_score(strategy: ScoringStrategy, pod: PodClass) -> NodeScore:
    """Return the raw score (0 to 100) that a strategy gives nodes for a pod of a class.

    CPU and memory count with upstream's defaults for containers that request none.
    """
    if strategy.type == "LeastAllocated" and strategy.resources == CPU_AND_MEMORY:
        return _least_allocated(pod)
    resources = strategy.resources
    share = _share_of(strategy)
    skips_nothing = strategy.type == "RequestedToCapacityRatio"

    def score(node: NodeState) -> int:
        total = weights = 0
        for name, weight in resources:
            requested, allocatable = _with_defaults(pod, node, name)
            if not allocatable:
                continue
            value = share(requested, allocatable)
            if skips_nothing and value <= 0:
                continue
            total += value * weight
            weights += weight
        if not weights:
            return 0
        return _round(total / weights) if skips_nothing else total // weights

    return score


def balance_score(resources: Sequence[ResourceWeight], pod: PodClass) -> NodeScore | None:
    """Return the score (0 to 100) for nodes whose resources are used alike with the pod there.

    Real requests count. None for a pod that requests none of these: upstream skips the score.
    """
    if not any(_requested(pod, name) for name, _ in resources):
        return None
    if tuple(resources) == CPU_AND_MEMORY:
        return _balanced_cpu_and_memory(pod)

    def score(node: NodeState) -> int:
        fractions = []
        for name, _ in resources:
            requested, allocatable = _actual(pod, node, name)
            if allocatable:
                fractions.append(min(1.0, requested / allocatable))
        return int((1 - _deviation(fractions)) * 100)

    return score


def _least_allocated(pod: PodClass) -> NodeScore:
    own_cpu, own_memory = pod.request.score_cpu, pod.request.score_memory

    def score(node: NodeState) -> int:
        total = weights = 0
        if capacity := node.cpu:
            weights = 1
            free = capacity - node.score_cpu - own_cpu
            if free > 0:
                total = free * 100 // capacity
        if capacity := node.memory:
            weights += 1
            free = capacity - node.score_memory - own_memory
            if free > 0:
                total += free * 100 // capacity
        return total // weights if weights else 0

    return score


def _balanced_cpu_and_memory(pod: PodClass) -> NodeScore:
    own_cpu, own_memory = pod.request.cpu, pod.request.memory

    def score(node: NodeState) -> int:
        if not (node.cpu and node.memory):
            return 100
        cpu = (node.used_cpu + own_cpu) / node.cpu
        memory = (node.used_memory + own_memory) / node.memory
        difference = (cpu if cpu < 1 else 1.0) - (memory if memory < 1 else 1.0)
        return int((1 - abs(difference / 2)) * 100)

    return score


def _share_of(strategy: ScoringStrategy) -> Callable[[int, int], int]:
    """Return what one resource is worth, from 0 to 100, by what is requested of how much."""
    match strategy.type:
        case "LeastAllocated":
            return lambda requested, of: max(0, of - requested) * 100 // of
        case "MostAllocated":
            return lambda requested, of: min(requested, of) * 100 // of
        case "RequestedToCapacityRatio":
            shape = strategy.shape

            def follow(requested: int, of: int) -> int:
                return _on_line(shape, 100 if requested > of else requested * 100 // of)

            return follow


def _on_line(shape: Sequence[ShapePoint], utilization: int) -> int:
    """Return the value of a broken line, in steps of the points' tenths times ten."""
    before: tuple[int, int] | None = None
    for point in shape:
        at, value = point.utilization, point.score * 10
        if utilization <= at:
            if before is None:
                return value
            left, start = before
            # Go's division cuts towards zero, Python's floors.
            return start + int((value - start) * (utilization - left) / (at - left))
        before = at, value
    return before[1] if before else 0


def _with_defaults(pod: PodClass, node: NodeState, name: str) -> _Amounts:
    if name == "cpu":
        return node.score_cpu + pod.request.score_cpu, node.cpu
    if name == "memory":
        return node.score_memory + pod.request.score_memory, node.memory
    return _actual(pod, node, name)


def _actual(pod: PodClass, node: NodeState, name: str) -> _Amounts:
    if name == "cpu":
        return node.used_cpu + pod.request.cpu, node.cpu
    if name == "memory":
        return node.used_memory + pod.request.memory, node.memory
    if name == "ephemeral-storage":
        return node.used_ephemeral + pod.request.ephemeral, node.ephemeral
    wanted = _requested(pod, name)
    if not wanted:  # a pod that wants none of it is not judged by it
        return 0, 0
    return node.used_extended.get(name, 0) + wanted, node.extended.get(name, 0)


def _requested(pod: PodClass, name: str) -> int:
    request = pod.request
    if name in _NATIVE:
        return {
            "cpu": request.cpu,
            "memory": request.memory,
            "ephemeral-storage": request.ephemeral,
        }[name]
    return dict(request.extended).get(name, 0)


def _deviation(fractions: Sequence[float]) -> float:
    if len(fractions) == 2:
        return abs((fractions[0] - fractions[1]) / 2)
    if len(fractions) < 2:
        return 0.0
    mean = sum(fractions) / len(fractions)
    return math.sqrt(
        sum((fraction - mean) * (fraction - mean) for fraction in fractions) / len(fractions)
    )


def _round(value: float) -> int:
    return math.floor(value + 0.5)
