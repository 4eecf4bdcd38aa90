"""What is written about disruptions: a budget's condition, and the one of a pod that must go.

The eviction subresource and the disruption controller both write them, so they agree here.
Rules: k8s.io/kubernetes/pkg/util/pod-disruption-budget and the ``DisruptionTarget`` condition of
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions.
"""

from __future__ import annotations

from typing import Any, Final

from orchestrator.resources.conditions import set_condition
from orchestrator.resources.objects import Object, status_of, with_status

BUDGETS: Final = "poddisruptionbudgets.policy"
TARGET: Final = "DisruptionTarget"
ALLOWED: Final = "DisruptionAllowed"
SYNC_FAILED: Final = "SyncFailed"


def with_allowed_condition(status: dict[str, Any], now: str, failure: str = "") -> dict[str, Any]:
    """Return a budget's status with the condition that its numbers call for.

    Args:
        status: With ``disruptionsAllowed`` and ``observedGeneration`` as they will be.
        now: Formatted time for a change of the condition's status.
        failure: Why the numbers could not be found out; empty when they could.
    """
    met = (status.get("disruptionsAllowed") or 0) > 0
    reason = "SufficientPods" if met else "InsufficientPods"
    if failure:
        met, reason = False, SYNC_FAILED
    generation = status.get("observedGeneration") or 0
    observed: dict[str, Any] = {"observedGeneration": generation} if generation else {}
    before = status.get("conditions") or []
    conditions = set_condition(
        [{**c, "message": ""} if c.get("type") == ALLOWED else c for c in before],
        ALLOWED,
        "True" if met else "False",
        now=now,
        reason=reason,
        **observed,
    )
    # The type's message is not optional: an empty one is written too.
    conditions = [{**c, "message": failure} if c["type"] == ALLOWED else c for c in conditions]
    return {**status, "conditions": before if conditions == before else conditions}


def with_target_condition(pod: Object, reason: str, message: str, now: str) -> Object:
    """Return a pod that says why it is about to be deleted; the same one when it says so already.

    Args:
        pod: As committed.
        reason: ``EvictionByEvictionAPI``, ``DeletionByTaintManager``, ...
        message: Upstream's sentence.
        now: Formatted time.
    """
    present = status_of(pod).get("conditions")
    conditions = set_condition(present, TARGET, "True", now=now, reason=reason, message=message)
    return pod if conditions == present else with_status(pod, conditions=conditions)
