"""What a PodDisruptionBudget allows: from its pods and their owners' sizes to a status. Pure.

`orchestrator.controllers.disruption.actor` counts, looks sizes up and applies the plan.
Rules: k8s.io/kubernetes/pkg/controller/disruption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.controllers._pods import is_terminal
from orchestrator.controllers.plans import Emit, Plan, Update
from orchestrator.resources.conditions import find_condition, set_condition
from orchestrator.resources.disruptions import BUDGETS, TARGET, with_allowed_condition
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    with_status,
)
from orchestrator.resources.timestamps import format_time, parse_time

PODS: Final = "pods"

DELETION_TIMEOUT: Final = 120.0
"""Seconds that an evicted pod has to be deleted before it counts again."""

STALE_TIMEOUT: Final = 120.0
"""Seconds after which a pod that is marked as a disruption's target and stays is unmarked."""


class UnknownScaleError(Exception):
    """How many pods an owner wants could not be found out; the message is for users."""


class Healthy(NamedTuple):
    """The pods of one budget.

    Attributes:
        total: All pods that it selects.
        healthy: Of those, ready and not being deleted.
        disrupted: Name → whether the pod is healthy, for those of ``status.disruptedPods`` that
            exist and are not being deleted.
    """

    total: int
    healthy: int
    disrupted: Mapping[str, bool]


def decide_budget(
    budget: Object,
    pods: Healthy,
    expected: Callable[[], int],
    target: Callable[[str], Object | None],
    now: float,
) -> Plan:
    """Return what to write about one budget; ``DisruptionController`` applies it.

    Args:
        budget: As observed, at the same place of the log as its pods.
        pods: Its pods.
        expected: Returns how many pods their owners want; asked only where it matters. Raises
            `UnknownScaleError`.
        target: Returns a pod by name, to complain about.
        now: Wall seconds.
    """
    plan = Plan()
    if not pods.total:
        plan.events.append(Emit(budget, "Normal", "NoPods", "No matching pods found"))
    status = status_of(budget)
    try:
        count, desired = _wanted(spec_of(budget), pods.total, expected)
    except UnknownScaleError as error:
        text = f"Failed to calculate the number of expected pods: {error}"
        plan.events.append(Emit(budget, "Warning", "CalculateExpectedPodCountFailed", text))
        failed = {**status, "disruptionsAllowed": 0}
        return _write(budget, with_allowed_condition(failed, format_time(now), str(error)), plan)
    awaited = _awaited(budget, pods, target, now, plan)
    healthy = pods.healthy - sum(pods.disrupted[name] for name in awaited)
    new: dict[str, Any] = {
        **{field: value for field, value in status.items() if field != "disruptedPods"},
        "observedGeneration": budget["metadata"].get("generation") or 0,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": count,
        # With no pod expected nothing is allowed: the first ones to come are safe until counted.
        "disruptionsAllowed": max(0, healthy - desired) if count > 0 else 0,
    }
    if awaited:
        new["disruptedPods"] = awaited
    return _write(budget, with_allowed_condition(new, format_time(now)), plan)


def _write(budget: Object, status: Object, plan: Plan) -> Plan:
    if status != status_of(budget):
        new = {**budget, "status": status}
        # An eviction that came in between spent from the numbers before: those may not come back.
        plan.update.append(Update(BUDGETS, budget, new, "status", strict=True))
    return plan


def _wanted(spec: Mapping[str, Any], total: int, expected: Callable[[], int]) -> tuple[int, int]:
    """Return how many pods there should be, and how many of them healthy."""
    most = spec.get("maxUnavailable")
    if most is not None:
        count = expected()
        return count, max(0, count - _resolved(most, count))
    least = spec.get("minAvailable")
    if least is None:
        return 0, 0
    if isinstance(least, int):
        return total, least
    count = expected()
    return count, _resolved(least, count)


def _resolved(value: int | str, total: int) -> int:
    """Return a number or a percentage of ``total``, rounded up."""
    if isinstance(value, int):
        return value
    return -(-int(value.removesuffix("%")) * total // 100)


def _awaited(
    budget: Object,
    pods: Healthy,
    target: Callable[[str], Object | None],
    now: float,
    plan: Plan,
) -> dict[str, str]:
    """Return the evicted pods whose deletion is still to come; ask to look again in time."""
    awaited: dict[str, str] = {}
    for name, moment in (status_of(budget).get("disruptedPods") or {}).items():
        if name not in pods.disrupted:
            continue  # gone, or going
        left = parse_time(moment) + DELETION_TIMEOUT - now
        if left > 0:
            awaited[name] = moment
            plan.look_again(left)
        elif (pod := target(name)) is not None:
            text = (
                f"Pod was expected by PDB {namespace_of(budget)}/{name_of(budget)} to be deleted "
                "but it wasn't"
            )
            plan.events.append(Emit(pod, "Warning", "NotDeleted", text))
    return awaited


def is_marked(pod: Object) -> bool:
    """Tell whether a pod is said to be deleted soon, by other than its node, and is not yet."""
    condition = find_condition(pod, TARGET)
    return (
        condition is not None
        and condition.get("status") == "True"
        and condition.get("reason") != "TerminationByKubelet"
        and not is_deleting(pod)
        and not is_terminal(pod)
    )


def decide_stale_target(pod: Object, now: float) -> Plan:
    """Return whether a pod's mark is stale; ``DisruptionController`` applies it.

    Args:
        pod: As committed.
        now: Wall seconds.
    """
    plan = Plan()
    if not is_marked(pod):
        return plan
    condition = find_condition(pod, TARGET) or {}
    left = parse_time(condition["lastTransitionTime"]) + STALE_TIMEOUT - now
    if left > 0:
        plan.look_again(left)
        return plan
    conditions = set_condition(
        status_of(pod).get("conditions"), TARGET, "False", now=format_time(now)
    )
    plan.update.append(
        Update(PODS, pod, with_status(pod, conditions=conditions), "status", strict=True)
    )
    return plan
