"""Which pods would have to leave one node so that a pod fits there.

All pods of lower priority are thought away; if the pod fits then, as many of them as possible are
given back: first those whose loss would break a PodDisruptionBudget, then the others, the most
important first. Who is not given back is a victim.

Where only resources are asked for this is arithmetic. Else the pods are taken off the
node for a while and the filters are asked; see `Trial`.

Source of the rules: ``SelectVictimsOnNode`` of kube-scheduler's DefaultPreemption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final, NamedTuple, TypeAlias

from orchestrator.scheduler.core.classes import PodClass
from orchestrator.scheduler.core.cluster import Cluster
from orchestrator.scheduler.core.disruptions import Budgets
from orchestrator.scheduler.core.framework import Framework
from orchestrator.scheduler.core.nodes import NodeState
from orchestrator.scheduler.core.pods import PodState
from orchestrator.scheduler.core.requests import Request
from orchestrator.scheduler.core.trials import Trial, reject_beside

NO_VICTIMS: Final = ("No preemption victims found for incoming pod",)
_PLENTY: Final = 1 << 62
_SHIFT: Final = 1 << 31  # makes every priority positive, so that fewer pods are a lower sum


class Victims(NamedTuple):
    """The pods that have to leave a node.

    Attributes:
        pods: At least one, the most important first.
        violations: How many of them a PodDisruptionBudget protects.
    """

    pods: tuple[PodState, ...]
    violations: int


Cost: TypeAlias = tuple[int, int, int, int, float]
"""What taking a node costs; the lowest is taken. See `cost_of`."""

Reasons: TypeAlias = tuple[str, ...]
"""Why nothing is gained on a node."""


def importance(pod: PodState) -> tuple[int, float]:
    """Return a key that sorts the most important pod first: by priority, then by age.

    A pod that has not started is as young as can be.
    """
    return -pod.priority, inf if pod.start is None else pod.start


def cost_of(victims: Victims) -> Cost:
    """Return what upstream's ``pickOneNodeForPreemption`` compares, in its order.

    Budgets broken, the highest priority, the sum of priorities, the number of victims, and how
    long ago the first of the most important ones started.
    """
    pods = victims.pods
    highest = pods[0].priority
    started = min(
        inf if pod.start is None else pod.start for pod in pods if pod.priority == highest
    )
    total = sum(pod.priority for pod in pods) + _SHIFT * len(pods)
    return victims.violations, highest, total, len(pods), -started


def select_by_arithmetic(
    pod: PodClass,
    lower: list[PodState],
    node: NodeState,
    nominated: Sequence[PodState],
    budgets: Budgets,
) -> Victims | Reasons:
    """Select victims for a pod that asks nothing but resources of the pods on a node.

    Args:
        pod: Of the pod that is to fit.
        lower: The pods on the node of lower priority; at least one.
        node: One that the pod's other demands agree with.
        nominated: Further pods whose place on the node is kept for them.
        budgets: The PodDisruptionBudgets.

    Returns:
        Victims, of which there are none if the pod fits beside everyone; or why it does not fit
        even when all have left.
    """
    want = pod.request
    count = node.allowed_pods - len(node.pods) - len(nominated) - 1 + len(lower)
    cpu = node.cpu - node.used_cpu - want.cpu if want.cpu else _PLENTY
    memory = node.memory - node.used_memory - want.memory if want.memory else _PLENTY
    for other in lower:
        request = other.pod_class.request
        cpu += request.cpu
        memory += request.memory
    for other in nominated:
        request = other.pod_class.request
        cpu -= request.cpu
        memory -= request.memory
    more = _others_left(want, lower, node, nominated) if want.ephemeral or want.extended else {}
    reasons = _lacking(count, cpu, memory, more)
    if reasons:
        return reasons
    lower.sort(key=importance)
    violating, others = budgets.split(lower)
    victims: list[PodState] = []
    violations = 0
    for group in (violating, others):
        for other in group:
            request = other.pod_class.request
            if (
                count < 1
                or request.cpu > cpu
                or request.memory > memory
                or (more and not _leaves(more, request))
            ):
                victims.append(other)
                continue
            count -= 1
            cpu -= request.cpu
            memory -= request.memory
            if more:
                _spend(more, request)
        if group is violating:
            violations = len(victims)
    if violating and others:
        victims.sort(key=importance)
    return Victims(tuple(victims), violations)


def select_by_trial(
    pod: PodClass,
    lower: list[PodState],
    node: NodeState,
    nominated: Sequence[PodState],
    budgets: Budgets,
    cluster: Cluster,
    framework: Framework,
) -> Victims | Reasons:
    """Select victims as `select_by_arithmetic` does, by asking the filters."""
    with Trial(node, cluster) as trial:

        def find_reasons() -> Reasons | None:
            found = reject_beside(nominated, pod, node, cluster, framework)
            return None if found is None else found.rejection.reasons

        for other in lower:
            trial.take(other)
        reasons = find_reasons()
        if reasons is not None:
            return reasons
        lower.sort(key=importance)
        violating, others = budgets.split(lower)
        victims: list[PodState] = []
        violations = 0
        for group in (violating, others):
            for other in group:
                trial.put(other)
                if find_reasons() is not None:
                    trial.take(other)
                    victims.append(other)
            if group is violating:
                violations = len(victims)
    if violating and others:
        victims.sort(key=importance)
    return Victims(tuple(victims), violations)


def _others_left(
    want: Request, lower: Iterable[PodState], node: NodeState, nominated: Iterable[PodState]
) -> dict[str, int]:
    """Return what is left of ephemeral storage and extended resources that are asked for."""
    left = {
        name: node.extended.get(name, 0) - node.used_extended.get(name, 0) - value
        for name, value in want.extended
    }
    if want.ephemeral:
        left = {"ephemeral-storage": node.ephemeral - node.used_ephemeral - want.ephemeral, **left}
    for others, sign in ((lower, 1), (nominated, -1)):
        for other in others:
            _spend(left, other.pod_class.request, -sign)
    return left


def _spend(left: dict[str, int], request: Request, times: int = 1) -> None:
    for name, value in _amounts(request):
        if name in left:
            left[name] -= times * value


def _leaves(left: dict[str, int], request: Request) -> bool:
    return all(value <= left[name] for name, value in _amounts(request) if name in left)


def _amounts(request: Request) -> tuple[tuple[str, int], ...]:
    if request.ephemeral:
        return (("ephemeral-storage", request.ephemeral), *request.extended)
    return request.extended


def _lacking(count: int, cpu: int, memory: int, more: dict[str, int]) -> Reasons:
    """Return the words of NodeResourcesFit for what is below zero."""
    if count >= 0 and cpu >= 0 and memory >= 0 and not more:
        return ()
    reasons = ["Too many pods"] if count < 0 else []
    left = {"cpu": cpu, "memory": memory, **more}
    reasons += [f"Insufficient {name}" for name, value in left.items() if value < 0]
    return tuple(reasons)
