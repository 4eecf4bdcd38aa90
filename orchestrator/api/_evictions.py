"""Eviction: a deletion that asks the pod's PodDisruptionBudget first. Decisions only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orchestrator.resources.conditions import find_condition
from orchestrator.resources.disruptions import ALLOWED, SYNC_FAILED, with_allowed_condition
from orchestrator.resources.errors import StatusError
from orchestrator.resources.objects import (
    Object,
    is_deleting,
    labels_of,
    meta,
    name_of,
    spec_of,
    status_of,
)
from orchestrator.resources.selectors import label_selector

_MAX_DISRUPTED: Final = 2000
_TERMINAL: Final = ("Succeeded", "Failed")
_VIOLATES: Final = "Cannot evict pod as it would violate the pod's disruption budget."


def ignores_budget(pod: Object) -> bool:
    """Tell whether a pod's removal cannot harm anyone: ended, not started or already going."""
    phase = status_of(pod).get("phase", "Pending")
    return phase in _TERMINAL or phase == "Pending" or is_deleting(pod)


def budgets_of(pod: Object, budgets: Iterable[Object]) -> list[Object]:
    """Return the budgets of the pod's namespace that select it.

    Raises:
        StatusError: 500, more than one does: upstream refuses to choose.
    """
    labels = labels_of(pod)
    if not labels:
        return []
    found = [
        budget
        for budget in budgets
        if label_selector(spec_of(budget).get("selector")).matches(labels)
    ]
    if len(found) > 1:
        raise StatusError(
            500,
            "",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support.",
        )
    return found


def is_ready(pod: Object) -> bool:
    """Tell whether the pod has condition Ready=True."""
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status_of(pod).get("conditions") or ()
    )


def spend_disruption(budget: Object, pod: Object, now: str) -> Object:
    """Return the budget with one disruption taken for ``pod``.

    Args:
        budget: The budget that selects the pod.
        pod: The pod to be evicted.
        now: Timestamp to note in ``status.disruptedPods``.

    Raises:
        StatusError: 429, the budget allows none now.
    """
    status = status_of(budget)
    name = name_of(budget)
    if status.get("observedGeneration", 0) < meta(budget).get("generation", 0):
        raise still_processing(name)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise StatusError(
            403,
            "Forbidden",
            f'poddisruptionbudget.policy "{name}" is forbidden: pdb disruptions allowed is '
            "negative",
        )
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > _MAX_DISRUPTED:
        raise StatusError(
            403,
            "Forbidden",
            f'poddisruptionbudget.policy "{name}" is forbidden: DisruptedPods map too big - too '
            "many evictions not confirmed by PDB controller",
        )
    if allowed == 0:
        raise _refusal(_shortage(budget), 0)
    spent: Object = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**disrupted, name_of(pod): now},
    }
    return {**budget, "status": spent if allowed > 1 else with_allowed_condition(spent, now)}


def _shortage(budget: Object) -> str:
    """Say why a budget allows no disruption."""
    status, name = status_of(budget), name_of(budget)
    condition = find_condition(budget, ALLOWED) or {}
    if condition.get("status") == "False" and condition.get("reason") == SYNC_FAILED:
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it "
            f"failed sync: {condition.get('message', '')}"
        )
    desired, current = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"


def still_processing(name: str) -> StatusError:
    """429 for an eviction whose budget, or pod, was not yet as the decision needs it."""
    return _refusal(f"The disruption budget {name} is still being processed by the server.", 10)


def may_skip_budget(budget: Object, pod: Object) -> bool:
    """Tell whether an unready pod may go without asking: it does not count as healthy.

    With ``unhealthyPodEvictionPolicy: AlwaysAllow`` always, else while enough others are healthy.
    """
    if is_ready(pod):
        return False
    if spec_of(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = status_of(budget)
    desired = status.get("desiredHealthy", 0)
    return bool(status.get("currentHealthy", 0) >= desired > 0)


def _refusal(cause: str, seconds: int) -> StatusError:
    return StatusError(
        429,
        "TooManyRequests",
        _VIOLATES,
        {
            "causes": [{"reason": "DisruptionBudget", "message": cause}],
            **({"retryAfterSeconds": seconds} if seconds else {}),
        },
    )
