"""When a quota has to be counted anew. Pure.

Every write that uses something changes the quota's status in the same commit. What is left are pods
whose grace is over though they are still there, and a status that somebody else has written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from orchestrator.controllers.plans import Plan, Update
from orchestrator.resources.objects import Object, is_deleting
from orchestrator.resources.quantities import compare
from orchestrator.resources.quota_usage import counted_status, overdue_at

RESOURCE: Final = "resourcequotas"
_A_MOMENT: Final = 1.0
_RESYNC: Final = 300.0
"""Seconds after which each quota is counted again; upstream's period."""


def decide_quota(quota: Object, objects: Callable[[str], Iterable[Object]], now: float) -> Plan:
    """Return what makes a quota tell what is used.

    Args:
        quota: Any ResourceQuota.
        objects: From a resource to its objects in the quota's namespace.
        now: Seconds since the epoch.
    """
    plan = Plan()
    if is_deleting(quota):
        return plan
    status = quota.get("status") or {}
    if not _same(status, counted_status(quota, objects, now)):
        # One without numbers is counted where all that is under way is known.
        plan.update.append(Update(RESOURCE, quota, {**quota, "status": {}}, subresource="status"))
    plan.look_again(_RESYNC)
    for pod in objects("pods"):
        due = overdue_at(pod)
        if now <= due < float("inf"):
            plan.look_again(due - now + _A_MOMENT)
    return plan


def _same(status: Object, counted: Object) -> bool:
    """Compare amounts, not their notations, which depend on the order of the sum."""
    return all(
        (status.get(part) or {}).keys() == counted[part].keys()
        and not any(compare(status[part][name], counted[part][name]) for name in counted[part])
        for part in ("hard", "used")
    )
